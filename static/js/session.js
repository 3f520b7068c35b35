/**
 * One reader's session: which market and interval are open, and what flows between feed, stream
 * and the panels because of it. Everything it uses is handed in by dashboard.js.
 *
 * @import { Api } from "./api.js"
 */

import { RequestError } from "./api.js";
import { candlesFromColumns } from "./candles.js";
import { Feed } from "./feed.js";
import { intervalSeconds } from "./intervals.js";
import { decimalsOf } from "./market-row.js";
import { withPrice } from "./markets.js";
import { candleStream, compactSymbol, tradeStream } from "./protocol.js";

/** @import { Bootstrap, Companion, Market, Panels, Place, StreamEvent, View } from "./types.js" */

export const TAPE_TRADES = 100;
/** What a screen can show at most; reading further back for it would be in vain. */
const MOST_VISIBLE_BARS = 1500;
/** Older bars are asked for while this many are still left of the view. */
const MARGIN_BARS = 100;
const RETRY_OLDER_MS = 5_000;
const NOT_FOUND = 404;

export class Session {
  #api;
  #panels;
  #now_s;
  #olderBlockedUntilMs = 0;
  #tapeTrades = TAPE_TRADES;
  #mostInPage = 0;
  /** What did not load; it is tried again when the stream returns. */
  /** @type {Place | null} */
  #failed = null;
  /** @type {Market | undefined} the last answer for the open market */
  #market;
  /** Told of everything that happens to the open market; events and compared markets are such. */
  /** @type {Set<Companion>} */
  #companions = new Set();
  /** @type {(streams: string[]) => void} */
  #want = () => {};

