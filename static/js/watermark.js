/** Words in the ground of the chart, so that a picture of it cannot be mistaken for a real market. */

/** @import { Draw } from "./types.js" */

/** @type {Draw} */
export function drawWatermark(context, { palette, watermark }, { width, height }) {
  if (!watermark) return;
  const size = Math.min(48, width / 8);
  context.font = `600 ${size}px ${palette.font}`;
  context.fillStyle = palette.faint;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(watermark, width / 2, height / 2);
}
