/**
 * Quotes of a watch list: read once, then kept up by the stream of each market's last 24 hours, and
 * read again where that brings nothing, because a quiet day passes out of them, too.
 */

import { scheduleTimeout } from "../js/backoff.js";
import { compactSymbol, tickerStream } from "../js/protocol.js";

/** @import { StreamEvent, TickerEvent } from "../js/types.js" */
/** @import { Quote } from "./types/datafeed.js" */
/** @import { LiveQuotesOptions } from "./parts.js" */

const FAST_MS = 10_000;
/** Of six turns a symbol that is out of sight is read in one. */
const SLOW_TURNS = 6;

export class LiveQuotes {
  #options;
  #schedule;
  /** The last quote of each market, by the spelling of its stream. */
  /** @type {Map<string, Quote>} */
  #quotes = new Map();
  /** Markets that the stream has brought since the last turn. */
  /** @type {Set<string>} */
  #fresh = new Set();
  #turn = 0;
  #isOpen = true;
  #cancelTurn = () => {};
  #leave = () => {};

  /** @param {LiveQuotesOptions} options */
  constructor(options) {
    this.#options = options;
    this.#schedule = options.schedule ?? scheduleTimeout;
    void this.#next();
  }

  close() {
    this.#isOpen = false;
    this.#cancelTurn();
    this.#leave();
  }

  async #next() {
    const { symbols, fastSymbols } = this.#options;
    const isSlow = this.#turn++ % SLOW_TURNS === 0;
    const wanted = new Set(isSlow ? [...fastSymbols, ...symbols] : fastSymbols);
    for (const [market, quote] of this.#quotes) if (this.#fresh.has(market)) wanted.delete(quote.n);
    this.#fresh.clear();
    if (wanted.size) await this.#read([...wanted]);
    if (this.#isOpen) this.#cancelTurn = this.#schedule(() => this.#next(), FAST_MS);
  }

  /** @param {string[]} names */
  async #read(names) {
    /** @type {Quote[]} */
    const quotes = await this.#options.udf.quotes(names).catch(() => []);
    if (!this.#isOpen || !quotes.length) return;
    const before = this.#quotes.size;
    for (const quote of quotes) {
      if (quote.s === "ok") this.#quotes.set(compactSymbol(String(quote.v.short_name)), quote);
    }
    if (this.#quotes.size > before) this.#follow();
    this.#options.onQuotes(quotes);
  }

  /** Follows what is in sight. */
  #follow() {
    const leave = this.#leave;
    const inSight = [...this.#quotes].filter(([, { n }]) => this.#options.fastSymbols.includes(n));
    this.#leave = this.#options.hub.follow(
      inSight.map(([market]) => tickerStream(market)),
      { onEvent: (event) => this.#happened(event), onMissed: () => {} },
    );
    leave();
  }

  /** @param {StreamEvent} event */
  #happened(event) {
    if (event.type !== "ticker") return;
    const known = this.#quotes.get(event.symbol);
    if (known?.s !== "ok") return;
    this.#fresh.add(event.symbol);
    /** @type {Quote} */
    const quote = { s: "ok", n: known.n, v: { ...known.v, ...valuesOf(event) } };
    this.#quotes.set(event.symbol, quote);
    this.#options.onQuotes([{ ...quote, v: { ...quote.v } }]);
  }
}

/** @param {TickerEvent} event */
function valuesOf({ open, high, low, close, volume }) {
  const change = close - open;
  return {
    lp: close,
    bid: close,
    ask: close,
    ch: change,
    chp: open ? (change / open) * 100 : 0,
    open_price: open,
    prev_close_price: open,
    high_price: high,
    low_price: low,
    volume,
  };
}
