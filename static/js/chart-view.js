/**
 * The chart: bars, volume and overlay on the library's canvas. It is told what to show and
 * reports what the reader does; it fetches nothing. What else is drawn along with the bars, such
 * as indicators, joins as a layer.
 *
 * @import { UTCTimestamp, MouseEventParams, LogicalRange, Time, ISeriesApi, SeriesType } from "./library.js"
 */

import { BarTones } from "./bar-tones.js";
import { CANDLES } from "./candle-type.js";
import {
  chartColours,
  chartShape,
  crosshairTime,
  priceFormat,
  RIGHT_MARGIN_BARS,
  tickLabel,
  topMargin,
  VOLUME_SCALE,
  VOLUME_SHAPE,
} from "./chart-options.js";
import { intervalSeconds } from "./intervals.js";
import { Layers } from "./layers.js";
import { createChart, HistogramSeries, PriceScaleMode } from "./library.js";
import { Overlay } from "./overlay.js";
import { readPalette } from "./palette.js";
import { PaneHeights, wordsShare } from "./pane-heights.js";
import { VisibleRange } from "./visible-range.js";

/** @import { BarType, Candle, OverlayState, PanePlace, ScaleMode, Subject, View } from "./types.js" */

/** Redrawing costs in proportion to the bars; with many, a little less often is enough. */
const MANY_BARS = 5000;
const SLOW_REDRAW_MS = 200;
const MODES = {
  normal: PriceScaleMode.Normal,
  log: PriceScaleMode.Logarithmic,
  percent: PriceScaleMode.Percentage,
};

export class ChartView {
  #root;
  #tones;
  #range;
  /** @type {BarType} */
  #type = CANDLES;
  /** Bars as they are drawn, where they are not those of the store. */
  /** @type {((bars: readonly Candle[], from: number) => readonly Candle[]) | undefined} */
  #derive;
  /** @type {Subject | null} */
  #subject = null;
  /** What is drawn along with the bars. */
  layers = new Layers();
  /** The first bar that has to be drawn again, or -1. */
  #dirtyFrom = -1;
  #lastDrawMs = 0;
  #isScheduled = false;
  /** @type {OverlayState} */
  #state;

