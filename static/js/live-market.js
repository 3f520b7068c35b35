/** A market's row between two answers of the server: its last price moves, the rest follows. */

/** @import { Market } from "./types.js" */

/**
 * @param {Market} market
 * @param {number} price
 * @returns {Market}
 */
export function withPrice(market, price) {
  const { current_price: last, price_change_24h: change, high_24h: high, low_24h: low } = market;
  /** @type {Market} */
  const next = { ...market, current_price: price };
  if (high !== undefined) next.high_24h = Math.max(high, price);
  if (low !== undefined) next.low_24h = Math.min(low, price);
  if (last === undefined || change === undefined) return next;
  const dayAgo = last - change;
  next.price_change_24h = price - dayAgo;
  if (dayAgo > 0) next.price_change_percent_24h = (price / dayAgo - 1) * 100;
  return next;
}
