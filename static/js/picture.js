/** The chart as a picture or as rows: what is seen, with what one must know to read it later. */

import { copied } from "./copying.js";
import { formatFullPrice, formatPrice } from "./numbers.js";
import { pictureOf } from "./shot.js";
import { formatClock, formatWhole, zoneName } from "./times.js";

/** @import { Candle, DashboardParts } from "./types.js" */

const HEAD = 44;
const FOOT = 28;
const SIDE = 16;
const CREDIT = "Charts by TradingView, https://www.tradingview.com/";

/**
 * The chart's canvas with a line above and below it.
 * @param {DashboardParts} parts
 */
function drawPicture({ chart, session, now_s, bootstrap }) {
  const shot = pictureOf(chart.chart, false);
  const scale = devicePixelRatio || 1;
  const { palette } = chart;
  const canvas = document.createElement("canvas");
  canvas.width = shot.width;
  canvas.height = shot.height + (HEAD + FOOT) * scale;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = palette.screen;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(shot, 0, HEAD * scale);
  context.scale(scale, scale);
  context.textBaseline = "middle";
  const { symbol, interval, store } = session.feed;
  const price = formatPrice(store.last?.close ?? 0, session.subject.decimals);
  context.font = `600 15px ${palette.font}`;
  context.fillStyle = palette.ink;
  context.fillText(symbol, SIDE, HEAD / 2);
  const at = SIDE + context.measureText(symbol).width + 12;
  context.font = `400 13px ${palette.font}`;
  context.fillStyle = palette.ink2;
  const now = now_s();
  const origin = bootstrap.status.demo ? ", demo data" : "";
  const moment = `${formatWhole(now, 60)}:${formatClock(now).slice(-2)} ${zoneName(now)}`;
  context.fillText(`${price} · ${interval} · ${moment}${origin}`, at, HEAD / 2);
  context.font = `400 11px ${palette.font}`;
  context.fillText(CREDIT, SIDE, canvas.height / scale - FOOT / 2);
  return canvas;
}

/** @param {DashboardParts} parts @returns {Promise<Blob>} */
function pictureBlob(parts) {
  return new Promise((resolve, reject) => {
    drawPicture(parts).toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))));
  });
}

/** @param {DashboardParts} parts */
export async function savePicture(parts) {
  save(await pictureBlob(parts), nameOf(parts, "png"));
}

/** @param {DashboardParts} parts */
export async function copyPicture(parts) {
  try {
    const item = new ClipboardItem({ "image/png": pictureBlob(parts) });
    await navigator.clipboard.write([item]);
    parts.announce("The picture is copied.");
  } catch {
    parts.announce("The browser refused to copy the picture.");
  }
}

/** @param {DashboardParts} parts */
export async function copyLink(parts) {
  const { navigation, announce } = parts;
  const isDone = await copied(location.origin + navigation.addressOf(navigation.place));
  announce(isDone ? "The link is copied." : "The browser refused to copy the link.");
}

/** @param {DashboardParts} parts */
export function saveRows(parts) {
  const { store, decimals } = parts.session.subject;
  const text = csvOf(store.all, decimals);
  save(new Blob([text], { type: "text/csv" }), nameOf(parts, "csv"));
}

/**
 * Every digit, times both for people and for programs, in UTC.
 * @param {readonly Candle[]} bars
 * @param {number} decimals
 */
export function csvOf(bars, decimals) {
  const number = (/** @type {number} */ value) =>
    formatFullPrice(value, decimals).replaceAll(",", "").replace("\u2212", "-");
  const rows = bars.map(({ time, open, high, low, close, volume, final }) =>
    [
      time,
      new Date(time * 1000).toISOString(),
      ...[open, high, low, close].map(number),
      volume,
      final,
    ].join(),
  );
  return ["time,utc,open,high,low,close,volume,final", ...rows, ""].join("\n");
}

/**
 * @param {DashboardParts} parts
 * @param {string} ending
 */
function nameOf({ session }, ending) {
  const { symbol, interval } = session.feed;
  return `${symbol.replaceAll(/[^\p{L}\p{N}.-]/gu, "-")}-${interval}.${ending}`;
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
