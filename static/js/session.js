/**
 * One reader's session: which market and interval are open, and what flows between feed, stream
 * and the panels because of it. Everything it uses is handed in by dashboard.js.
 *
 * @import { Api } from "./api.js"
 * @import { Stream } from "./stream.js"
 */

import { candlesFromColumns } from "./candles.js";
import { Feed } from "./feed.js";
import { intervalSeconds } from "./intervals.js";
import { decimalsOf } from "./market-row.js";
import { withPrice } from "./markets.js";
import { candleStream, compactSymbol, tradeStream } from "./protocol.js";

/** @import { Bootstrap, Market, Panels, Place, StreamEvent, View } from "./types.js" */

const TAPE_TRADES = 100;
/** What a screen can show at most; reading further back for it would be in vain. */
const MOST_VISIBLE_BARS = 1500;
/** Older bars are asked for while this many are still left of the view. */
const MARGIN_BARS = 100;
const RETRY_OLDER_MS = 5_000;

export class Session {
  #api;
  #panels;
  #stream;
  #now_s;
  #olderBlockedUntilMs = 0;
  /** What did not load; it is tried again when the stream returns. */
  /** @type {Place | null} */
  #failed = null;
  /** @type {Market | undefined} the last answer for the open market */
  #market;

  /**
   * @param {{api: Api, panels: Panels, stream: () => Stream, now_s: () => number}} parts
   */
  constructor({ api, panels, stream, now_s }) {
    this.#api = api;
    this.#panels = panels;
    this.#stream = stream;
    this.#now_s = now_s;
    this.feed = new Feed({
      api,
      onBar: (index) => this.#barChanged(index),
      onReset: (revised) => this.#barsReset(revised),
    });
  }

  get subject() {
    const { store, interval } = this.feed;
    return { store, interval, decimals: this.#decimals };
  }

  get #decimals() {
    const fallback = { symbol: this.feed.symbol, current_price: this.feed.store.last?.close ?? 0 };
    return decimalsOf(this.#market ?? fallback);
  }

  /** The open market with its last price, as far as it is known. */
  get market() {
    const price = this.feed.store.last?.close;
    const market = this.#market;
    return market && price !== undefined ? withPrice(market, price) : market;
  }

  /** Shows what the page came with. @param {Bootstrap} bootstrap */
  adopt({ symbol, interval, candles, trades, markets }) {
    if (symbol === null) return this.#panels.showEmptyStore();
    this.feed.adopt(symbol, interval, candlesFromColumns(candles));
    this.showMarkets(markets);
    this.#panels.showPlace({ symbol, interval }, this.#market);
    this.#panels.tape.show(trades, this.#decimals);
    this.#subscribe();
    this.#showBars(null);
    performance.mark("first-candles");
  }

  /** @param {Place} place */
  async open({ symbol, interval }) {
    const isOther = symbol !== this.feed.symbol;
    const view = this.#viewFor(isOther);
    this.#panels.state.loading();
    const loaded = this.feed.open(symbol, interval, this.#from(view, interval));
    this.#market = this.#panels.list.find(symbol);
    this.#panels.showPlace({ symbol, interval }, this.#market);
    this.#panels.showFigures();
    this.#subscribe();
    if (isOther) void this.loadTrades();
    this.#failed = null;
    try {
      if (await loaded) this.#showBars(view);
    } catch (error) {
      this.#failed = { symbol, interval };
      this.#panels.state.error(reason(error), () => this.open({ symbol, interval }));
    }
  }

  /** Another market follows now, unless the reader is looking at the past. @param {boolean} isOther */
  #viewFor(isOther) {
    const view = this.#panels.chart.view();
    return isOther && view?.to === null ? null : view;
  }

  /**
   * @param {View | null} view
   * @param {string} interval
   */
  #from(view, interval) {
    const now = this.#now_s();
    if (!view) return now;
    const oldest = now - MOST_VISIBLE_BARS * intervalSeconds(interval);
    return view.to === null ? Math.max(view.from, oldest) : view.from;
  }

  #subscribe() {
    const { symbol, interval } = this.feed;
    this.#stream().want([candleStream(symbol, interval), tradeStream(symbol)]);
  }

  async loadTrades() {
    const { symbol } = this.feed;
    if (!symbol) return;
    this.#panels.tape.reset();
    try {
      const trades = await this.#api.fetchTrades(symbol, TAPE_TRADES);
      if (symbol === this.feed.symbol) this.#panels.tape.show(trades, this.#decimals);
    } catch (error) {
      if (symbol !== this.feed.symbol) return;
      this.#panels.tape.error(reason(error), () => this.loadTrades());
    }
  }

  /** @param {Market[]} markets */
  showMarkets(markets) {
    this.#panels.list.show(markets);
    this.#market = this.#panels.list.find(this.feed.symbol) ?? this.#market;
    if (this.feed.symbol) this.#panels.showFigures();
  }

  /** @param {StreamEvent} event */
  receive(event) {
    if (event.type === "candle") this.feed.receive(event);
    else if (event.type === "reset") void this.feed.revise(event);
    else if (event.type !== "trade" || document.hidden) return;
    else if (event.symbol === compactSymbol(this.feed.symbol)) this.#panels.tape.add(event.trade);
  }

  /**
   * Of these streams events may be missing up to now.
   * @param {string[]} streams
   * @param {boolean} isFresh what was read a moment ago is old by that moment at most
   */
  async missed(streams, isFresh) {
    if (this.#failed) return this.open(this.#failed);
    const { symbol, interval } = this.feed;
    const hasBars = streams.includes(candleStream(symbol, interval));
    if (hasBars) void (isFresh ? this.feed.catchUp() : this.feed.reread());
    if (streams.includes(tradeStream(symbol)) && !document.hidden) await this.loadTrades();
  }

  /** After a hidden tab: bars and trades that were missed. */
  async catchUp() {
    if (this.#failed) return this.open(this.#failed);
    await Promise.all([this.feed.resume(), this.loadTrades()]);
  }

  /** History is being written while we look: it is read again. */
  async reread() {
    await this.feed.reread();
  }

  /** @param {{from: number} | null} range bar numbers in sight */
  async readOlder(range) {
    if (!range || range.from > MARGIN_BARS || performance.now() < this.#olderBlockedUntilMs) return;
    try {
      await this.feed.older();
    } catch {
      this.#olderBlockedUntilMs = performance.now() + RETRY_OLDER_MS;
      this.#panels.announce("Older bars did not load; scrolling on tries again.");
    }
  }

  /** @param {View | null} view */
  #showBars(view) {
    this.#showState();
    this.#panels.chart.show(this.subject, view);
    this.#panels.showFigures();
    this.#panels.barsChanged();
  }

  #showState() {
    const { store, symbol } = this.feed;
    if (store.length) this.#panels.state.ready();
    else this.#panels.state.emptyMarket(symbol);
  }

  /** @param {Set<number> | null} [revised] */
  #barsReset(revised) {
    this.#showState();
    if (revised) void this.loadTrades(); // some may be gone
    this.#panels.chart.redrawAll(revised);
    this.#panels.barsChanged();
  }

  /** @param {number} index */
  #barChanged(index) {
    // The first bar of an empty market is the chart's beginning.
    if (this.feed.store.length === 1) return this.#showBars(null);
    // The bar before is closed by the one after it, whether or not a message said so.
    this.#panels.chart.touch(Math.max(0, index - 1));
    this.#panels.barsChanged();
  }
}

/** @param {unknown} error */
function reason(error) {
  return error instanceof Error ? error.message : String(error);
}
