/** The strip: how busy the server is. */

import { setText, svg } from "./element.js";
import { formatCount, formatFixed } from "./numbers.js";

/** @import { Health, StripParts } from "./types.js" */

const BARS = 12;
const BAR_STEP = 4;
const BAR_HEIGHT = 12;

export class Strip {
  #parts;
  /** @type {number[]} */
  #rates = [];

  /** @param {StripParts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  /** @param {Health} health */
  show({ trades_per_second: rate, readers, trades_stored: stored }) {
    if (rate !== undefined) {
      setText(this.#parts.rate, rate < 100 ? formatFixed(rate, 1) : formatCount(rate));
      this.#rates = [...this.#rates, rate].slice(-BARS);
      this.#drawRates();
    }
    if (readers !== undefined) setText(this.#parts.readers, formatCount(readers));
    if (stored !== undefined) setText(this.#parts.stored, `${formatCount(stored)} trades`);
  }

  #drawRates() {
    const most = Math.max(...this.#rates, 1e-9);
    const empty = BARS - this.#rates.length;
    this.#parts.rateBars.replaceChildren(
      ...Array.from({ length: BARS }, (_, index) => {
        const height = Math.max(1, ((this.#rates[index - empty] ?? 0) / most) * BAR_HEIGHT);
        const y = BAR_HEIGHT - height;
        return svg("rect", { x: index * BAR_STEP, y, width: 2, height });
      }),
    );
  }
}
