/** Averages that run along with the bars. Each takes one value after the other and can be copied. */

/** Mean of the newest values. It is added up anew each time, so that no error grows over the years. */
export class SimpleAverage {
  #length;
  /** @type {number[]} */
  #window;

  /**
   * @param {number} length
   * @param {number[]} [window]
   */
  constructor(length, window = []) {
    this.#length = length;
    this.#window = window;
  }

  /** @param {number} value @returns {number | null} null while there are too few */
  next(value) {
    this.#window.push(value);
    if (this.#window.length > this.#length) this.#window.shift();
    return this.#window.length < this.#length ? null : this.#mean((each) => each);
  }

  /** Standard deviation of the values in the window, all of which count. @param {number} mean */
  deviation(mean) {
    return Math.sqrt(this.#mean((each) => (each - mean) ** 2));
  }

  /** @param {(value: number) => number} of */
  #mean(of) {
    return this.#window.reduce((sum, value) => sum + of(value), 0) / this.#length;
  }

  clone() {
    return new SimpleAverage(this.#length, this.#window.slice());
  }
}

/** An average that forgets by and by; it begins with the mean of its first values. */
export class FadingAverage {
  #length;
  #share;
  #count = 0;
  /** The sum of the first values, and then the average. */
  #figure = 0;

  /**
   * @param {number} length
   * @param {number} share what of the average the newest value makes up
   */
  constructor(length, share) {
    this.#length = length;
    this.#share = share;
  }

  /** @param {number} value @returns {number | null} null while there are too few */
  next(value) {
    this.#count++;
    if (this.#count <= this.#length) this.#figure += value;
    if (this.#count < this.#length) return null;
    if (this.#count === this.#length) this.#figure /= this.#length;
    else this.#figure = this.#share * value + (1 - this.#share) * this.#figure;
    return this.#figure;
  }

  clone() {
    const copy = new FadingAverage(this.#length, this.#share);
    copy.#count = this.#count;
    copy.#figure = this.#figure;
    return copy;
  }
}

/** @param {number} length */
export const exponential = (length) => new FadingAverage(length, 2 / (length + 1));

/** Wilder's, which forgets half as fast. @param {number} length */
export const wilder = (length) => new FadingAverage(length, 1 / length);
