/**
 * The figures of indicators, one bar after the other: `next` takes a bar and answers one value for
 * each line, null while there is none. A copy goes on without the original; so the forming bar is
 * tried out on a copy, as often as it changes.
 */

import { exponential, SimpleAverage, wilder } from "./average.js";

/** @import { Candle, Running } from "../types.js" */

const DAY_S = 86_400;

/** @implements {Running} */
export class Average {
  #average;

  /** @param {{next: (value: number) => number | null, clone: () => any}} average */
  constructor(average) {
    this.#average = average;
  }

  /** @param {Candle} bar */
  next({ close }) {
    return [this.#average.next(close)];
  }

  clone() {
    return new Average(this.#average.clone());
  }
}

/** Upper band, mean, lower band. @implements {Running} */
export class Bollinger {
  #mean;
  #width;

  /**
   * @param {SimpleAverage} mean
   * @param {number} width of a band, in standard deviations
   */
  constructor(mean, width) {
    this.#mean = mean;
    this.#width = width;
  }

  /** @param {Candle} bar */
  next({ close }) {
    const mean = this.#mean.next(close);
    if (mean === null) return [null, null, null];
    const reach = this.#width * this.#mean.deviation(mean);
    return [mean + reach, mean, mean - reach];
  }

  clone() {
    return new Bollinger(this.#mean.clone(), this.#width);
  }
}

/** Mean price weighted by volume, since the day began in UTC. @implements {Running} */
export class VolumeWeighted {
  #day = -1;
  #paid = 0;
  #volume = 0;

  /** @param {Candle} bar */
  next({ time, high, low, close, volume }) {
    const day = Math.floor(time / DAY_S);
    if (day !== this.#day) {
      this.#day = day;
      this.#paid = 0;
      this.#volume = 0;
    }
    this.#paid += ((high + low + close) / 3) * volume;
    this.#volume += volume;
    return [this.#volume ? this.#paid / this.#volume : null];
  }

  clone() {
    const copy = new VolumeWeighted();
    copy.#day = this.#day;
    copy.#paid = this.#paid;
    copy.#volume = this.#volume;
    return copy;
  }
}

/** How much of all movement went up, in percent. @implements {Running} */
export class RelativeStrength {
  #gain;
  #loss;
  /** @type {number | null} */
  #last = null;

  /** @param {number} length */
  constructor(length) {
    this.#gain = wilder(length);
    this.#loss = wilder(length);
  }

  /** @param {Candle} bar */
  next({ close }) {
    const change = this.#last === null ? null : close - this.#last;
    this.#last = close;
    if (change === null) return [null];
    const gain = this.#gain.next(Math.max(change, 0));
    const loss = this.#loss.next(Math.max(-change, 0));
    if (gain === null || loss === null) return [null];
    return [loss === 0 ? 100 : 100 - 100 / (1 + gain / loss)];
  }

  clone() {
    const copy = new RelativeStrength(1);
    copy.#gain = this.#gain.clone();
    copy.#loss = this.#loss.clone();
    copy.#last = this.#last;
    return copy;
  }
}

/** Difference of two averages, the average of that, and what lies between. @implements {Running} */
export class Convergence {
  #fast;
  #slow;
  #signal;

  /**
   * @param {number} fast
   * @param {number} slow
   * @param {number} signal
   */
  constructor(fast, slow, signal) {
    this.#fast = exponential(fast);
    this.#slow = exponential(slow);
    this.#signal = exponential(signal);
  }

  /** @param {Candle} bar */
  next({ close }) {
    const fast = this.#fast.next(close);
    const slow = this.#slow.next(close);
    if (fast === null || slow === null) return [null, null, null];
    const difference = fast - slow;
    const signal = this.#signal.next(difference);
    return [difference, signal, signal === null ? null : difference - signal];
  }

  clone() {
    const copy = new Convergence(1, 1, 1);
    copy.#fast = this.#fast.clone();
    copy.#slow = this.#slow.clone();
    copy.#signal = this.#signal.clone();
    return copy;
  }
}

/** @param {number} length */
export const simpleMoving = (length) => new Average(new SimpleAverage(length));

/** @param {number} length */
export const exponentialMoving = (length) => new Average(exponential(length));
