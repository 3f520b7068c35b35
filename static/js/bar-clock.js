/** The bar clock: the share of the bar that remains, under the active interval. */

import { element } from "./element.js";
import { bucketEnd, bucketStart } from "./intervals.js";

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
