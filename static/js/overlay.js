/**
 * What we draw over the library's chart, as one series primitive: needle, finality line, hatch
 * and watermark. It reads one plain state object, which chart-view.js fills.
 */

import { drawFinality, drawHatch, drawWatermark } from "./ground.js";
import { drawNeedleLabel, drawNeedleLine } from "./needle.js";

/** @import { Draw, OverlayState, Scene } from "./types.js" */

/**
 * @import { IPrimitivePaneRenderer, IPrimitivePaneView, ISeriesPrimitive, SeriesAttachedParameter, Time, IChartApi, ISeriesApi } from "./library.js"
 */

/** @implements {ISeriesPrimitive<Time>} */
export class Overlay {
  /** @type {{chart: IChartApi, series: ISeriesApi<"Candlestick">} | null} */
  #attached = null;
  #requestUpdate = () => {};
  #state;
  #paneViews;
  #axisViews;

  /** @param {OverlayState} state */
  constructor(state) {
    this.#state = state;
    // The library caches by reference: the same arrays every time.
    this.#paneViews = [
      this.#view(drawWatermark, "bottom"),
      this.#view(drawHatch, "bottom"),
      this.#view(drawFinality, "normal"),
      this.#view(drawNeedleLine, "top"),
    ];
    this.#axisViews = [this.#view(drawNeedleLabel, "normal")];
  }

  /** @param {SeriesAttachedParameter<Time, "Candlestick">} parameters */
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

  redraw() {
    this.#requestUpdate();
  }

  /**
   * @param {Draw} draw
   * @param {"top" | "normal" | "bottom"} order
   * @returns {IPrimitivePaneView}
   */
  #view(draw, order) {
    /** @type {IPrimitivePaneRenderer} */
    const renderer = {
      draw: (target) =>
        target.useMediaCoordinateSpace(({ context, mediaSize }) => {
          const place = this.#place(mediaSize);
          if (place) draw(context, this.#state, place);
        }),
    };
    return { zOrder: () => order, renderer: () => renderer };
  }

  /**
   * @param {{width: number, height: number}} size
   * @returns {Scene | null}
   */
  #place({ width, height }) {
    if (!this.#attached) return null;
    const { chart, series } = this.#attached;
    return {
      width,
      height,
      yOf: (price) => series.priceToCoordinate(price),
      xOf: (logical) => chart.timeScale().logicalToCoordinate(/** @type {any} */ (logical)),
    };
  }
}
