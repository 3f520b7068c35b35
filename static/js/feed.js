/**
 * The bars of one market and interval: first page, older pages, live updates, and what was
 * missed while away. Holds no element; the chart is told through the callbacks.
 */

import { backoffDelay, scheduleTimeout } from "./backoff.js";
import { CandleStore } from "./candles.js";
import { bucketStart, intervalSeconds } from "./intervals.js";
import { compactSymbol } from "./protocol.js";

/** @import { Candle, CandleEvent, FeedOptions, Place, ResetEvent } from "./types.js" */

const PAGE = 1000;
/** Pages grow with what is held, so that far back is not a hundred requests away. */
const LARGEST_PAGE = 10_000;
/** Half a year of minutes. Above this a chart redraws too slowly for live bars; history ends here. */
const MOST_BARS = 300_000;
/** A gap longer than this is read anew rather than stitched. */
const LONGEST_GAP_BARS = 5000;
/** How many new bars a loss brings as a rule; of more the rest is asked for. */
const FEW = 10;

export class Feed {
  #options;
  #store = new CandleStore();
  /** @type {CandleStore | null} */
  #coming = null;
  /** @type {number | null} */
  #olderTo = null;
  #isFetchingOlder = false;
  #isPaused = false;
  /** What was missed or revised and is not read again yet; without end it reaches up to now. */
  /** @type {{from: number, to: number} | null} */
  #stale = null;
  #isRevising = false;
  #missedWhileLoading = false;
  #failures = 0;
  #cancelRetry = () => {};
  /** Answers that belong to an earlier choice are dropped. */
  #choice = 0;
  symbol = "";
  interval = "";

  /** @param {FeedOptions} options */
  constructor(options) {
    this.#options = options;
  }

  get #largestPage() {
    return Math.min(LARGEST_PAGE, this.#options.mostInPage?.() ?? PAGE);
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
    const unsure = firstUnsure(candles);
    store.endBackfill(-Infinity, candles);
    this.#store = store;
    this.#coming = null;
    this.#olderTo = olderTo;
    // Whether the answer was made before or after the stream began cannot be known.
    void this.#doubt(this.#missedWhileLoading ? { from: unsure, to: Infinity } : null);
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
      const size = Math.max(PAGE, Math.min(this.#store.length, this.#largestPage));
      const page = await this.#fetchPage(this.#olderTo, size);
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

  /** Reads anew what was not closed and final when we last heard of it, and what followed. */
  catchUp() {
    return this.#doubtFrom(firstUnsure(this.#store.all));
  }

  /** Reads all bars anew that are held: any of them may have been revised. */
  reread() {
    return this.#doubtFrom(this.#store.first?.time ?? 0);
  }

  /** @param {number} from */
  async #doubtFrom(from) {
    if (!this.symbol) return;
    if (this.#coming) this.#missedWhileLoading = true;
    else await this.#doubt({ from, to: Infinity });
  }

  /** Reads bars anew that were revised; what is gone goes. @param {ResetEvent} event */
  revise(event) {
    if (this.#isOurs(event)) return this.#doubt(event);
  }

  /** @param {{from: number, to: number} | null} range */
  #doubt(range) {
    if (range) {
      const { from, to } = this.#stale ?? range;
      this.#stale = { from: Math.min(from, range.from), to: Math.max(to, range.to) };
    }
    return this.#readStale();
  }

  async #readStale() {
    if (this.#isRevising) return;
    this.#isRevising = true;
    this.#cancelRetry();
    try {
      while (this.#stale && !this.#isPaused && !this.#coming) {
        const stale = this.#stale;
        const from = Math.max(stale.from, this.#store.first?.time ?? 0);
        if (from < stale.to) await this.#readAnew(from, stale.to);
        if (stale === this.#stale) this.#stale = null;
        this.#failures = 0;
      }
    } catch {
      const schedule = this.#options.schedule ?? scheduleTimeout;
      this.#cancelRetry = schedule(() => this.#readStale(), backoffDelay(this.#failures++));
    } finally {
      this.#isRevising = false;
    }
  }

  /**
   * Reads bars anew. Of all that we hold the answer replaces what it spans.
   * @param {number} from
   * @param {number} to all that is newer stays as it is
   */
  async #readAnew(from, to) {
    const choice = this.#choice;
    const store = this.#store;
    const known = store.between(from, to);
    const isOpen = to === Infinity;
    store.beginBackfill();
    try {
      const { candles, olderTo } = await this.#readBack(from, isOpen ? null : to, known.length);
      if (choice !== this.#choice) return;
      const oldest = Math.max(candles[0]?.time ?? from, store.first?.time ?? from);
      const isWhole = olderTo === null || olderTo <= from;
      if (!isWhole) this.#olderTo = olderTo;
      const start = isWhole ? Math.min(from, oldest) : -Infinity;
      const before = store.between(start, to);
      store.endBackfill(start, candles, to);
      if (!isOpen) this.#options.onReset(store.changedSince(known));
      else if (!isAlike(before, store.between(start, to))) this.#options.onReset();
    } catch (error) {
      store.cancelBackfill();
      throw error;
    }
  }

  /** Nothing is asked for any more. */
  close() {
    this.#choose("", "");
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
    this.#missedWhileLoading = false;
    this.#failures = 0;
    this.#cancelRetry();
    return ++this.#choice;
  }

  /**
   * Pages backwards from `until_s` until `from_s` is covered, the past ends, or it gets too long.
   * @param {number} from_s
   * @param {number | null} [until_s] null means now
   * @param {number} [held] how many of these bars there are already
   */
  async #readBack(from_s, until_s = null, held = 0) {
    /** @type {Candle[]} */
    let candles = [];
    let to = until_s;
    const most = to ? MOST_BARS : held + LONGEST_GAP_BARS;
    let limit = held ? held + FEW : PAGE;
    if (to) limit = Math.ceil((to - from_s) / this.step_s) + 1;
    do {
      const page = await this.#fetchPage(to, Math.min(PAGE, limit));
      candles = [...page.candles, ...candles];
      to = page.olderTo;
      limit = PAGE;
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

/**
 * @param {Candle[]} before
 * @param {Candle[]} after
 */
function isAlike(before, after) {
  const names = /** @type {const} */ (["time", "open", "high", "low", "close", "volume", "final"]);
  const same = before.every((bar, index) =>
    names.every((name) => bar[name] === after[index]?.[name]),
  );
  return same && before.length === after.length;
}

/** The first bar that may not be as it was when we last heard of it. @param {readonly Candle[]} bars */
function firstUnsure(bars) {
  const provisional = bars.find((candle) => !candle.final)?.time ?? Infinity;
  return Math.min(provisional, bars.at(-2)?.time ?? bars.at(-1)?.time ?? 0);
}