  /**
   * @param {{api: Api, panels: () => Panels, now_s: () => number}} parts
   */
  constructor({ api, panels, now_s }) {
    this.#api = api;
    this.#panels = panels;
    this.#now_s = now_s;
    this.feed = new Feed({
      api,
      mostInPage: () => this.#mostInPage,
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
  adopt(bootstrap) {
    const { symbol, interval, candles, trades, markets, market } = bootstrap;
    this.#mostInPage = bootstrap.history_max_bars;
    if (symbol === null) return this.#showNothing(bootstrap);
    const { tape } = this.#panels();
    this.feed.adopt(symbol, interval, candlesFromColumns(candles));
    this.#market = market ?? undefined;
    this.showMarkets(markets);
    this.#showPlace({ symbol, interval });
    tape?.show(trades, this.#decimals);
    this.#showBars(null);
    for (const companion of this.#companions) companion.opened?.({ isOther: true });
  }

  /** There is no market, or none that is called so, or none could be read. @param {Bootstrap} bootstrap */
  #showNothing({ interval, unknown, failure }) {
    const { state, tape, intervals } = this.#panels();
    intervals?.select(interval);
    tape?.show([], 2);
    if (failure) {
      state.error(failure, () => location.reload());
      tape?.error(failure, () => location.reload());
    } else if (unknown) this.#showUnknown(unknown);
    else state.emptyStore();
  }

  /** @param {Place} place */
  #showPlace(place) {
    const { list, intervals, figures } = this.#panels();
    list?.select(place.symbol);
    intervals?.select(place.interval);
    figures.showPlace(place, this.#market);
  }

  /** Connects the stream: what is wanted is asked of it from now on. @param {(streams: string[]) => void} want */
  connect(want) {
    this.#want = want;
    this.subscribe();
  }

  /** @param {Companion} companion */
  join(companion) {
    this.#companions.add(companion);
    this.subscribe();
  }

  /** @param {Companion} companion */
  leave(companion) {
    this.#companions.delete(companion);
    this.subscribe();
  }

  /** @param {Place} place */
  async open({ symbol, interval }) {
    const { state, chart, list, figures } = this.#panels();
    const isOther = symbol !== this.feed.symbol;
    const view = this.#viewFor(isOther);
    state.loading();
    const loaded = this.feed.open(symbol, interval, this.#from(view, interval));
    this.#market = list?.find(symbol);
    this.#showPlace({ symbol, interval });
    figures.show();
    this.subscribe();
    if (isOther) void this.loadTrades();
    this.#failed = null;
    try {
      if (!(await loaded)) return;
      this.#showBars(view);
      for (const companion of this.#companions) companion.opened?.({ isOther });
    } catch (error) {
      chart.show(this.subject);
      this.#openFailed({ symbol, interval }, error);
    }
  }

  /**
   * @param {Place} place
   * @param {unknown} error
   */
  #openFailed(place, error) {
    if (error instanceof RequestError && error.status === NOT_FOUND) {
      return this.#showUnknown(place.symbol);
    }
    this.#failed = place;
    this.#panels().state.error(reason(error), () => this.open(place));
  }

  /** @param {string} symbol */
  #showUnknown(symbol) {
    const { state, list, figures } = this.#panels();
    figures.showPlace({ symbol: "", interval: this.feed.interval }, undefined);
    state.unknownMarket(symbol, list && (() => list.focusSearch(symbol)));
  }

  /** Another market follows now, unless the reader is looking at the past. @param {boolean} isOther */
  #viewFor(isOther) {
    const view = this.#panels().chart.view();
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

  /** Asks the stream for exactly what is shown. */
  subscribe() {
    const { symbol, interval } = this.feed;
    const bars = symbol ? [candleStream(symbol, interval)] : [];
    const trades = symbol && this.#panels().tape ? [tradeStream(symbol)] : [];
    const others = [...this.#companions].flatMap((companion) => companion.streams?.() ?? []);
    this.#want([...bars, ...trades, ...others]);
  }

  /** @param {number} [limit] holds for later reads, too */
  async loadTrades(limit = this.#tapeTrades) {
    this.#tapeTrades = limit;
    const { symbol } = this.feed;
    const { tape } = this.#panels();
    if (!symbol || !tape) return;
    tape.reset();
    try {
      const trades = await this.#api.fetchTrades(symbol, limit);
      if (symbol === this.feed.symbol) tape.show(trades, this.#decimals);
    } catch (error) {
      if (symbol !== this.feed.symbol) return;
      tape.error(reason(error), () => this.loadTrades());
    }
  }

  /** @param {Market[]} markets */
  showMarkets(markets) {
    const { list, figures } = this.#panels();
    list?.show(markets);
    const found = list?.find(this.feed.symbol);
    // What only the market's own row tells is not forgotten for the list's.
    if (found) this.#market = { ...this.#market, ...found };
    if (this.feed.symbol) figures.show();
  }

  /** What was read of the open market alone. @param {Market} market */
  showMarket(market) {
    if (market.symbol !== this.feed.symbol) return;
    this.#market = { ...this.#market, ...market };
    this.#panels().figures.show();
  }

  /** @param {StreamEvent} event */
  receive(event) {
    for (const companion of this.#companions) companion.received?.(event);
    if (event.type === "candle") this.feed.receive(event);
    else if (event.type === "reset") void this.feed.revise(event);
    else if (event.type !== "trade" || document.hidden) return;
    else if (event.symbol === compactSymbol(this.feed.symbol)) {
      this.#panels().tape?.add(event.trade);
    }
  }

  /**
   * Of these streams events may be missing up to now.
   * @param {string[]} streams
   * @param {boolean} isFresh what was read a moment ago is old by that moment at most
   */
  async missed(streams, isFresh) {
    // A stream that has only begun brings no news of a store that just failed.
    if (this.#failed) return isFresh ? undefined : this.open(this.#failed);
    const { symbol, interval } = this.feed;
    const hasBars = streams.includes(candleStream(symbol, interval));
    if (hasBars) void (isFresh ? this.feed.catchUp() : this.feed.reread());
    for (const companion of this.#companions) void companion.missed?.(streams);
    if (streams.includes(tradeStream(symbol)) && !document.hidden) await this.loadTrades();
  }

  /** After a hidden tab: bars and trades that were missed. */
  async catchUp() {
    if (this.#failed) return this.open(this.#failed);
    const others = [...this.#companions].map((companion) => companion.missed?.());
    await Promise.all([this.feed.resume(), this.loadTrades(), ...others]);
  }

  /** History is being written while we look: it is read again. */
  async reread() {
    await this.feed.reread();
  }

  /** @param {{from: number} | null} range bar numbers in sight */
  async readOlder(range) {
    if (!range || range.from > MARGIN_BARS || performance.now() < this.#olderBlockedUntilMs) return;
    try {
      if (await this.feed.older()) for (const each of this.#companions) each.grown?.();
    } catch {
      this.#olderBlockedUntilMs = performance.now() + RETRY_OLDER_MS;
      this.#panels().announce?.("Older bars did not load; scrolling on tries again.");
    }
  }

  /** @param {View | null} view */
  #showBars(view) {
    const { chart, figures } = this.#panels();
    this.#showState();
    chart.show(this.subject, view);
    figures.show();
    figures.barsChanged();
  }

  #showState() {
    const { store, symbol } = this.feed;
    const { state } = this.#panels();
    if (store.length) state.ready();
    else state.emptyMarket(symbol);
  }

  /** @param {Set<number>} [revised] */
  #barsReset(revised) {
    const { chart, figures } = this.#panels();
    this.#showState();
    if (revised) void this.loadTrades(); // some may be gone
    chart.redrawAll(revised);
    figures.barsChanged();
  }

  /** @param {number} index */
  #barChanged(index) {
    const { chart, figures } = this.#panels();
    // The first bar of an empty market is the chart's beginning.
    if (this.feed.store.length === 1) return this.#showBars(null);
    // The bar before is closed by the one after it, whether or not a message said so.
    chart.touch(Math.max(0, index - 1));
    figures.barsChanged();
  }
}

/** @param {unknown} error */
function reason(error) {
  return error instanceof Error ? error.message : String(error);
}
