/** The path of a sparkline, as numbers an SVG takes. */

/** @import { Sparkline } from "./types.js" */

/**
 * @param {readonly number[]} values oldest first
 * @param {number} width
 * @param {number} height
 * @returns {Sparkline | null} null when there is nothing to draw
 */
export function sparkline(values, width, height) {
  if (values.length < 2) return null;
  const low = Math.min(...values);
  const span = Math.max(...values) - low;
  const step = width / (values.length - 1);
  const points = values.map((value, index) => ({
    x: round(index * step),
    // A market that did not move is a line in the middle, not at the bottom.
    y: round(span === 0 ? height / 2 : height - ((value - low) / span) * height),
  }));
  const first = points[0];
  const end = points[points.length - 1];
  return { path: `M${points.map(({ x, y }) => `${x} ${y}`).join("L")}`, baseline: first.y, end };
}

/** @param {number} value */
const round = (value) => Math.round(value * 10) / 10;
