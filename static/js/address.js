/** The page's address: which market and interval it shows. */

import { normalInterval } from "./intervals.js";

/**
 * @param {string} search
 * @returns {{symbol: string | null, interval: string | null}}
 */
export function parsePlace(search) {
  const params = new URLSearchParams(search);
  return { symbol: params.get("symbol"), interval: normalInterval(params.get("interval")) };
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
