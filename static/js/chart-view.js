/**
 * The chart: candles, volume and overlay on the library's canvas. It is told what to show and
 * reports what the reader does; it fetches nothing.
 *
 * @import { UTCTimestamp, MouseEventParams, LogicalRange, Time } from "./library.js"
 */

import { certainty } from "./candles.js";
import {
  CANDLE_SHAPE,
  candleColours,
  chartColours,
  chartShape,
  crosshairTime,
  priceFormat,
  RIGHT_MARGIN_BARS,
  VOLUME_SCALE,
  VOLUME_SHAPE,
} from "./chart-options.js";
import { intervalSeconds } from "./intervals.js";
import { CandlestickSeries, createChart, HistogramSeries, PriceScaleMode } from "./library.js";
import { Overlay } from "./overlay.js";
import { readPalette } from "./palette.js";
import { logicalAt, rangeOf, viewOf } from "./viewport.js";

/** @import { BarColours, Candle, OverlayState, Subject, View } from "./types.js" */

/** Redrawing costs in proportion to the bars; with many, a little less often is enough. */
const MANY_BARS = 5000;
const SLOW_REDRAW_MS = 200;
const FLASH_MS = 600;
const VOLUME_HEIGHT = 104;
const VOLUME_HEIGHT_SMALL = 66;

export class ChartView {
  #root;
  #now_s;
  /** @type {Subject | null} */
  #subject = null;
  /** The first bar that has to be drawn again, or -1. */
  #dirtyFrom = -1;
  #lastDrawMs = 0;
  #isScheduled = false;
  /** What the reader last chose to see; a change of interval may show less or more of it. */
  /** @type {View | null} */
  #wanted = null;
  #palette;
  /** Times of bars that are in ink for a moment, as they were revised. */
  /** @type {Set<number> | undefined} */
  #revised;
  /** @type {OverlayState} */
  #state;
  #overlay;

  /**
   * @param {HTMLElement} root
   * @param {() => number} now_s
   */
  constructor(root, now_s) {
    this.#root = root;
    this.#now_s = now_s;
    this.#palette = readPalette(root);
    this.#state = {
      palette: this.#palette,
      price: null,
      label: "",
      note: "",
      isStale: false,
      boundary: null,
      gap: null,
      watermark: "",
    };
    this.chart = createChart(root, chartShape());
    this.candles = this.chart.addSeries(CandlestickSeries, CANDLE_SHAPE);
    this.volume = this.chart.addSeries(HistogramSeries, VOLUME_SHAPE, 1);
    this.volume.priceScale().applyOptions(VOLUME_SCALE);
    this.#overlay = new Overlay(this.#state);
    this.candles.attachPrimitive(this.#overlay);
    this.#applyColours();
    this.#watchHands();
  }

