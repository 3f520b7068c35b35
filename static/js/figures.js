/**
 * The numbers around the chart, shown at most once per frame: head, legend, needle, title, the
 * selected market's own row, and the chart element's data attributes.
 */

import { certainty } from "./candles.js";
import { byId, setText } from "./element.js";
import { Head } from "./head.js";
import { Legend } from "./legend.js";
import { formatPrice } from "./numbers.js";
import { formatClock, formatCountdown, formatMoment, zoneName } from "./times.js";

/** @import { FiguresParts, Market, Place, Silence } from "./types.js" */

const NAME = "Chart appliance";
/** Room to say that what follows is not read yet. */
const UNREAD_BARS = 25;

export class Figures {
  #parts;
  #root = byId("chart");
  #clockNode = byId("clock");
  #legend = new Legend(byId("legend"), byId("legend-volume"));
  #head = new Head();
  /** The bar under the crosshair. */
  /** @type {number | null} */
  #pointed = null;
  #isScheduled = false;
  #lastCertainty = "";
  /** Why nothing new comes, and since when; null while it does. */
  /** @type {Silence | null} */
  #silence = null;
  /** @type {(price: number, market: Market | undefined) => void} */
  onPrice = () => {};

  /** @param {FiguresParts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  /**
   * @param {Place} place
   * @param {Market | undefined} market
   */
  showPlace({ symbol, interval }, market) {
    this.#root.dataset.symbol = symbol;
    this.#root.dataset.interval = interval;
    this.#pointed = null;
    byId("picker-symbol").textContent = symbol || "No market";
    byId("picker-name").textContent = describe(market, symbol);
  }

  /** Everything that follows the last price. */
  show() {
    const { session, list, chart } = this.#parts;
    const { market, subject } = session;
    if (market) {
      this.#head.show(market, subject.decimals, this.#silence?.kind === "syncing");
      list.refresh(market);
    }
    this.#head.setAge(this.#age());
    const price = market?.current_price ?? subject.store.last?.close;
    if (price === undefined) return;
    const label = formatPrice(price, subject.decimals);
    chart.annotate({ label });
    document.title = `${label} ${session.feed.symbol} · ${NAME}`;
    this.onPrice(price, market);
  }

  #age() {
    return this.#silence ? formatMoment(this.#silence.since_s, this.#parts.now_s()) : "";
  }

  /** Bars have changed; the numbers follow with the next frame. */
  barsChanged() {
    this.#describeBars();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      this.show();
      this.#showLegend();
    });
  }

  #describeBars() {
    const { store } = this.#parts.session.feed;
    this.#root.dataset.bars = String(store.length);
    this.#root.dataset.lastTime = String(store.last?.time ?? "");
    this.#root.dataset.lastClose = String(store.last?.close ?? "");
  }

  #showLegend() {
    const { subject } = this.#parts.session;
    const pointed = this.#pointed === null ? undefined : subject.store.at(this.#pointed);
    const bar = pointed ?? subject.store.last;
    if (bar) this.#legend.show(subject, bar, this.#parts.now_s());
  }

  /** @param {number | null} time_s of the bar under the crosshair */
  point(time_s) {
    if (time_s === this.#pointed) return;
    this.#pointed = time_s;
    this.#showLegend();
    this.#parts.chart.layers.point(time_s);
  }

  sentence() {
    return this.#legend.sentence();
  }

  /** Each second: clocks, countdown, and a bar that has just closed. */
  tick() {
    const { session, chart, clock, now_s } = this.#parts;
    const now = now_s();
    setText(this.#clockNode, `${formatClock(now)} ${zoneName(now)}`);
    if (!session.feed.symbol) return;
    const left = clock.tick(session.feed.interval, now);
    chart.annotate({ note: this.#silence ? "no data" : formatCountdown(left) });
    this.#noticeClosing(now);
  }

  /** A bar closes by the clock, even when no message says so. @param {number} now_s */
  #noticeClosing(now_s) {
    const { session, chart } = this.#parts;
    const { store, interval } = session.feed;
    if (!store.last) return;
    const state = `${store.last.time} ${certainty(store.last, interval, now_s)}`;
    if (state === this.#lastCertainty) return;
    this.#lastCertainty = state;
    chart.touch(store.length - 1);
    this.#showLegend();
  }

  /**
   * Nothing new comes: old values carry their age, and time without data is hatched.
   * @param {Silence["kind"] | null} kind null while data is fresh
   * @param {number} [since_s] default: the last bar's time
   */
  setSilence(kind, since_s) {
    const { chart, session } = this.#parts;
    const { store, symbol } = session.feed;
    const since = since_s ?? store.last?.time ?? this.#parts.now_s();
    if ((kind === "syncing") !== (this.#silence?.kind === "syncing")) {
      chart.keepFree(kind === "syncing" ? UNREAD_BARS : undefined);
    }
    this.#silence = kind && { kind, since_s: since };
    chart.annotate({ isStale: kind === "stale", gap: symbol ? this.#gap() : null });
    if (!symbol) return;
    this.show();
    if (kind) chart.annotate({ note: "no data" });
  }

  /** From the last bar to now there is time without data. */
  #gap() {
    const { store, step_s } = this.#parts.session.feed;
    if (!this.#silence || !store.last) return null;
    const from = store.length - 0.5;
    if (this.#silence.kind === "syncing") return { from, to: null, words: "not read yet" };
    return { from, to: from + Math.max(1, (this.#parts.now_s() - store.last.time) / step_s - 1) };
  }

  /** Gives panes their heights and puts the words where they are. */
  layOut() {
    const { chart } = this.#parts;
    chart.heights.layOut((panes) => {
      const place = panes[chart.volume.getPane().paneIndex()];
      this.#legend.placeVolume(place?.top ?? 0);
      chart.clearTops(this.#legend.bottom, place);
      chart.layers.placed(panes);
    });
  }
}

/**
 * @param {Market | undefined} market
 * @param {string} symbol
 */
function describe(market, symbol) {
  const name = market?.name ?? "";
  const quote = market?.quote;
  if (symbol.includes("/") || !quote) return name === symbol ? "" : name;
  return name ? `${name} / ${quote}` : `/ ${quote}`;
}
