/**
 * One indicator over all bars. What can still change is the last bar and, until the next one has
 * opened, the one before: those are computed on a copy, so an update costs two bars, however many
 * there are.
 */

/** @import { Candle, Running } from "../types.js" */

const UNSETTLED = 2;

export class StudyRun {
  #make;
  #settled;
  #count = 0;
  /** @type {number | undefined} */
  #firstTime;
  /** For each bar a value for each line. @type {(readonly (number | null)[])[]} */
  values = [];

  /** @param {() => Running} make */
  constructor(make) {
    this.#make = make;
    this.#settled = make();
  }

  /**
   * @param {readonly Candle[]} bars
   * @param {number} from the first one that has changed
   * @returns {number} the first one whose values have
   */
  update(bars, from) {
    const isOther = bars[0]?.time !== this.#firstTime;
    this.#firstTime = bars[0]?.time;
    if (isOther || from < this.#count || bars.length < this.#count) {
      this.#settled = this.#make();
      this.#count = 0;
    }
    const before = isOther ? [] : this.values.slice(this.#count);
    const start = this.#count;
    this.values.length = start;
    for (; this.#count < bars.length - UNSETTLED; this.#count++) {
      this.values.push(this.#settled.next(bars[this.#count]));
    }
    const ahead = this.#settled.clone();
    for (let index = this.#count; index < bars.length; index++) {
      this.values.push(ahead.next(bars[index]));
    }
    return start + firstDifference(before, this.values.slice(start));
  }
}

/**
 * @param {readonly (readonly (number | null)[])[]} before
 * @param {readonly (readonly (number | null)[])[]} after
 */
function firstDifference(before, after) {
  const at = after.findIndex((values, index) =>
    values.some((value, line) => value !== before[index]?.[line]),
  );
  return at < 0 ? after.length : at;
}
