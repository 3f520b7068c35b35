/**
 * Keeps the market list current: few markets are read again whole, of many only the prices of
 * those in sight, and the rest now and then.
 *
 * @import { Api } from "./api.js"
 */

import { mergeMarkets, withQuote } from "./markets.js";

/** @import { Market, MarketPage } from "./types.js" */

const EVERY_MS = 5_000;
const WHOLE_EVERY_MS = 120_000;
const PAGE = 1_000;
/** So many are held here; a search finds the others on the server. */
export const MOST_MARKETS = 5_000;
/** Up to so many are read again whole each time. */
const FEW = 200;
const MOST_QUOTES = 100;

export class MarketPoll {
  #api;
  #parts;
  #wholeAtMs = Number.NEGATIVE_INFINITY;
  total;

  /**
   * @param {Api} api
   * @param {{total: number, drawn: () => string[], held: () => Market[], onMarkets: (markets: Market[], total: number) => void}} parts
   */
  constructor(api, parts) {
    this.#api = api;
    this.#parts = parts;
    this.total = parts.total;
  }

  /** Whether every market of the server is held here. */
  get isWhole() {
    return this.total <= MOST_MARKETS;
  }

  start() {
    setInterval(() => document.hidden || this.poll(), EVERY_MS);
    if (this.total > FEW) void this.poll();
  }

  async poll() {
    const isDue = performance.now() - this.#wholeAtMs > WHOLE_EVERY_MS;
    try {
      if (this.total <= FEW || isDue) await this.#readWhole();
      else await this.#readVisible();
    } catch {
      // The list keeps its last values; pill and banner say that the server is away.
    }
  }

  async #readWhole() {
    this.#wholeAtMs = performance.now();
    /** @type {Market[]} */
    let markets = [];
    /** @type {MarketPage} */
    let page;
    do {
      page = await this.#api.fetchMarkets({ offset: markets.length, limit: PAGE });
      markets = mergeMarkets(markets, page.markets);
    } while (page.markets.length === PAGE && markets.length < MOST_MARKETS);
    this.total = page.total;
    this.#parts.onMarkets(markets, page.total);
  }

  async #readVisible() {
    const quotes = await this.#api.fetchQuotes(this.#parts.drawn().slice(0, MOST_QUOTES));
    const markets = this.#parts.held().map((market) => {
      const quote = quotes.get(market.symbol);
      return quote ? withQuote(market, quote) : market;
    });
    this.#parts.onMarkets(markets, this.total);
  }
}
