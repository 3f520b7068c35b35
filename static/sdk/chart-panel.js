/**
 * What `<appliance-chart>` shows: head, legend, bars, states, and the foot with the stream's state
 * and the attribution that the chart library's licence asks for. It fetches nothing.
 */

import { ChartView } from "../js/chart-view.js";
import { element, setText } from "../js/element.js";
import { bucketEnd } from "../js/intervals.js";
import { Legend } from "../js/legend.js";
import { formatPercent, formatPrice } from "../js/numbers.js";
import { percentTone, showPrice } from "../js/price.js";
import { formatCountdown } from "../js/times.js";
import { chartSheet } from "./chart-style.js";

/** @import { Candle, Connection, Subject } from "../js/types.js" */
/** @import { PanelOptions, PanelState } from "./parts.js" */

const NOTICE =
  "TradingView Lightweight Charts™, Copyright (c) 2025 TradingView, Inc. https://www.tradingview.com/";
const VOLUME_SHARE = 0.22;
const TALLEST_VOLUME = 104;

export class ChartPanel {
  #symbol = element("b", "symbol");
  #price = element("span", "price");
  #change = element("span", "change");
  #interval = element("span", "interval");
  #legendRow = element("p", "legend");
  #canvas = element("div", "canvas");
  #state = element("div", "state");
  #status = element("span", "status");
  #announcer = element("p", "visually-hidden");
  #frame = element("div", "frame");
  #probe = element("i", "probe");
  #legend;
  #view;
  #watcher;
  #now_s;
  /** @type {Subject | null} */
  #subject = null;
  /** The bar under the crosshair. */
  /** @type {number | null} */
  #pointed = null;
  #isStale = false;
  #isScheduled = false;

  /** @param {PanelOptions} options */
  constructor({ root, now_s, onRange }) {
    this.#now_s = now_s;
    root.adoptedStyleSheets = [chartSheet()];
    root.replaceChildren(this.#frame);
    this.#build();
    this.#canvas.tabIndex = 0;
    this.#canvas.role = "application";
    this.#announcer.ariaLive = "polite";
    this.#state.role = "status";
    const [words, volume] = [element("span", "words"), element("span", "words")];
    this.#legend = new Legend(words, volume);
    this.#legendRow.append(words, volume);
    this.#view = new ChartView(this.#canvas, now_s);
    this.#view.onRange(onRange);
    this.#view.onCrosshair((time_s) => this.#point(time_s));
    this.#watcher = new ResizeObserver(() => this.#layOut());
    this.#watcher.observe(this.#canvas);
    // Colours may change with the page around us; a change of a real property is an event.
    this.#probe.addEventListener("transitionrun", () => this.recolour());
  }

  #build() {
    const link = element("a", "", "Charts by TradingView");
    Object.assign(link, { href: "https://www.tradingview.com/", target: "_blank" });
    Object.assign(link, { rel: "noopener noreferrer", title: NOTICE });
    const head = element("p", "head", this.#symbol, this.#price, this.#change, this.#interval);
    const body = element("div", "body", this.#canvas, this.#state);
    const foot = element("p", "foot", link, this.#status);
    this.#frame.append(head, this.#legendRow, body, foot, this.#probe, this.#announcer);
  }

  /** Where the keyboard walks the bars. */
  get canvas() {
    return this.#canvas;
  }

  get chart() {
    return this.#view.chart;
  }

  /** @param {string} symbol @param {string} interval */
  showPlace(symbol, interval) {
    setText(this.#symbol, symbol);
    setText(this.#interval, interval);
    this.#canvas.ariaLabel = `Bars of ${symbol}, ${interval}. Arrow keys walk them.`;
    this.#price.replaceChildren();
    this.#change.replaceChildren();
    this.#pointed = null;
    this.#subject = null;
  }

  /** @param {number | undefined} percent of the last 24 hours */
  showChange(percent) {
    setText(this.#change, percent === undefined ? "" : formatPercent(percent));
    this.#change.className = `change ${percentTone(percent)}`;
  }

  /** Other bars than before. @param {Subject} subject */
  show(subject) {
    this.#subject = subject;
    this.#view.show(subject);
    this.#changed();
  }

  /** @param {number} index of the first bar that is another now */
  touch(index) {
    this.#view.touch(Math.max(0, index - 1));
    this.#changed();
  }

  /** @param {Set<number>} [revised] */
  redraw(revised) {
    this.#view.redrawAll(revised);
    this.#changed();
  }

  /** The words follow with the next frame. */
  #changed() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      this.#showWords();
    });
  }

  #showWords() {
    const { store, decimals } = this.#subject ?? {};
    if (!store?.last || decimals === undefined) return;
    showPrice(this.#price, store.last.close, decimals);
    this.#view.annotate({ label: formatPrice(store.last.close, decimals) });
    this.#showLegend();
  }

  #showLegend() {
    if (!this.#subject) return;
    const bar = this.#bar(this.#subject);
    if (bar) this.#legend.show(this.#subject, bar, this.#now_s());
  }

  /** @param {Subject} subject */
  #bar({ store }) {
    const pointed = this.#pointed === null ? undefined : store.at(this.#pointed);
    return pointed ?? store.last;
  }

  /** @param {number | null} time_s */
  #point(time_s) {
    this.#pointed = time_s;
    this.#showLegend();
  }

  /** The keyboard's crosshair. @param {Candle} bar */
  pointAt(bar) {
    this.#view.pointAt(bar);
    this.#point(bar.time);
    setText(this.#announcer, this.#legend.sentence());
  }

  /** Each second: the bar's countdown, and whether it has just closed. */
  tick() {
    const last = this.#subject?.store.last;
    if (!last || !this.#subject) return;
    const { interval, store } = this.#subject;
    const left = bucketEnd(interval, last.time) - this.#now_s();
    this.#view.annotate({ note: this.#isStale ? "no data" : formatCountdown(left) });
    if (left <= 0 && left > -2) this.touch(store.length - 1);
  }

  /** @param {Connection} connection @param {boolean} isDemo */
  showConnection({ kind, word, detail }, isDemo) {
    this.#status.dataset.kind = kind;
    const text = [word, detail].filter(Boolean).join(" ");
    if (this.#status.textContent !== text) {
      this.#status.replaceChildren(element("b", "", word), detail ? ` ${detail}` : "");
    }
    this.#isStale = kind === "stale";
    this.#view.annotate({ isStale: this.#isStale, watermark: isDemo ? "demo data" : "" });
  }

  /** What stands in the place of bars; null while there are some. @param {PanelState | null} state */
  showState(state) {
    this.#state.hidden = state === null;
    this.#frame.dataset.state = state?.kind ?? "ready";
    if (!state) return;
    this.#state.dataset.kind = state.kind;
    const more = state.retry && element("button", "", "Try again");
    more?.addEventListener("click", () => state.retry?.());
    const fact = element("p", "", state.fact);
    this.#state.replaceChildren(element("div", "", element("b", "title", state.title), fact, more));
  }

  recolour() {
    this.#view.recolour();
  }

  #layOut() {
    const { clientHeight } = this.#canvas;
    const height = Math.min(TALLEST_VOLUME, Math.round(clientHeight * VOLUME_SHARE));
    this.chart.panes()[1]?.setHeight(height);
  }

  close() {
    this.#watcher.disconnect();
    this.chart.remove();
  }
}
