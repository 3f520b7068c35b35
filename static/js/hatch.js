/** Hatching: here is time, but no data. */

/** @import { Draw } from "./types.js" */

const SPACING = 6;

/** @type {Draw} */
export function drawHatch(context, { palette, gap }, { width, height, xOf }) {
  const start = gap ? xOf(gap.from) : null;
  const end = gap ? xOf(gap.to) : null;
  if (start === null || end === null) return;
  const left = Math.max(0, start);
  const right = Math.min(width, end);
  if (right <= left) return;
  context.save();
  context.beginPath();
  context.rect(left, 0, right - left, height);
  context.clip();
  context.strokeStyle = palette.outline;
  context.lineWidth = 1;
  context.beginPath();
  // Phase from the canvas, not from the gap, so that the lines stand still while the gap grows.
  const first = Math.floor((left - height) / SPACING) * SPACING;
  for (let x = first; x < right; x += SPACING) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
  context.restore();
}