  /** The library tells no hand from a program; only a hand changes what the reader wants to see. */
  #watchHands() {
    const forget = () => {
      this.#wanted = null;
    };
    for (const event of ["wheel", "pointerdown", "touchmove", "dblclick"]) {
      this.#root.addEventListener(event, forget, { passive: true, capture: true });
    }
  }

  /** Shows other bars. @param {Subject} subject @param {View | null} [view] null follows the newest */
  show(subject, view = null) {
    this.#subject = subject;
    const step_s = intervalSeconds(subject.interval);
    this.candles.applyOptions({ priceFormat: priceFormat(subject.decimals) });
    this.chart.applyOptions({
      localization: { timeFormatter: crosshairTime(step_s) },
      timeScale: { secondsVisible: step_s < 60 },
    });
    this.redrawAll();
    if (view) this.#showView(view);
    else this.chart.timeScale().scrollToPosition(RIGHT_MARGIN_BARS, false);
    this.candles.priceScale().setAutoScale(true);
  }

  /** @param {View} view */
  #showView(view) {
    const { store, interval } = /** @type {Subject} */ (this.#subject);
    if (!store.length) return;
    const range = rangeOf(store.all, view, intervalSeconds(interval), RIGHT_MARGIN_BARS);
    this.chart.timeScale().setVisibleLogicalRange(range);
    this.#wanted = view;
  }

  /** What the reader sees, in time. @returns {View | null} */
  view() {
    if (this.#wanted) return this.#wanted;
    const visible = this.chart.timeScale().getVisibleLogicalRange();
    const drawn = /** @type {readonly {time: number}[]} */ (this.candles.data());
    if (!visible || !this.#subject || !drawn.length) return null;
    return viewOf(drawn, visible, intervalSeconds(this.#subject.interval));
  }

  /**
   * Sets every bar anew; the visible bars stay where they are when only older ones were added.
   * @param {Set<number> | null} [revised] times of bars that flash; with it, what is gone moves nothing
   */
  redrawAll(revised) {
    if (!this.#subject) return;
    const view = revised && this.view();
    if (revised) this.#flash(revised);
    const bars = this.#subject.store.all;
    this.candles.setData(bars.map((bar) => this.#candleItem(bar)));
    this.volume.setData(bars.map((bar) => this.#volumeItem(bar)));
    this.#dirtyFrom = -1;
    if (view?.to && bars.length) {
      const step_s = intervalSeconds(this.#subject.interval);
      const [from, to] = [view.from, view.to].map((time_s) => logicalAt(bars, time_s, step_s));
      this.chart.timeScale().setVisibleLogicalRange({ from, to });
    }
    this.#placeOverlay();
  }

  /** @param {Set<number>} revised */
  #flash(revised) {
    if (!revised.size || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    this.#revised = revised;
    setTimeout(() => {
      this.#revised = undefined;
      this.redrawAll();
    }, FLASH_MS);
  }

  /** Says that bars from this one on have changed; they are drawn with the next frame. @param {number} index */
  touch(index) {
    this.#dirtyFrom = this.#dirtyFrom < 0 ? index : Math.min(this.#dirtyFrom, index);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => this.#drawDirty());
  }

  #drawDirty() {
    this.#isScheduled = false;
    const subject = this.#subject;
    if (!subject || this.#dirtyFrom < 0) return;
    const wait = this.#lastDrawMs + SLOW_REDRAW_MS - performance.now();
    if (subject.store.length > MANY_BARS && wait > 0) {
      this.#isScheduled = true;
      setTimeout(() => this.#drawDirty(), wait);
      return;
    }
    this.#lastDrawMs = performance.now();
    this.#update(subject.store.all);
  }

  /** @param {Candle[]} bars */
  #update(bars) {
    const drawn = this.candles.data();
    const lastDrawn = /** @type {number | undefined} */ (drawn.at(-1)?.time);
    // The library only takes new bars at the end.
    if (bars[drawn.length - 1]?.time !== lastDrawn) return this.redrawAll(new Set());
    for (const bar of bars.slice(this.#dirtyFrom)) {
      const isOld = lastDrawn !== undefined && bar.time < lastDrawn;
      this.candles.update(this.#candleItem(bar), isOld);
      this.volume.update(this.#volumeItem(bar), isOld);
    }
    this.#dirtyFrom = -1;
    this.#placeOverlay();
  }

  /** The library keeps and changes what it is given: always a fresh literal. @param {Candle} bar */
  #candleItem(bar) {
    const { time, open, high, low, close } = bar;
    const item = { time: /** @type {UTCTimestamp} */ (time), open, high, low, close };
    const colours = this.#colours(bar);
    if (colours === this.#final(bar)) return item;
    return { ...item, color: colours.body, borderColor: colours.edge, wickColor: colours.edge };
  }

  /** @param {Candle} bar */
  #volumeItem(bar) {
    const time = /** @type {UTCTimestamp} */ (bar.time);
    return { time, value: bar.volume, color: this.#colours(bar).volume };
  }

  /** @param {Candle} bar */
  #final(bar) {
    return this.#palette.bars[bar.close >= bar.open ? "up" : "down"].final;
  }

  /** @param {Candle} bar @returns {BarColours} */
  #colours(bar) {
    const { bars, revised } = this.#palette;
    if (this.#revised?.has(bar.time)) return revised;
    const { interval } = /** @type {Subject} */ (this.#subject);
    const isFinal = certainty(bar, interval, this.#now_s()) === "final";
    return bars[bar.close >= bar.open ? "up" : "down"][isFinal ? "final" : "open"];
  }

  #placeOverlay() {
    const store = this.#subject?.store;
    this.#state.price = store?.last?.close ?? null;
    const boundary = store ? store.all.findIndex((bar) => !bar.final) : -1;
    this.#state.boundary = boundary > 0 ? boundary : null;
    this.#overlay.redraw();
  }

  /** The overlay's words; only what is named changes. @param {Partial<OverlayState>} change */
  annotate(change) {
    const names = /** @type {(keyof OverlayState)[]} */ (Object.keys(change));
    if (names.every((name) => this.#state[name] === change[name])) return;
    Object.assign(this.#state, change);
    this.#overlay.redraw();
  }

  /** After a change of theme or palette. */
  recolour() {
    this.#palette = readPalette(this.#root);
    this.#state.palette = this.#palette;
    this.#applyColours();
    this.redrawAll();
  }

  #applyColours() {
    this.chart.applyOptions(chartColours(this.#palette));
    this.candles.applyOptions(candleColours(this.#palette));
  }

  /** @param {"normal" | "log" | "percent"} mode */
  setScale(mode) {
    const modes = {
      normal: PriceScaleMode.Normal,
      log: PriceScaleMode.Logarithmic,
      percent: PriceScaleMode.Percentage,
    };
    this.candles.priceScale().applyOptions({ mode: modes[mode] });
  }

  /**
   * Gives the volume its fixed height, and then says where its pane begins.
   * @param {(top: number) => void} onPlaced
   */
  layOut(onPlaced) {
    const [main, volume] = this.chart.panes();
    const isSmall = this.#root.clientHeight < 420 || this.#root.clientWidth < 600;
    volume?.setHeight(isSmall ? VOLUME_HEIGHT_SMALL : VOLUME_HEIGHT);
    // The library lays out with its own next frame.
    requestAnimationFrame(() => requestAnimationFrame(() => onPlaced(main?.getHeight() ?? 0)));
  }

  /** @param {(range: LogicalRange | null) => void} listener */
  onRange(listener) {
    this.chart.timeScale().subscribeVisibleLogicalRangeChange(listener);
  }

  /** @param {(time_s: number | null) => void} listener null when the pointer has left */
  onCrosshair(listener) {
    this.chart.subscribeCrosshairMove((/** @type {MouseEventParams<Time>} */ event) => {
      listener(event.time === undefined ? null : Number(event.time));
    });
  }

  /** Puts the crosshair on a bar, as the keyboard does. @param {Candle} bar */
  pointAt(bar) {
    this.chart.setCrosshairPosition(
      bar.close,
      /** @type {UTCTimestamp} */ (bar.time),
      this.candles,
    );
  }

  clearPointer() {
    this.chart.clearCrosshairPosition();
  }
}
