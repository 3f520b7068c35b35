/** The row of intervals, a menu for the rarer ones, and the clock under the active one. */

import { element } from "./element.js";
import { bucketEnd, bucketStart, intervalWords } from "./intervals.js";

export class IntervalBar {
  #clock;
  /** @type {Map<string, HTMLButtonElement>} */
  #buttons = new Map();
  #onChoose;
  /** Opens the menu of the others. */
  more;
  #moreLabel;
  #selected = "";
  #intervals;

  /**
   * @param {HTMLElement} root with a button for each favourite
   * @param {string[]} intervals every interval the server knows
   * @param {HTMLElement} clock moves to the active button
   * @param {(interval: string) => void} onChoose
   */
  constructor(root, intervals, clock, onChoose) {
    this.#clock = clock;
    this.#onChoose = onChoose;
    for (const node of root.querySelectorAll("button[data-interval]")) {
      const name = /** @type {HTMLElement} */ (node).dataset.interval ?? "";
      node.setAttribute("title", intervalWords(name));
      node.addEventListener("click", () => onChoose(name));
      this.#buttons.set(name, /** @type {HTMLButtonElement} */ (node));
    }
    this.more = /** @type {HTMLButtonElement} */ (root.querySelector(".interval-more"));
    this.#moreLabel = /** @type {HTMLElement} */ (this.more.firstElementChild);
    this.#intervals = intervals;
  }

  /** Those that have no button in sight, for a menu. */
  items() {
    const hidden = this.#intervals.filter((name) => !this.#buttons.get(name)?.offsetParent);
    return hidden.map((name) => ({
      label: intervalWords(name),
      hint: name,
      kind: /** @type {const} */ ("radio"),
      isChecked: () => name === this.#selected,
      choose: () => this.#onChoose(name),
    }));
  }

  /** @param {string} interval */
  select(interval) {
    this.#selected = interval;
    for (const [name, node] of this.#buttons) {
      node.setAttribute("aria-pressed", String(name === interval));
    }
    const isRare = !this.#buttons.has(interval);
    this.#moreLabel.textContent = isRare ? interval : "";
    this.more.setAttribute("aria-pressed", String(isRare));
    this.more.setAttribute("aria-label", isRare ? `${interval}, more intervals` : "More intervals");
    (this.#buttons.get(interval) ?? this.more).append(this.#clock);
  }
}

/** The share of the bar that remains. */
export class BarClock {
  node = element("span", "bar-clock");

  /**
   * @param {string} interval
   * @param {number} now_s
   * @returns {number} seconds until the bar closes
   */
  tick(interval, now_s) {
    const start = bucketStart(interval, now_s);
    const end = bucketEnd(interval, start);
    const share = (end - now_s) / (end - start);
    this.node.style.setProperty("--left-share", share.toFixed(3));
    return end - now_s;
  }
}
