/** How heavy a trade is among its neighbours: the tape shows it by weight of the type. */

/** @import { Weight } from "./types.js" */

/**
 * Thresholds from the sizes on the tape: above the median, and the top 5 %.
 * @param {readonly number[]} sizes
 * @returns {(size: number) => Weight}
 */
export function weigher(sizes) {
  const sorted = sizes.slice().sort((a, b) => a - b);
  const medium = sorted[Math.floor(sorted.length * 0.5)] ?? Number.POSITIVE_INFINITY;
  const heavy = sorted[Math.ceil(sorted.length * 0.95)] ?? Number.POSITIVE_INFINITY;
  return (size) => {
    if (size >= heavy) return "heavy";
    return size > medium ? "medium" : "light";
  };
}
