/** The needle marks now: a line at the last price, its label on the axis, and a note below it. */

/** @import { Draw, Gap, OverlayState } from "./types.js" */

const LABEL_HEIGHT = 20;
const POINT = 6;
const TEXT_LEFT = 12.5;
const NOTE_HEIGHT = 18;

/** While a chain is read, its newest bar is not now. @param {Gap | null} gap */
const isBefore = (gap) => gap !== null && gap.to === null;

/** @type {Draw} */
export function drawNeedleLine(context, { palette, price, gap }, { width, yOf }) {
  const y = price === null || isBefore(gap) ? null : yOf(price);
  if (y === null) return;
  context.strokeStyle = palette.ink2;
  context.lineWidth = 1;
  context.setLineDash([2, 4]);
  context.beginPath();
  context.moveTo(0, Math.round(y) + 0.5);
  context.lineTo(width, Math.round(y) + 0.5);
  context.stroke();
  context.setLineDash([]);
}

/** @type {Draw} */
export function drawNeedleLabel(context, state, { width, height, yOf }) {
  const y = state.price === null || isBefore(state.gap) ? null : yOf(state.price);
  if (y === null) return;
  const middle = Math.round(y) + 0.5;
  drawNote(context, state, width, noteTop(middle, height));
  drawPointer(context, state, width, middle);
  context.textBaseline = "middle";
  context.font = `600 12px ${state.palette.font}`;
  context.fillStyle = state.isStale ? state.palette.ink2 : state.palette.screen;
  context.fillText(state.label, TEXT_LEFT, middle + 0.5, width - TEXT_LEFT - 2);
}

/**
 * The note sits below, and above near the bottom edge.
 * @param {number} middle
 * @param {number} height
 */
function noteTop(middle, height) {
  const below = middle + LABEL_HEIGHT / 2;
  return below + NOTE_HEIGHT <= height ? below : middle - LABEL_HEIGHT / 2 - NOTE_HEIGHT;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {OverlayState} state
 * @param {number} width
 * @param {number} middle
 */
function drawPointer(context, { palette, isStale }, width, middle) {
  const half = LABEL_HEIGHT / 2;
  const inset = isStale ? 0.5 : 0;
  context.beginPath();
  context.moveTo(inset, middle);
  context.lineTo(POINT, middle - half + inset);
  context.lineTo(width - inset, middle - half + inset);
  context.lineTo(width - inset, middle + half - inset);
  context.lineTo(POINT, middle + half - inset);
  context.closePath();
  context.fillStyle = isStale ? palette.screen : palette.accent;
  context.fill();
  if (!isStale) return;
  context.strokeStyle = palette.warn;
  context.lineWidth = 1;
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {OverlayState} state
 * @param {number} width
 * @param {number} top
 */
function drawNote(context, { palette, note, isStale }, width, top) {
  if (!note) return;
  // Its own ground, because the axis prints its labels underneath.
  context.fillStyle = palette.screen;
  context.fillRect(8, top, width - 8, NOTE_HEIGHT);
  context.font = `400 12px ${palette.font}`;
  context.textBaseline = "middle";
  context.fillStyle = isStale ? palette.warn : palette.ink2;
  context.fillText(note, TEXT_LEFT, top + NOTE_HEIGHT / 2 + 1);
}
