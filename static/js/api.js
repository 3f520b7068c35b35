/** Our own REST, and only ours: every address is relative to the page's origin. */

import { cleanCandles } from "./candles.js";

/** @import { ChartEvent, Health, Market, MarketPage, Page, PageRequest, Point, Quote, Span, Trade } from "./types.js" */

const PATIENCE_MS = 10_000;

/** Says what failed and why, in words a reader can act on. */
export class RequestError extends Error {
  /**
   * @param {string} message
   * @param {number} status 0 when there was no answer
   */
  constructor(message, status) {
    super(message);
    this.name = "RequestError";
    this.status = status;
  }
}

export class Api {
  #fetch;

  /** @param {typeof fetch} [fetcher] */
  constructor(fetcher = (...args) => fetch(...args)) {
    this.#fetch = fetcher;
  }

  /** @param {{offset?: number, limit?: number, query?: string}} page @returns {Promise<MarketPage>} */
  async fetchMarkets({ offset = 0, limit = 1000, query = "" }) {
    const asked = new URLSearchParams({ limit: String(limit), offset: String(offset) });
    if (query) asked.set("query", query);
    const { data, meta } = await this.#get(`/api/lightweight/markets?${asked}`);
    return { markets: data, total: meta.total };
  }

  /** @param {string[]} symbols @returns {Promise<Map<string, Quote>>} */
  async fetchQuotes(symbols) {
    const query = new URLSearchParams({ symbols: symbols.join(",") });
    const body = await (await this.#ask(`/api/tradingview/quotes?${query}`)).json();
    return new Map((body.d ?? []).map((/** @type {any} */ { n, v }) => [n, v]));
  }

  /** @param {string} symbol @returns {Promise<Market>} */
  async fetchMarket(symbol) {
    return (await this.#get(`/api/lightweight/markets/${encodeURIComponent(symbol)}`)).data;
  }

  /**
   * @param {PageRequest} page
   * @returns {Promise<Page>}
   */
  async fetchCandles({ symbol, interval, to, limit }) {
    const query = new URLSearchParams({ symbol, timeframe: interval, limit: String(limit) });
    if (to !== undefined) query.set("to", String(to));
    const { data, meta } = await this.#get(`/api/lightweight/ohlcv?${query}`);
    return { candles: cleanCandles(data), olderTo: meta.next_to };
  }

  /**
   * @param {string} symbol
   * @param {number} limit
   * @returns {Promise<Trade[]>} newest first
   */
  async fetchTrades(symbol, limit) {
    const query = new URLSearchParams({ symbol, limit: String(limit) });
    return (await this.#get(`/api/lightweight/trades?${query}`)).data;
  }

  /**
   * @param {string} symbol
   * @param {Span} span
   * @returns {Promise<Trade[]>} newest first
   */
  async fetchTradesBetween(symbol, span) {
    return (await this.#get(`/api/lightweight/trades?${spanQuery(symbol, span)}`)).data;
  }

  /**
   * @param {string} symbol
   * @param {Span} span
   * @returns {Promise<ChartEvent[]>} ascending
   */
  async fetchMarks(symbol, span) {
    return (await this.#get(`/api/lightweight/marks?${spanQuery(symbol, span)}`)).data;
  }

  /**
   * Figures that the server tells: `funding` or `open-interest`.
   * @param {string} route
   * @param {{symbol: string, interval: string}} place
   * @param {{from: number, limit: number}} span
   * @returns {Promise<Point[]>} ascending
   */
  async fetchPoints(route, { symbol, interval }, { from, limit }) {
    const numbers = { from: String(from), limit: String(limit) };
    const query = new URLSearchParams({ symbol, timeframe: interval, ...numbers });
    return (await this.#get(`/api/lightweight/${route}?${query}`)).data;
  }

  /** Its 503 carries the same body, so it is an answer, not a failure. @returns {Promise<Health>} */
  async fetchHealth() {
    const response = await this.#ask("/health/ready");
    return response.json();
  }

  /** @param {string} address */
  async #get(address) {
    const response = await this.#ask(address);
    const body = await response.json().catch(() => null);
    if (response.ok && body?.success) return body;
    const reason = body?.error?.message ?? "the server gave no reason";
    throw new RequestError(`${reason} (${response.status}).`, response.status);
  }

  /** @param {string} address */
  async #ask(address) {
    try {
      return await this.#fetch(address, { signal: AbortSignal.timeout(PATIENCE_MS) });
    } catch (error) {
      const late = error instanceof DOMException && error.name === "TimeoutError";
      const fact = late
        ? `No answer within ${PATIENCE_MS / 1000} s.`
        : "The server is unreachable.";
      throw new RequestError(fact, 0);
    }
  }
}

/**
 * @param {string} symbol
 * @param {Span} span
 */
function spanQuery(symbol, { from, to, limit }) {
  const numbers = { from: String(from), to: String(to), limit: String(limit) };
  return new URLSearchParams({ symbol, ...numbers });
}
