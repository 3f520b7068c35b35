/**
 * Our own store of bars, apart from the library's: it keeps them ascending and unique whatever
 * order they arrive in, and knows which have to be drawn again.
 */

import { bucketEnd } from "./intervals.js";

/** @import { Candle, CandleColumns, Certainty } from "./types.js" */

/**
 * The library lets duplicates, strings and holes through silently, so nothing unclean gets near it.
 * @param {Iterable<Record<string, unknown>>} rows
 * @returns {Candle[]}
 */
export function cleanCandles(rows) {
  /** @type {Map<number, Candle>} */
  const byTime = new Map();
  for (const row of rows) {
    const candle = toCandle(row);
    if (candle) byTime.set(candle.time, candle);
  }
  return [...byTime.values()].sort((a, b) => a.time - b.time);
}

/**
 * @param {Record<string, unknown>} row
 * @returns {Candle | null} null where a figure is missing
 */
export function toCandle(row) {
  const candle = {
    time: toNumber(row.time),
    open: toNumber(row.open),
    high: toNumber(row.high),
    low: toNumber(row.low),
    close: toNumber(row.close),
    volume: toNumber(row.volume ?? 0),
  };
  if (!Object.values(candle).every(Number.isFinite)) return null;
  return { ...candle, final: row.final !== false };
}

/** `Number(null)` is 0, and an unknown price must not become zero. @param {unknown} value */
function toNumber(value) {
  return value === null || value === "" ? Number.NaN : Number(value);
}

/** @param {CandleColumns} columns */
export function candlesFromColumns(columns) {
  return cleanCandles(
    columns.time.map((time, index) => ({
      time,
      open: columns.open[index],
      high: columns.high[index],
      low: columns.low[index],
      close: columns.close[index],
      volume: columns.volume[index],
      final: columns.final?.[index],
    })),
  );
}

/**
 * @param {Candle} candle
 * @param {string} interval
 * @param {number} now_s
 * @returns {Certainty}
 */
export function certainty(candle, interval, now_s) {
  if (!candle.closed && bucketEnd(interval, candle.time) > now_s) return "forming";
  return candle.final ? "final" : "provisional";
}

/**
 * Index of the first candle at or after `time`.
 * @param {readonly {time: number}[]} candles
 * @param {number} time_s
 */
export function lowerBound(candles, time_s) {
  let low = 0;
  let high = candles.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (candles[middle].time < time_s) low = middle + 1;
    else high = middle;
  }
  return low;
}

const FIGURES = /** @type {const} */ (["open", "high", "low", "close", "volume"]);

export class CandleStore {
  /** @type {Candle[]} */
  #candles = [];
  /** Bars that arrived live while a backfill was under way: they are newer than its answer. */
  /** @type {Map<number, Candle> | null} */
  #touched = null;

  get all() {
    return this.#candles;
  }

  get length() {
    return this.#candles.length;
  }

  get first() {
    return this.#candles[0];
  }

  get last() {
    return this.#candles.at(-1);
  }

  /** @param {number} time_s */
  at(time_s) {
    const candle = this.#candles[lowerBound(this.#candles, time_s)];
    return candle?.time === time_s ? candle : undefined;
  }

  /**
   * The close before a bar, which its change is measured from.
   * @param {number} time_s
   */
  before(time_s) {
    return this.#candles[lowerBound(this.#candles, time_s) - 1];
  }

  /**
   * @param {number} from_s
   * @param {number} to_s exclusive
   */
  between(from_s, to_s) {
    return this.#candles.slice(lowerBound(this.#candles, from_s), lowerBound(this.#candles, to_s));
  }

  /** Times of those that are there with other figures now. @param {Candle[]} known */
  changedSince(known) {
    const changed = known.filter((old) => {
      const now = this.at(old.time);
      return now && FIGURES.some((name) => now[name] !== old[name]);
    });
    return new Set(changed.map(({ time }) => time));
  }

  /** @param {Candle[]} candles ascending and unique */
  replaceAll(candles) {
    this.#candles = candles.slice();
  }

  /**
   * Takes one live bar. Returns the first index that changed, or -1 when it is older than all we
   * hold (history brings it in when it is asked for). Blocks ascend with time: when a closed bar
   * is final, those before it are, too, also where their own message came too early for us.
   * @param {Candle} candle
   */
  merge(candle) {
    this.#touched?.set(candle.time, candle);
    let index = this.#place(candle);
    if (candle.closed && candle.final) {
      while (this.#candles[index - 1]?.final === false) this.#candles[--index].final = true;
    }
    return index;
  }

  /** @param {Candle} candle */
  #place(candle) {
    const index = lowerBound(this.#candles, candle.time);
    if (index === 0 && this.#candles.length > 0 && this.first?.time !== candle.time) return -1;
    const replaces = this.#candles[index]?.time === candle.time;
    this.#candles.splice(index, replaces ? 1 : 0, candle);
    return index;
  }

  /**
   * Adds a page of older bars; what overlaps is already known better.
   * @param {Candle[]} older
   * @returns {number} how many were new
   */
  prepend(older) {
    const first = this.first?.time ?? Infinity;
    const fresh = older.slice(0, lowerBound(older, first));
    this.#candles = [...fresh, ...this.#candles];
    return fresh.length;
  }

  /** Marks the moment a backfill is asked for. */
  beginBackfill() {
    this.#touched = new Map();
  }

  /**
   * Ends a backfill: from `from` to `to` the answer replaces what we had, except for bars that
   * the stream has touched since the question was asked.
   * @param {number} from_s
   * @param {Candle[]} answer
   * @param {number} [to_s]
   */
  endBackfill(from_s, answer, to_s = Infinity) {
    const added = answer.slice(lowerBound(answer, from_s));
    this.#candles = [...this.between(0, from_s), ...added, ...this.between(to_s, Infinity)];
    const touched = this.#touched;
    this.#touched = null;
    // What they say of the bars before them is newer, too.
    for (const candle of touched?.values() ?? []) this.merge(candle);
  }

  /** Gives up a backfill without an answer. */
  cancelBackfill() {
    this.#touched = null;
  }
}
