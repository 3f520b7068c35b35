/** The page's address: which market and interval it shows. */

import { isInterval } from "./intervals.js";

/** @typedef {{symbol: string | null, interval: string | null}} Place */

/**
 * @param {string} search
 * @returns {Place}
 */
export function parsePlace(search) {
  const params = new URLSearchParams(search);
  const interval = params.get("interval");
  return { symbol: params.get("symbol"), interval: isInterval(interval) ? interval : null };
}

/**
 * Other parameters (an operator's own) stay.
 * @param {string} search
 * @param {{symbol: string, interval: string}} place
 */
export function formatPlace(search, { symbol, interval }) {
  const params = new URLSearchParams(search);
  params.set("symbol", symbol);
  params.set("interval", interval);
  // A slash is legal in a query and a pair reads better with it.
  return `?${params.toString().replaceAll("%2F", "/")}`;
}
