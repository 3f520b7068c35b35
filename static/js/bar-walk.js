/** Walking the bars with the arrow keys, each read out politely. */

import { lowerBound } from "./candles.js";

/** @import { WalkOptions } from "./types.js" */

/**
 * @param {HTMLElement} root takes the focus
 * @param {WalkOptions} options
 */
export function bindBarWalk(root, { bars, visible, onBar, onLeave, onEnter }) {
  /** @type {number | null} by time, because bar numbers shift as history arrives */
  let time_s = null;

  /** @param {string} key */
  const target = (key) => {
    const all = bars();
    const last = all.length - 1;
    const index = time_s === null ? last : lowerBound(all, time_s);
    const first = Math.max(0, Math.ceil(visible()?.from ?? 0));
    const targets = /** @type {Record<string, number>} */ ({
      ArrowLeft: time_s === null ? last : index - 1,
      ArrowRight: index + 1,
      Home: first,
      End: last,
    });
    const wanted = targets[key];
    return wanted === undefined ? undefined : all[Math.min(last, Math.max(0, wanted))];
  };

  root.addEventListener("keydown", (event) => {
    const walked = time_s === null ? undefined : bars()[lowerBound(bars(), time_s)];
    if (event.key === "Enter" && walked) return onEnter?.(walked);
    const bar = event.ctrlKey || event.metaKey ? undefined : target(event.key);
    if (!bar) return;
    event.preventDefault();
    time_s = bar.time;
    onBar(bar);
  });
  root.addEventListener("blur", () => {
    time_s = null;
    onLeave();
  });
}
