/**
 * What the reader wants to see, in time. The library tells no hand from a program, and only a
 * hand changes the wish: a change of interval may show less or more of it meanwhile.
 */

import { RIGHT_MARGIN_BARS } from "./chart-options.js";
import { logicalAt, rangeOf, viewOf } from "./viewport.js";

/** @import { IChartApi } from "./library.js" */

/** @import { View } from "./types.js" */

/** Bars that no eye tells apart. */
const SAME = 0.01;

export class VisibleRange {
  #scale;
  /** @type {View | null} */
  #wanted = null;
  /** What is held, until the library has moved there: it does so with its next frame. */
  /** @type {View | null} */
  #held = null;

  /**
   * @param {IChartApi} chart
   * @param {HTMLElement} root
   */
  constructor(chart, root) {
    this.#scale = chart.timeScale();
    for (const event of ["wheel", "pointerdown", "touchmove", "dblclick"]) {
      root.addEventListener(event, () => this.#forget(), { passive: true, capture: true });
    }
  }

  #forget() {
    this.#wanted = null;
    this.#held = null;
  }

  /**
   * @param {readonly {time: number}[]} bars
   * @param {number} step_s
   * @param {View} view
   */
  show(bars, step_s, view) {
    if (!bars.length) return;
    this.#scale.setVisibleLogicalRange(rangeOf(bars, view, step_s, RIGHT_MARGIN_BARS));
    this.#held = null;
    this.#wanted = view;
  }

  showNewest() {
    this.#forget();
    this.#scale.scrollToPosition(RIGHT_MARGIN_BARS, false);
  }

  /** Brings its right edge back to where it was before bars came or went; bars stay as wide. @param {readonly {time: number}[]} bars @param {number} step_s @param {View} view */
  hold(bars, step_s, view) {
    if (view.to === null || !bars.length) return;
    const now = this.#scale.getVisibleLogicalRange();
    if (!now) return;
    const to = logicalAt(bars, view.to, step_s);
    // Older bars alone move nothing, and whoever drags must not be held back.
    if (!this.#held && Math.abs(now.to - to) < SAME) return;
    this.#scale.setVisibleLogicalRange({ from: to - (now.to - now.from), to });
    if (!this.#held) requestAnimationFrame(() => (this.#held = null));
    this.#held = view;
  }

  /**
   * What the reader wants to see.
   * @param {readonly {time: number}[]} drawn
   * @param {number} step_s
   */
  current(drawn, step_s) {
    return this.#wanted ?? this.inSight(drawn, step_s);
  }

  /**
   * @param {readonly {time: number}[]} drawn
   * @param {number} step_s
   * @returns {View | null}
   */
  inSight(drawn, step_s) {
    if (this.#held) return this.#held;
    const visible = this.#scale.getVisibleLogicalRange();
    return visible && drawn.length ? viewOf(drawn, visible, step_s) : null;
  }
}
