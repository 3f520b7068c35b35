/**
 * The bars of one market and interval: first page, older pages, live updates, and what was
 * missed while away. Holds no element; the chart is told through the callbacks.
 */

import { CandleStore } from "./candles.js";
import { bucketStart, intervalSeconds } from "./intervals.js";
import { compactSymbol } from "./protocol.js";

/** @import { Candle, CandleEvent, FeedOptions } from "./types.js" */

const PAGE = 1000;
/** Above this a chart redraws too slowly for live bars; history ends here. */
const MOST_BARS = 20_000;
/** A gap longer than this is read anew rather than stitched. */
const LONGEST_GAP_BARS = 5000;

export class Feed {
  #options;
  #store = new CandleStore();
  /** @type {CandleStore | null} */
  #coming = null;
  /** @type {number | null} */
  #olderTo = null;
  #isFetchingOlder = false;
  #isPaused = false;
  /** Answers that belong to an earlier choice are dropped. */
  #choice = 0;
  symbol = "";
  interval = "";

  /** @param {FeedOptions} options */
  constructor(options) {
    this.#options = options;
  }

  get store() {
    return this.#store;
  }

  get step_s() {
    return intervalSeconds(this.interval);
  }

  /**
   * Takes what the page came with.
   * @param {string} symbol
   * @param {string} interval
   * @param {Candle[]} candles
   */
  adopt(symbol, interval, candles) {
    this.#choose(symbol, interval);
    this.#store.replaceAll(candles);
    this.#olderTo = candles[0]?.time ?? null;
  }

  /**
   * Loads another market or interval, at least back to `from_s` when that is affordable.
   * Resolves to false when the reader has chosen something else meanwhile.
   * @param {string} symbol
   * @param {string} interval
   * @param {number} from_s
   */
  async open(symbol, interval, from_s) {
    const choice = this.#choose(symbol, interval);
    // Nobody may take the old market's bars for the new one's meanwhile.
    this.#store = new CandleStore();
    const store = new CandleStore();
    store.beginBackfill();
    this.#coming = store;
    const answer = await this.#readBack(from_s).catch((error) => {
      // Nobody waits for it any more.
      if (choice === this.#choice) throw error;
    });
    if (!answer || choice !== this.#choice) return false;
    const { candles, olderTo } = answer;
    store.endBackfill(Number.NEGATIVE_INFINITY, candles);
    this.#store = store;
    this.#coming = null;
    this.#olderTo = olderTo;
    return true;
  }

  /** @param {CandleEvent} event */
  receive(event) {
    const ours = event.symbol === compactSymbol(this.symbol) && event.interval === this.interval;
    if (!ours || this.#isPaused) return;
    const index = (this.#coming ?? this.#store).merge(event.candle);
    if (!this.#coming && index >= 0) this.#options.onBar(index);
  }

  /** Reads the page before the first bar. Resolves to the number of bars it brought. */
  async older() {
    if (this.#isFetchingOlder || this.#coming || this.#olderTo === null) return 0;
    if (this.#store.length >= MOST_BARS) return 0;
    const choice = this.#choice;
    this.#isFetchingOlder = true;
    try {
      const page = await this.#fetchPage(this.#olderTo);
      if (choice !== this.#choice) return 0;
      this.#olderTo = page.olderTo;
      const added = this.#store.prepend(page.candles);
      if (added) this.#options.onReset();
      return added;
    } finally {
      this.#isFetchingOlder = false;
    }
  }

  /** Nothing is drawn for a reader who does not look. */
  pause() {
    this.#isPaused = true;
  }

  resume() {
    this.#isPaused = false;
    return this.catchUp();
  }

  /** Reads all bars anew that are held: history itself is still being written. */
  reread() {
    return this.catchUp(this.#store.first?.time ?? 0);
  }

  /**
   * Asks for what was missed: everything that was not closed and final when we last knew.
   * @param {number} [from]
   */
  async catchUp(from = this.#firstUnsure()) {
    if (this.#coming || !this.symbol) return;
    const choice = this.#choice;
    const store = this.#store;
    store.beginBackfill();
    try {
      const { candles, olderTo } = await this.#readBack(from);
      if (choice !== this.#choice) return;
      const isWhole = (candles[0]?.time ?? Number.POSITIVE_INFINITY) <= from || olderTo === null;
      if (!isWhole) this.#olderTo = olderTo;
      store.endBackfill(isWhole ? from : Number.NEGATIVE_INFINITY, candles);
      this.#options.onReset();
    } catch (error) {
      store.cancelBackfill();
      throw error;
    }
  }

  /**
   * @param {string} symbol
   * @param {string} interval
   */
  #choose(symbol, interval) {
    this.symbol = symbol;
    this.interval = interval;
    this.#olderTo = null;
    this.#isFetchingOlder = false;
    return ++this.#choice;
  }

  #firstUnsure() {
    const bars = this.#store.all;
    const provisional = bars.find((candle) => !candle.final)?.time ?? Number.POSITIVE_INFINITY;
    return Math.min(provisional, bars.at(-2)?.time ?? bars.at(-1)?.time ?? 0);
  }

  /**
   * Pages backwards from now until `from_s` is covered, the past ends, or it gets too long.
   * @param {number} from_s
   */
  async #readBack(from_s) {
    /** @type {Candle[]} */
    let candles = [];
    /** @type {number | null} */
    let to = null;
    do {
      const page = await this.#fetchPage(to);
      candles = [...page.candles, ...candles];
      to = page.olderTo;
    } while (to !== null && candles.length < LONGEST_GAP_BARS && to > this.#bucket(from_s));
    return { candles, olderTo: to };
  }

  /** @param {number} time_s */
  #bucket(time_s) {
    return bucketStart(this.interval, time_s);
  }

  /** @param {number | null} to null means now */
  #fetchPage(to) {
    const { symbol, interval } = this;
    return this.#options.api.fetchCandles({
      symbol,
      interval,
      limit: PAGE,
      ...(to !== null && { to }),
    });
  }
}
