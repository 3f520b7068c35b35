/** Choosing the market to compare with. */

import { openChooser } from "./chooser.js";
import { Compare } from "./compare.js";
import { decimalsOf } from "./market-row.js";
import { findMarkets } from "./markets.js";
import { priceText } from "./price.js";

/** @import { DashboardParts, Market } from "./types.js" */

/** @param {DashboardParts} parts */
export function chooseCompared(parts) {
  const { list, session, api, figures } = parts;
  /** @type {Map<string, Market>} */
  const known = new Map();
  const find = async (/** @type {string} */ query) => {
    const local = findMarkets(list.markets, query);
    const found = local.length || !query ? local : (await api.fetchMarkets({ query })).markets;
    const others = found.filter(({ symbol }) => symbol !== session.feed.symbol);
    for (const market of others) known.set(market.symbol, market);
    return others.map((market) => ({
      label: market.symbol,
      hint: priceText(market.current_price, decimalsOf(market)),
      value: market.symbol,
    }));
  };
  openChooser({
    title: "Compare with a market",
    placeholder: "Search markets",
    find,
    choose: (symbol) => {
      const market = known.get(symbol);
      parts.compare?.remove();
      if (market) parts.compare = new Compare(parts, market);
      figures.layOut();
    },
  });
}
