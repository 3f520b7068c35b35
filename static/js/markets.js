/** Which markets the list shows, in what order, and at what price. */

/** @import { Market, Quote, Sort, SortKey } from "./types.js" */

/** @type {Record<SortKey, (market: Market) => number | string | undefined>} */
const VALUES = {
  symbol: (market) => market.symbol,
  change: (market) => market.price_change_percent_24h,
  price: (market) => market.current_price,
};

/**
 * Symbols that begin with the words come before names that contain them.
 * @param {readonly Market[]} markets
 * @param {string} query
 */
export function findMarkets(markets, query) {
  const wanted = query.trim().toLowerCase();
  if (!wanted) return markets.slice();
  return markets
    .map((market) => ({ market, rank: rank(market, wanted) }))
    .filter(({ rank }) => rank < 3)
    .sort((a, b) => a.rank - b.rank)
    .map(({ market }) => market);
}

/**
 * @param {Market} market
 * @param {string} wanted
 */
function rank(market, wanted) {
  const symbol = market.symbol.toLowerCase();
  if (symbol === wanted) return 0;
  if (symbol.startsWith(wanted)) return 1;
  const text = `${symbol} ${market.name ?? ""} ${market.exchange ?? ""}`.toLowerCase();
  return text.includes(wanted) ? 2 : 3;
}

/**
 * Unknown values come last in both directions.
 * @param {readonly Market[]} markets
 * @param {Sort} sort
 */
export function sortMarkets(markets, sort) {
  if (!sort) return markets.slice();
  const valueIn = VALUES[sort.key];
  const direction = sort.descending ? -1 : 1;
  return markets.slice().sort((a, b) => {
    const left = valueIn(a);
    const right = valueIn(b);
    if (left === undefined || right === undefined) {
      return Number(left === undefined) - Number(right === undefined);
    }
    if (left === right) return 0;
    return left < right ? -direction : direction;
  });
}

/**
 * A heading's clicks: its natural direction, the other one, and back to the server's order.
 * @param {Sort} sort
 * @param {SortKey} key
 * @returns {Sort}
 */
export function nextSort(sort, key) {
  const natural = key !== "symbol";
  if (sort?.key !== key) return { key, descending: natural };
  return sort.descending === natural ? { key, descending: !natural } : null;
}

/**
 * A row between two answers of the server: its last price moves, the rest follows.
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

/**
 * Both lists as one; of a market that both have, the second knows better.
 * @param {readonly Market[]} first
 * @param {readonly Market[]} second
 */
export function mergeMarkets(first, second) {
  if (!first.length || !second.length) return [...first, ...second];
  const bySymbol = new Map(first.map((market) => [market.symbol, market]));
  for (const market of second) bySymbol.set(market.symbol, market);
  return [...bySymbol.values()];
}

/**
 * @param {Market} market
 * @param {Quote} quote
 * @returns {Market}
 */
export function withQuote(market, { lp, ch, chp, high_price: high, low_price: low }) {
  /** @type {Market} */
  const next = { ...market };
  if (lp !== undefined) next.current_price = lp;
  if (ch !== undefined) next.price_change_24h = ch;
  if (chp !== undefined) next.price_change_percent_24h = chp;
  if (high !== undefined) next.high_24h = high;
  if (low !== undefined) next.low_24h = low;
  return next;
}
