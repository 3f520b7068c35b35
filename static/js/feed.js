/**
 * The bars of one market and interval: first page, older pages, live updates, and what was
 * missed while away. Holds no element; the chart is told through the callbacks.
 */

import { CandleStore } from "./candles.js";
import { bucketStart, intervalSeconds } from "./intervals.js";
import { compactSymbol } from "./protocol.js";

/** @import { Candle, CandleEvent, FeedOptions, Place, ResetEvent } from "./types.js" */

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
  /** What was revised and is not read again yet. */
  /** @type {{from: number, to: number} | null} */
  #stale = null;
  #isRevising = false;
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
    store.endBackfill(-Infinity, candles);
    this.#store = store;
    this.#coming = null;
    this.#olderTo = olderTo;
    void this.#readStale();
    return true;
  }

  /** @param {Place} place */
  #isOurs({ symbol, interval }) {
    return symbol === compactSymbol(this.symbol) && interval === this.interval;
  }

  /** @param {CandleEvent} event */
  receive(event) {
    if (!this.#isOurs(event) || this.#isPaused) return;
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

  async resume() {
    this.#isPaused = false;
    await this.catchUp();
    await this.#readStale();
  }

  /** Reads bars anew that were revised; what is gone goes. @param {ResetEvent} event */
  revise(event) {
    if (!this.#isOurs(event)) return;
    const { from, to } = this.#stale ?? event;
    this.#stale = { from: Math.min(from, event.from), to: Math.max(to, event.to) };
    return this.#readStale();
  }

  async #readStale() {
    if (this.#isRevising) return;
    this.#isRevising = true;
    try {
      while (this.#stale && !this.#isPaused && !this.#coming) {
        const stale = this.#stale;
        const from = Math.max(stale.from, this.#store.first?.time ?? 0);
        if (from < stale.to) await this.catchUp(from, stale.to);
        if (stale === this.#stale) this.#stale = null;
      }
    } catch {
      // The next revision or return of the stream asks again.
    } finally {
      this.#isRevising = false;
    }
  }

  /** Reads all bars anew that are held: history itself is still being written. */
  reread() {
    return this.catchUp(this.#store.first?.time ?? 0);
  }

  /**
   * Asks for what was missed: everything that was not closed and final when we last knew, or
   * what was revised. Of all that we hold the answer replaces what it spans.
   * @param {number} [from]
   * @param {number} [to] all that is newer stays as it is
   */
  async catchUp(from = this.#firstUnsure(), to) {
    if (this.#coming || !this.symbol) return;
    const choice = this.#choice;
    const store = this.#store;
    const known = to ? store.between(from, to) : null;
    store.beginBackfill();
    try {
      const { candles, olderTo } = await this.#readBack(from, to);
      if (choice !== this.#choice) return;
      const oldest = Math.max(candles[0]?.time ?? from, store.first?.time ?? from);
      const isWhole = olderTo === null || olderTo <= from;
      if (!isWhole) this.#olderTo = olderTo;
      store.endBackfill(isWhole ? Math.min(from, oldest) : -Infinity, candles, to);
      this.#options.onReset(known && store.changedSince(known));
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
    this.#stale = null;
    return ++this.#choice;
  }

  #firstUnsure() {
    const bars = this.#store.all;
    const provisional = bars.find((candle) => !candle.final)?.time ?? Infinity;
    return Math.min(provisional, bars.at(-2)?.time ?? bars.at(-1)?.time ?? 0);
  }

  /**
   * Pages backwards from `until_s` until `from_s` is covered, the past ends, or it gets too long.
   * @param {number} from_s
   * @param {number | null} [until_s] null means now
   */
  async #readBack(from_s, until_s = null) {
    /** @type {Candle[]} */
    let candles = [];
    let to = until_s;
    const most = to ? MOST_BARS : LONGEST_GAP_BARS;
    const limit = to ? Math.min(PAGE, Math.ceil((to - from_s) / this.step_s) + 1) : PAGE;
    do {
      const page = await this.#fetchPage(to, limit);
      candles = [...page.candles, ...candles];
      to = page.olderTo;
    } while (to !== null && candles.length < most && to > bucketStart(this.interval, from_s));
    return { candles, olderTo: to };
  }

  /**
   * @param {number | null} to null means now
   * @param {number} [limit]
   */
  #fetchPage(to, limit = PAGE) {
    const { symbol, interval } = this;
    return this.#options.api.fetchCandles({ symbol, interval, limit, ...(to !== null && { to }) });
  }
}
