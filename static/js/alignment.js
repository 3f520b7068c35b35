/** Another market's prices at the times of this one's bars. */

/** @import { Candle } from "./types.js" */

/**
 * The other's close as it was known by each bar: of its own bar of that time, or the last one before.
 * @param {readonly {time: number}[]} bars ascending
 * @param {readonly Candle[]} others ascending
 * @returns {(number | null)[]} null before the other's first bar
 */
export function alignCloses(bars, others) {
  let next = 0;
  return bars.map(({ time }) => {
    while (next < others.length && others[next].time <= time) next++;
    return next ? others[next - 1].close : null;
  });
}
