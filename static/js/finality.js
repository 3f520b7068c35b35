/** The dotted line between bars that can no longer change and bars a reorg may still revise. */

/** @import { Draw } from "./types.js" */

const TOP = 12;
/** Without room beside the legend the line starts below it and has no words. */
const NARROW = 500;
const NARROW_TOP = 34;

/** @type {Draw} */
export function drawFinality(context, { palette, boundary }, { width, height, xOf }) {
  const left = boundary === null ? null : xOf(boundary - 1);
  const right = boundary === null ? null : xOf(boundary);
  if (left === null || right === null) return;
  const x = Math.round((left + right) / 2) + 0.5;
  context.strokeStyle = palette.ink3;
  context.lineWidth = 1;
  context.setLineDash([2, 2]);
  context.beginPath();
  const isNarrow = width < NARROW;
  context.moveTo(x, isNarrow ? NARROW_TOP : TOP);
  context.lineTo(x, height);
  context.stroke();
  context.setLineDash([]);
  if (isNarrow) return;
  context.font = `400 11px ${palette.font}`;
  context.fillStyle = palette.ink2;
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.fillText("final", x - 7, TOP + 6);
  context.textAlign = "left";
  context.fillText("provisional", x + 7, TOP + 6);
}
