/** One row of the tape. */

import { element, svg } from "./element.js";
import { formatSize } from "./numbers.js";
import { showPrice } from "./price.js";
import { formatClock, formatDate } from "./times.js";

/** @import { Trade, Weight } from "./types.js" */

const TRIANGLES = { buy: "M.5 7h7L4 1z", sell: "M.5 1h7L4 7z" };
const TONES = { buy: "up", sell: "down" };

/** Of a chain, a sequence is block × 2^20 + log index. */
const LOG_BITS = 20n;

/** @param {Trade} trade of a chain */
export function blockOf({ block_number: block, sequence }) {
  return block ?? Number(BigInt(sequence) >> LOG_BITS);
}

/**
 * @param {Trade} trade
 * @param {{decimals: number, weight: Weight, isProvisional: boolean, address: string | null}} look
 */
export function tapeRow(trade, { decimals, weight, isProvisional, address }) {
  const row = element("li", "trade", sideNode(trade), priceNode(trade, decimals));
  row.append(sizeNode(trade), timeNode(trade, address));
  row.dataset.weight = weight;
  if (isProvisional) row.dataset.certainty = "provisional";
  if (trade.kind === "liquidation") row.dataset.liquidation = "";
  return row;
}

/** @param {Trade} trade */
function sideNode({ side }) {
  if (!side) return element("span");
  const triangle = svg("path", { d: TRIANGLES[side] });
  const node = svg("svg", { class: `trade-side ${TONES[side]}`, viewBox: "0 0 8 8" }, triangle);
  node.setAttribute("role", "img");
  node.setAttribute("aria-label", side);
  return node;
}

/**
 * @param {Trade} trade
 * @param {number} decimals
 */
function priceNode({ side, price, kind }, decimals) {
  if (price === undefined && kind === "increase") {
    const word = element("span", "trade-word", kind);
    word.title = "A position grew; its event tells no price";
    return word;
  }
  const node = element("span", side ? TONES[side] : "");
  showPrice(node, price, decimals);
  return node;
}

/** @param {Trade} trade */
function sizeNode({ size, kind }) {
  const word = kind === "liquidation" ? "liq" : "";
  return element(
    "span",
    "trade-size",
    word ? element("span", "trade-kind", word) : null,
    formatSize(size),
  );
}

/**
 * @param {Trade} trade
 * @param {string | null} address
 */
function timeNode({ time, transaction_hash: hash }, address) {
  const node = element("time", "trade-time", formatClock(time));
  node.dateTime = new Date(time * 1000).toISOString();
  node.title = hash ? `${formatDate(time)}, transaction ${hash}` : formatDate(time);
  if (!address) return node;
  const link = element("a", "trade-link", node);
  link.href = address;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}

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
