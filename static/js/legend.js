/** The legend: the bar under the crosshair, or the last one, with how certain it is. */

import { certainty } from "./candles.js";
import { element } from "./element.js";
import { intervalSeconds } from "./intervals.js";
import { formatChange, formatCompact } from "./numbers.js";
import { direction, showPrice } from "./price.js";
import { formatBarTime } from "./times.js";

/** @import { Candle, Subject } from "./types.js" */

const AIR = 12;
const FIELDS = /** @type {const} */ (["open", "high", "low", "close"]);

export class Legend {
  #root;
  #volumeRoot;
  #time = element("span", "legend-time");
  #prices = FIELDS.map(() => element("b"));
  #change = element("span");
  #tag = element("span", "tag");
  #volume = element("b");

  /**
   * @param {HTMLElement} root
   * @param {HTMLElement} volumeRoot
   */
  constructor(root, volumeRoot) {
    this.#root = root;
    this.#volumeRoot = volumeRoot;
    const prices = FIELDS.map((name, index) =>
      element("span", "", name.charAt(0).toUpperCase(), this.#prices[index]),
    );
    root.append(this.#time, ...prices, this.#change, this.#tag);
    volumeRoot.append(element("span", "", "Volume", this.#volume));
  }

  /**
   * @param {Subject} subject
   * @param {Candle} bar
   * @param {number} now_s
   */
  show({ store, interval, decimals }, bar, now_s) {
    this.#time.textContent = formatBarTime(bar.time, intervalSeconds(interval), now_s);
    FIELDS.forEach((name, index) => {
      showPrice(this.#prices[index], bar[name], decimals);
    });
    const change = bar.close - (store.before(bar.time)?.close ?? bar.open);
    this.#change.textContent = formatChange(change, decimals);
    this.#change.className = direction(change);
    const state = certainty(bar, interval, now_s);
    this.#tag.dataset.certainty = state;
    this.#tag.textContent = state;
    this.#volume.textContent = formatCompact(bar.volume);
    this.#root.dataset.time = String(bar.time);
  }

  /** The bar in one sentence, for the ear. */
  sentence() {
    return `${this.#root.textContent}, ${this.#volumeRoot.textContent}`
      .replace(/([OHLC])(?=[\d−])/g, " $1 ")
      .trim();
  }

  /** Where the words at the top of the chart end, with some air. */
  get bottom() {
    const words = this.#root.parentElement;
    return words ? words.offsetTop + words.offsetHeight + AIR : 0;
  }

  /** @param {number} top where the volume pane begins */
  placeVolume(top) {
    this.#volumeRoot.style.setProperty("--volume-top", `${top + 6}px`);
    this.#volumeRoot.dataset.placed = "";
  }
}
