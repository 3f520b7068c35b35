/** The words of an embedded chart: market, price, change, and the legend. */

import { byId, setText } from "./element.js";
import { bucketEnd, bucketStart } from "./intervals.js";
import { Legend } from "./legend.js";
import { formatPercent, formatPrice } from "./numbers.js";
import { percentTone, showPrice } from "./price.js";
import { formatCountdown } from "./times.js";

/** @import { ChartView } from "./chart-view.js" */

/** @import { Session } from "./session.js" */

/** @import { Connection, FiguresPanel, Market, Place } from "./types.js" */

/** The credit stands below the bars. */
const CREDIT_ROOM = 32;

/** @implements {FiguresPanel} */
export class EmbedFigures {
  #session;
  #chart;
  #now_s;
  #root = byId("chart");
  #legend = new Legend(byId("legend"), byId("legend-volume"));
  /** @type {number | null} */
  #pointed = null;
  #isScheduled = false;
  #isStale = false;

  /** @param {{session: Session, chart: ChartView, now_s: () => number}} parts */
  constructor({ session, chart, now_s }) {
    this.#session = session;
    this.#chart = chart;
    this.#now_s = now_s;
  }

  /**
   * @param {Place} place
   * @param {Market | undefined} _market
   */
  showPlace({ symbol, interval }, _market) {
    Object.assign(this.#root.dataset, { symbol, interval });
    setText(byId("embed-symbol"), symbol);
    setText(byId("embed-interval"), interval);
  }

  show() {
    const { market, subject } = this.#session;
    const price = market?.current_price ?? subject.store.last?.close;
    showPrice(byId("price"), price, subject.decimals);
    const percent = market?.price_change_percent_24h;
    const change = byId("change");
    setText(change, percent === undefined ? "" : formatPercent(percent));
    change.className = `change ${percentTone(percent)}`;
    if (price !== undefined) this.#chart.annotate({ label: formatPrice(price, subject.decimals) });
  }

  barsChanged() {
    const { store } = this.#session.feed;
    this.#root.dataset.bars = String(store.length);
    this.#root.dataset.lastTime = String(store.last?.time ?? "");
    this.#root.dataset.lastClose = String(store.last?.close ?? "");
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      this.show();
      this.#showLegend();
    });
  }

  #showLegend() {
    const { subject } = this.#session;
    const pointed = this.#pointed === null ? undefined : subject.store.at(this.#pointed);
    const bar = pointed ?? subject.store.last;
    if (bar) this.#legend.show(subject, bar, this.#now_s());
  }

  /** @param {number | null} time_s */
  point(time_s) {
    if (time_s === this.#pointed) return;
    this.#pointed = time_s;
    this.#showLegend();
  }

  tick() {
    const { interval, symbol } = this.#session.feed;
    if (!symbol) return;
    const now = this.#now_s();
    const left = bucketEnd(interval, bucketStart(interval, now)) - now;
    this.#chart.annotate({ note: this.#isStale ? "no data" : formatCountdown(left) });
    if (this.#pointed === null) this.#showLegend();
  }

  /**
   * @param {Connection} connection
   * @param {number} _lostFor_s
   */
  showConnection({ kind, word, detail }, _lostFor_s) {
    this.#root.dataset.connection = kind === "demo" ? "live" : kind;
    this.#isStale = kind === "stale";
    this.#chart.annotate({ isStale: this.#isStale, watermark: kind === "demo" ? "demo data" : "" });
    setText(
      byId("embed-state"),
      kind === "live" || kind === "demo" ? "" : `${word} ${detail}`.trim(),
    );
  }

  layOut() {
    this.#chart.heights.layOut((panes) => {
      const place = panes[this.#chart.volume.getPane().paneIndex()];
      this.#legend.placeVolume(place?.top ?? 0);
      byId("credit").style.setProperty("--volume-top", `${place?.top ?? 0}px`);
      this.#chart.clearTops(this.#legend.bottom, place, CREDIT_ROOM);
    });
  }
}
