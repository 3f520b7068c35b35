/**
 * What we draw over the library's chart, as one series primitive: needle, finality line, hatch
 * and watermark. It reads one plain state object, which chart-view.js fills.
 */

import { drawFinality } from "./finality.js";
import { drawHatch } from "./hatch.js";
import { drawNeedleLabel, drawNeedleLine } from "./needle.js";
import { drawWatermark } from "./watermark.js";

/**
 * @import { IPrimitivePaneRenderer, IPrimitivePaneView, ISeriesPrimitive, SeriesAttachedParameter, Time, IChartApi, ISeriesApi } from "./library.js"
 * @import { Palette } from "./palette.js"
 *
 * @typedef {object} OverlayState
 * @property {Palette} palette
 * @property {number | null} price of the needle
 * @property {string} label
 * @property {string} note below the label: the countdown, or "no data"
 * @property {boolean} isStale
 * @property {number | null} boundary bar number of the first bar that is closed but not final
 * @property {{from: number, to: number} | null} gap bar numbers without data
 * @property {string} watermark
 *
 * @typedef {object} Place where things are, in media pixels
 * @property {number} width
 * @property {number} height
 * @property {(price: number) => number | null} yOf
 * @property {(logical: number) => number | null} xOf
 *
 * @typedef {(context: CanvasRenderingContext2D, state: OverlayState, place: Place) => void} Draw
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
      this.#view(drawFinality, "bottom"),
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
   * @returns {Place | null}
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
