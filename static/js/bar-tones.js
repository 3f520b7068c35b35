/** How each bar is coloured: solid is final, outlined is not, and ink for a moment is revised. */

import { certainty } from "./candles.js";

/** @import { BarTone, Candle, Palette } from "./types.js" */

const FLASH_MS = 600;

export class BarTones {
  #now_s;
  /** Times of bars that are in ink for a moment. */
  /** @type {Set<number> | undefined} */
  #revised;
  /** @type {Palette} */
  palette;

  /**
   * @param {Palette} palette
   * @param {() => number} now_s
   */
  constructor(palette, now_s) {
    this.palette = palette;
    this.#now_s = now_s;
  }

  /**
   * @param {Candle} bar as it is drawn
   * @param {string} interval
   * @returns {BarTone}
   */
  of(bar, interval) {
    const { bars, revised } = this.palette;
    const direction = bar.close >= bar.open ? "up" : "down";
    if (this.#revised?.has(bar.time)) return { ...revised, isPlain: false, isFinal: true };
    const isFinal = certainty(bar, interval, this.#now_s()) === "final";
    return { ...bars[direction][isFinal ? "final" : "open"], isPlain: isFinal, isFinal };
  }

  /**
   * @param {Set<number>} revised
   * @param {() => void} onOver
   */
  flash(revised, onOver) {
    if (!revised.size || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    this.#revised = revised;
    setTimeout(() => {
      this.#revised = undefined;
      onOver();
    }, FLASH_MS);
  }
}
