/**
 * What we draw over the library's chart, as one series primitive: needle, finality line, hatch,
 * watermark, and what late modules add. It reads one plain state object, which chart-view.js fills.
 */

import { drawFinality, drawHatch, drawHatchWords, drawWatermark } from "./ground.js";
import { drawNeedleLabel, drawNeedleLine } from "./needle.js";

/** @import { Draw, HitTest, OverlayState, Scene } from "./types.js" */

/**
 * @import { IPrimitivePaneRenderer, IPrimitivePaneView, ISeriesPrimitive, PrimitivePaneViewZOrder, SeriesAttachedParameter, Time, IChartApi, ISeriesApi, SeriesType } from "./library.js"
 */

/** @implements {ISeriesPrimitive<Time>} */
export class Overlay {
  /** @type {{chart: IChartApi, series: ISeriesApi<SeriesType>} | null} */
  #attached = null;
  #requestUpdate = () => {};
  #state;
  /** The library caches by reference: another array only when there is another view. */
  #paneViews;
  #axisViews;
  /** @type {Set<HitTest>} */
  #hitTests = new Set();

  /**
   * @param {OverlayState} state
   * @param {boolean} [isGround] only what lies under the bars of every pane
   */
  constructor(state, isGround = false) {
    this.#state = state;
    this.#paneViews = isGround
      ? [this.#view(drawHatch, "bottom")]
      : [
          this.#view(drawWatermark, "bottom"),
          this.#view(drawHatch, "bottom"),
          this.#view(drawHatchWords, "bottom"),
          this.#view(drawFinality, "normal"),
          this.#view(drawNeedleLine, "top"),
        ];
    this.#axisViews = isGround ? [] : [this.#view(drawNeedleLabel, "normal")];
  }

  /** The hatch goes on through the other panes. */
  ground() {
    return new Overlay(this.#state, true);
  }

  /** @param {SeriesAttachedParameter<Time, SeriesType>} parameters */
  attached({ chart, series, requestUpdate }) {
    this.#attached = { chart: /** @type {IChartApi} */ (chart), series };
    this.#requestUpdate = requestUpdate;
  }

  detached() {
    this.#attached = null;
  }

  paneViews() {
    return this.#paneViews;
  }

  priceAxisPaneViews() {
    return this.#axisViews;
  }

  /**
   * Draws something more.
   * @param {Draw} draw
   * @param {PrimitivePaneViewZOrder} order
   * @param {HitTest} [hitTest] what of it is below the pointer
   */
  add(draw, order, hitTest) {
    this.#paneViews = [...this.#paneViews, this.#view(draw, order)];
    if (hitTest) this.#hitTests.add(hitTest);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  hitTest(x, y) {
    const scene = this.#scene(0, 0);
    for (const test of scene ? this.#hitTests : []) {
      const externalId = scene && test(x, y, scene);
      if (externalId)
        return { externalId, zOrder: /** @type {const} */ ("top"), cursorStyle: "pointer" };
    }
    return null;
  }

  redraw() {
    this.#requestUpdate();
  }

  /**
   * @param {Draw} draw
   * @param {PrimitivePaneViewZOrder} order
   * @returns {IPrimitivePaneView}
   */
  #view(draw, order) {
    /** @type {IPrimitivePaneRenderer} */
    const renderer = {
      draw: (target) =>
        target.useMediaCoordinateSpace(({ context, mediaSize }) => {
          const scene = this.#scene(mediaSize.width, mediaSize.height);
          if (scene) draw(context, this.#state, scene);
        }),
    };
    return { zOrder: () => order, renderer: () => renderer };
  }

  /**
   * @param {number} width
   * @param {number} height
   * @returns {Scene | null}
   */
  #scene(width, height) {
    if (!this.#attached) return null;
    const { chart, series } = this.#attached;
    const scale = chart.timeScale();
    const xOf = (/** @type {number} */ logical) =>
      between(logical, (bar) => scale.logicalToCoordinate(/** @type {any} */ (bar)));
    return { width, height, yOf: (price) => series.priceToCoordinate(price), xOf };
  }
}

/**
 * The library knows places of whole bars only, and takes any other number for the first place.
 * @param {number} logical
 * @param {(bar: number) => number | null} placeOf
 */
function between(logical, placeOf) {
  const bar = Math.floor(logical);
  const [left, right] = [placeOf(bar), placeOf(bar + 1)];
  return left === null || right === null ? left : left + (right - left) * (logical - bar);
}