  /**
   * @param {HTMLElement} root
   * @param {() => number} now_s
   */
  constructor(root, now_s) {
    this.#root = root;
    const palette = readPalette(root);
    this.#tones = new BarTones(palette, now_s);
    this.#state = {
      palette,
      price: null,
      label: "",
      note: "",
      isStale: false,
      boundary: null,
      gap: null,
      watermark: "",
    };
    this.chart = createChart(root, chartShape());
    /** @type {ISeriesApi<SeriesType>} */
    this.main = this.chart.addSeries(this.#type.definition, this.#type.options(palette));
    this.volume = this.chart.addSeries(HistogramSeries, VOLUME_SHAPE, 1);
    this.volume.priceScale().applyOptions(VOLUME_SCALE);
    this.heights = new PaneHeights(this.chart, root);
    this.overlay = new Overlay(this.#state);
    this.main.attachPrimitive(this.overlay);
    this.ground = this.overlay.ground();
    this.volume.attachPrimitive(this.ground);
    this.#range = new VisibleRange(this.chart, root);
    this.onRange((range) => this.#rebase(range));
    this.#applyColours();
  }

  get palette() {
    return this.#tones.palette;
  }

  get subject() {
    return this.#subject;
  }

  /** Shows other bars. @param {Subject} subject @param {View | null} [view] null follows the newest */
  show(subject, view = null) {
    this.#subject = subject;
    const step_s = intervalSeconds(subject.interval);
    this.main.applyOptions({ priceFormat: priceFormat(subject.decimals) });
    this.relabel();
    this.#draw(subject);
    if (view) this.#range.show(subject.store.all, step_s, view);
    else this.#range.showNewest();
    this.main.priceScale().setAutoScale(true);
  }

  /** Another interval, or another time zone. */
  relabel() {
    if (!this.#subject) return;
    const step_s = intervalSeconds(this.#subject.interval);
    this.chart.applyOptions({
      localization: { timeFormatter: crosshairTime(step_s) },
      timeScale: { secondsVisible: step_s < 60, tickMarkFormatter: tickLabel(step_s) },
    });
  }

  /** What the reader sees, in time. @returns {View | null} */
  view() {
    if (!this.#subject) return null;
    return this.#range.current(this.#shown(), intervalSeconds(this.#subject.interval));
  }

  /** Draws bars of another kind. @param {BarType} type */
  setType(type) {
    const old = this.main;
    old.detachPrimitive(this.overlay);
    this.#type = type;
    this.#derive = type.derivation?.();
    this.main = this.chart.addSeries(type.definition, type.options(this.palette), 0);
    this.main.setSeriesOrder(0);
    this.main.attachPrimitive(this.overlay);
    this.chart.removeSeries(old);
    if (!this.#subject) return;
    this.main.applyOptions({ priceFormat: priceFormat(this.#subject.decimals) });
    this.#draw(this.#subject);
    this.#rebase(this.chart.timeScale().getVisibleLogicalRange());
  }

  /** Sets every bar anew; what is in sight stays. @param {Set<number>} [revised] times of bars that flash */
  redrawAll(revised) {
    if (!this.#subject) return;
    const { store, interval } = this.#subject;
    const step_s = intervalSeconds(interval);
    const view = this.#range.inSight(this.#shown(), step_s);
    if (revised) this.#tones.flash(revised, () => this.redrawAll());
    this.#draw(this.#subject);
    if (view) this.#range.hold(store.all, step_s, view);
  }

  /** @param {Subject} subject */
  #draw(subject) {
    const bars = subject.store.all;
    this.main.setData(this.#drawn(bars, 0).map((bar) => this.#item(bar)));
    this.volume.setData(bars.map((bar) => this.#volumeItem(bar)));
    this.layers.draw(subject, 0);
    this.#dirtyFrom = -1;
    this.#placeOverlay();
  }

  /**
   * @param {readonly Candle[]} bars
   * @param {number} from the first one that has changed
   */
  #drawn(bars, from) {
    return this.#derive ? this.#derive(bars, from) : bars;
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
    this.#update(subject);
  }

  /** @param {Subject} subject */
  #update(subject) {
    const bars = subject.store.all;
    const from = this.#dirtyFrom;
    const drawn = this.main.data();
    const lastDrawn = /** @type {number | undefined} */ (drawn.at(-1)?.time);
    // The library only takes new bars at the end.
    if (bars[drawn.length - 1]?.time !== lastDrawn) return this.redrawAll();
    const shown = this.#drawn(bars, from);
    for (let index = from; index < bars.length; index++) {
      const isOld = lastDrawn !== undefined && bars[index].time < lastDrawn;
      this.main.update(this.#item(shown[index]), isOld);
      this.volume.update(this.#volumeItem(bars[index]), isOld);
    }
    this.layers.draw(subject, from);
    this.#dirtyFrom = -1;
    this.#placeOverlay();
  }

  /** The bars that are drawn now. */
  #shown() {
    return /** @type {readonly {time: number}[]} */ (this.main.data());
  }

  /** @param {Candle} bar */
  #item(bar) {
    return this.#type.item(bar, this.#tone(bar), this.palette);
  }

  /** @param {Candle} bar */
  #volumeItem(bar) {
    const time = /** @type {UTCTimestamp} */ (bar.time);
    return { time, value: bar.volume, color: this.#tone(bar).volume };
  }

  /** @param {Candle} bar */
  #tone(bar) {
    return this.#tones.of(bar, /** @type {Subject} */ (this.#subject).interval);
  }

  #placeOverlay() {
    const store = this.#subject?.store;
    const boundary = store ? store.all.findIndex((bar) => !bar.final) : -1;
    this.annotate({
      price: store?.last?.close ?? null,
      boundary: boundary > 0 ? boundary : null,
    });
  }

  /** The overlay's words; only what is named changes. @param {Partial<OverlayState>} change */
  annotate(change) {
    const names = /** @type {(keyof OverlayState)[]} */ (Object.keys(change));
    if (names.every((name) => this.#state[name] === change[name])) return;
    Object.assign(this.#state, change);
    this.overlay.redraw();
    if ("gap" in change) this.ground.redraw();
  }

  /** After a change of theme or palette. */
  recolour() {
    this.#tones.palette = readPalette(this.#root);
    this.#state.palette = this.palette;
    this.#applyColours();
    this.layers.recolour();
    this.redrawAll();
  }

  #applyColours() {
    this.chart.applyOptions(chartColours(this.palette));
    this.main.applyOptions(this.#type.options(this.palette));
  }

  /** @param {ScaleMode} mode */
  setScale(mode) {
    this.main.priceScale().applyOptions({ mode: MODES[mode] });
  }

  /**
   * Keeps bars and volume clear of the words at the top of their panes.
   * @param {number} height of the words over the bars
   * @param {PanePlace | undefined} volume
   * @param {number} [foot] height of words below the bars
   */
  clearTops(height, volume, foot = 0) {
    const pane = this.chart.panes()[0]?.getHeight() ?? 0;
    const bottom = pane ? Math.max(0.08, Math.min(0.3, foot / pane)) : 0.08;
    const bars = { top: topMargin(height, pane), bottom };
    this.main.priceScale().applyOptions({ scaleMargins: bars });
    const scaleMargins = { top: wordsShare(volume), bottom: 0 };
    this.volume.priceScale().applyOptions({ scaleMargins });
  }

  /** Room right of the newest bar, for who follows it. @param {number} [bars] */
  keepFree(bars = RIGHT_MARGIN_BARS) {
    if (this.view()?.to === null) this.chart.timeScale().applyOptions({ rightOffset: bars });
  }

  /** What of the bars depends on which are in sight. @param {LogicalRange | null} range */
  #rebase(range) {
    const bar = this.#subject?.store.all[Math.max(0, Math.ceil(range?.from ?? 0))];
    if (bar && this.#type.base) this.main.applyOptions(this.#type.base(bar));
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
    this.chart.setCrosshairPosition(bar.close, /** @type {UTCTimestamp} */ (bar.time), this.main);
  }

  clearPointer() {
    this.chart.clearCrosshairPosition();
  }
}
