/**
 * The visible range in time instead of bar numbers, so that it survives a change of interval.
 * A bar number may be fractional and may lie beyond either end; time goes on there at one
 * interval per bar.
 */

import { lowerBound } from "./candles.js";

/** @import { BarRange, View } from "./types.js" */

/** Fewer bars than this say nothing; more than this are thinner than half a pixel. */
const FEWEST_BARS = 20;
const MOST_BARS = 1500;
const MARGIN_SHARE = 0.08;

/**
 * @param {readonly {time: number}[]} candles not empty
 * @param {number} logical
 * @param {number} step_s
 */
export function timeAt(candles, logical, step_s) {
  const lastIndex = candles.length - 1;
  const first = candles[0];
  const last = candles[lastIndex];
  if (logical <= 0) return first.time + logical * step_s;
  if (logical >= lastIndex) return last.time + (logical - lastIndex) * step_s;
  const index = Math.floor(logical);
  const left = candles[index].time;
  const right = candles[index + 1].time;
  return left + (logical - index) * (right - left);
}

/**
 * The inverse of `timeAt`.
 * @param {readonly {time: number}[]} candles not empty
 * @param {number} time_s
 * @param {number} step_s
 */
export function logicalAt(candles, time_s, step_s) {
  const lastIndex = candles.length - 1;
  const first = candles[0];
  const last = candles[lastIndex];
  if (time_s <= first.time) return (time_s - first.time) / step_s;
  if (time_s >= last.time) return lastIndex + (time_s - last.time) / step_s;
  const index = lowerBound(candles, time_s);
  const right = candles[index].time;
  const left = candles[index - 1].time;
  return index - 1 + (time_s - left) / (right - left);
}

/**
 * @param {readonly {time: number}[]} candles not empty
 * @param {BarRange} visible bar numbers
 * @param {number} step_s
 * @returns {View}
 */
export function viewOf(candles, visible, step_s) {
  const follows = visible.to >= candles.length - 1;
  const to = follows ? null : timeAt(candles, visible.to, step_s);
  return { from: timeAt(candles, visible.from, step_s), to };
}

/**
 * Bar numbers that show `view`, within what can be read: too short a time for this interval is
 * widened to the left, too long a time keeps its right edge.
 * @param {readonly {time: number}[]} candles not empty
 * @param {View} view
 * @param {number} step_s
 * @param {number} margin bars kept free right of the newest one
 * @returns {BarRange}
 */
export function rangeOf(candles, view, step_s, margin) {
  const last = candles.length - 1;
  const start = logicalAt(candles, view.from, step_s);
  // Wide bars need fewer of them for the same free space.
  const share = Math.round(Math.max(FEWEST_BARS, last - start) * MARGIN_SHARE);
  const follow = last + Math.min(margin, share);
  const to = view.to === null ? follow : Math.min(follow, logicalAt(candles, view.to, step_s));
  const from = Math.min(start, Math.min(to, last) - FEWEST_BARS);
  return { from: Math.max(from, to - MOST_BARS), to };
}
