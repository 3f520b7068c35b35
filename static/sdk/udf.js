/** The datafeed's REST, `/api/tradingview/*`: questions as functions, and patience with a server that is away. */

import { backoffDelay, scheduleTimeout } from "../js/backoff.js";

/** @import { BarsAnswer, BarsQuestion, History, UdfOptions } from "./parts.js" */
/** @import { Bar, DatafeedConfiguration, Quote, SymbolInfo, SymbolResult } from "./types/datafeed.js" */

const ANSWER_WITHIN_MS = 10_000;
/** A widget does not ask again by itself: what it waits for is asked for until it comes. */
const ASK_FOR_MS = 600_000;
/** No server is set up to answer fewer bars at most, so fewer are all there are. */
const SMALLEST_LIMIT = 100;
const MOST_PAGES = 50;
const QUOTES_AT_ONCE = 100;

/** What the server refused, or why there was no answer. */
export class UdfError extends Error {
  /**
   * @param {string} message
   * @param {boolean} isPassing asking again may help
   */
  constructor(message, isPassing) {
    super(message);
    this.name = "UdfError";
    this.isPassing = isPassing;
  }
}

export class Udf {
  #server;
  #fetch;
  #schedule;
  #now;

  /** @param {string} server @param {UdfOptions} [options] */
  constructor(server, options = {}) {
    this.#server = server;
    this.#fetch = options.fetch ?? ((address, init) => fetch(address, init));
    this.#schedule = options.schedule ?? scheduleTimeout;
    this.#now = options.now ?? Date.now;
  }

  /** @returns {Promise<DatafeedConfiguration>} */
  config() {
    return this.#insist("config");
  }

  /** @param {string} symbol @returns {Promise<SymbolInfo>} */
  symbol(symbol) {
    return this.#insist("symbols", { symbol });
  }

  /** @param {Record<string, string>} query @returns {Promise<SymbolResult[]>} */
  search(query) {
    return this.#get("search", query);
  }

  /** @returns {Promise<number>} unix seconds */
  time() {
    return this.#get("time");
  }

  /**
   * @param {"marks" | "timescale_marks"} kind
   * @param {Record<string, string | number>} query
   */
  marks(kind, query) {
    return this.#get(kind, query);
  }

  /** @param {string[]} symbols @returns {Promise<Quote[]>} */
  async quotes(symbols) {
    const quotes = [];
    for (let index = 0; index < symbols.length; index += QUOTES_AT_ONCE) {
      const some = symbols.slice(index, index + QUOTES_AT_ONCE);
      quotes.push(...(await this.#get("quotes", { symbols: some.join(",") })).d);
    }
    return quotes;
  }

  /**
   * All bars of [from, to), and at least `countback` before `to`, however few the server answers
   * at once.
   * @param {BarsQuestion} question
   * @returns {Promise<BarsAnswer>}
   */
  async bars({ symbol, resolution, from, to, countback }) {
    /** @type {Bar[]} */
    let bars = [];
    let end = to;
    for (let page = 0; page < MOST_PAGES; page++) {
      const missing = Math.max(1, countback - bars.length);
      const query = { symbol, resolution, from: Math.min(from, end), to: end, countback: missing };
      /** @type {History} */
      const history = await this.#insist("history", query);
      if (history.s === "no_data") return { bars, nextTime: history.nextTime ?? null };
      bars = [...barsOf(history), ...bars];
      end = history.t[0];
      const isWhole = end <= from && bars.length >= countback;
      if (isWhole || history.t.length < SMALLEST_LIMIT) break;
    }
    return { bars, nextTime: null };
  }

  /**
   * Asks until there is an answer, growing slower, as long as that may help.
   * @param {string} path
   * @param {Record<string, string | number>} [query]
   * @returns {Promise<any>}
   */
  async #insist(path, query) {
    const until = this.#now() + ASK_FOR_MS;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#get(path, query);
      } catch (error) {
        if (!(error instanceof UdfError && error.isPassing) || this.#now() > until) throw error;
        await new Promise((resolve) => this.#schedule(() => resolve(null), backoffDelay(attempt)));
      }
    }
  }

  /**
   * @param {string} path
   * @param {Record<string, string | number>} [query]
   * @returns {Promise<any>}
   */
  async #get(path, query = {}) {
    const parameters = Object.entries(query).map(([name, value]) => [name, String(value)]);
    const address = `${this.#server}api/tradingview/${path}?${new URLSearchParams(parameters)}`;
    const { response, body } = await this.#ask(address);
    const isPassing = response.status >= 500 || response.status === 429;
    if (body === undefined) throw new UdfError(`${path}: no JSON (${response.status})`, isPassing);
    if (body?.s === "error") throw new UdfError(String(body.errmsg), isPassing);
    if (!response.ok) throw new UdfError(`${path}: status ${response.status}`, isPassing);
    return body;
  }

  /** @param {string} address */
  async #ask(address) {
    try {
      const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
      const response = await this.#fetch(address, { signal });
      const text = await response.text();
      return { response, body: parse(text) };
    } catch {
      throw new UdfError(`no answer from ${this.#server}`, true);
    }
  }
}

/** @param {string} text @returns {any} undefined if it is no JSON */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param {Extract<History, {s: "ok"}>} history @returns {Bar[]} */
function barsOf({ t, o, h, l, c, v }) {
  return t.map((time, index) => ({
    time: time * 1000,
    open: o[index],
    high: h[index],
    low: l[index],
    close: c[index],
    volume: v[index],
  }));
}
