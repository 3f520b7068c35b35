/** What lies under the bars: watermark, hatching, and the finality line. */

/** @import { Draw, Gap, Scene } from "./types.js" */

/** Words in the ground, so that a picture cannot be mistaken for a real market. @type {Draw} */
export function drawWatermark(context, { palette, watermark }, { width, height }) {
  if (!watermark) return;
  const size = Math.min(48, width / 8);
  context.font = `600 ${size}px ${palette.font}`;
  context.fillStyle = palette.faint;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(watermark, width / 2, height / 2);
}

const HATCH_SPACING = 8;
const WORDS_ROOM = 90;

/** Hatching: here is time, but no data. @type {Draw} */
export function drawHatch(context, { palette, gap }, { width, height, xOf }) {
  const [left, right] = gap ? edges(gap, width, xOf) : [0, 0];
  if (right <= left) return;
  context.save();
  context.beginPath();
  context.rect(left, 0, right - left, height);
  context.clip();
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  context.beginPath();
  // Phase from the canvas, not from the gap, so that the lines stand still while the gap grows.
  const first = Math.floor((left - height) / HATCH_SPACING) * HATCH_SPACING;
  for (let x = first; x < right; x += HATCH_SPACING) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
  context.restore();
}

/**
 * @param {Gap} gap
 * @param {number} width
 * @param {Scene["xOf"]} xOf
 */
function edges({ from, to }, width, xOf) {
  const start = xOf(from);
  const end = to === null ? width : xOf(to);
  return start === null || end === null ? [0, 0] : [Math.max(0, start), Math.min(width, end)];
}

/** Hatching that says what it means, where there is room for it. @type {Draw} */
export function drawHatchWords(context, { palette, gap }, { width, height, xOf }) {
  const [left, right] = gap?.words ? edges(gap, width, xOf) : [0, 0];
  if (!gap?.words || right - left < WORDS_ROOM) return;
  context.font = `400 11px ${palette.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const middle = (left + right) / 2;
  const half = context.measureText(gap.words).width / 2 + 6;
  context.fillStyle = palette.screen;
  context.fillRect(middle - half, height * 0.45 - 10, 2 * half, 20);
  context.fillStyle = palette.ink2;
  context.fillText(gap.words, middle, height * 0.45);
}

const LINE_TOP = 12;
/** Without room beside the legend the line starts below it and has no words. */
const NARROW = 500;
const NARROW_TOP = 34;

/** The line between bars that can no longer change and bars a reorg may still revise. @type {Draw} */
export function drawFinality(context, { palette, boundary }, { width, height, xOf }) {
  const left = boundary === null ? null : xOf(boundary - 1);
  const right = boundary === null ? null : xOf(boundary);
  if (left === null || right === null) return;
  const x = Math.round((left + right) / 2) + 0.5;
  context.strokeStyle = palette.outline;
  context.lineWidth = 1;
  context.setLineDash([2, 2]);
  context.beginPath();
  const isNarrow = width < NARROW;
  context.moveTo(x, isNarrow ? NARROW_TOP : LINE_TOP);
  context.lineTo(x, height);
  context.stroke();
  context.setLineDash([]);
  if (isNarrow) return;
  context.font = `400 11px ${palette.font}`;
  context.fillStyle = palette.ink2;
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.fillText("final", x - 7, LINE_TOP + 6);
  context.textAlign = "left";
  context.fillText("provisional", x + 7, LINE_TOP + 6);
}
