/**
 * TradingView's Datafeed API on the appliance's REST and WebSocket: give an instance to the widget.
 * Every callback is called asynchronously, as widgets demand, with objects of its own, because they
 * change them.
 */

import { BarHistory } from "./bar-history.js";
import { serverAddress } from "./home.js";
import { hubOf } from "./hub.js";
import { LiveBars } from "./live-bars.js";
import { LiveQuotes } from "./live-quotes.js";
import { Udf } from "./udf.js";

/** @import * as Public from "./types/datafeed.js" */
/** @import { BarsAnswer } from "./parts.js" */
/** @typedef {Pick<Public.SymbolInfo, "name" | "ticker">} Market */

/** Several bars are revised at once as a rule: one reset is enough for them. */
const RESET_AFTER_MS = 200;

export class Datafeed {
  static {
    /** The checker sees to it that datafeed.d.ts tells pages the truth. @type {typeof Public.Datafeed} */
    const declared = Datafeed;
    void declared;
  }

  #udf;
  #hub;
  /** @type {Map<string, LiveBars>} */
  #liveBars = new Map();
  /** @type {Map<string, LiveQuotes>} */
  #liveQuotes = new Map();
  /** By market and resolution. */
  /** @type {Map<string, BarHistory>} */
  #histories = new Map();
  /** The market objects that widgets were given. */
  #known = new WeakSet();
  /** @type {Set<() => void>} */
  #resetListeners = new Set();
  /** Caches that are to be reset in a moment. */
  /** @type {Set<() => void>} */
  #resets = new Set();

  /** @param {Public.DatafeedOptions} [options] */
  constructor({ api } = {}) {
    const server = serverAddress(api);
    this.#udf = new Udf(server);
    this.#hub = hubOf(server);
  }

  /** @param {(configuration: Public.DatafeedConfiguration) => void} callback */
  onReady(callback) {
    void this.#udf.config().then(callback);
  }

  /**
   * @param {string} query
   * @param {string} exchange
   * @param {string} type
   * @param {(items: Public.SymbolResult[]) => void} onResult
   */
  searchSymbols(query, exchange, type, onResult) {
    void this.#udf.search({ query, exchange, type }).then(onResult, () => onResult([]));
  }

  /**
   * @param {string} name
   * @param {(symbolInfo: Public.SymbolInfo) => void} onResolve
   * @param {(reason: string) => void} onError
   */
  resolveSymbol(name, onResolve, onError) {
    const give = (/** @type {Public.SymbolInfo} */ market) => {
      this.#known.add(market);
      onResolve(market);
    };
    void this.#udf.symbol(name).then(give, ({ message }) => onError(message));
  }

  /**
   * @param {Market} market
   * @param {string} resolution
   * @param {Public.PeriodParams} period
   * @param {(bars: Public.Bar[], meta: Public.HistoryMetadata) => void} onResult
   * @param {(reason: string) => void} onError
   */
  getBars(market, resolution, { from, to, countBack = 0, firstDataRequest }, onResult, onError) {
    const question = { symbol: symbolOf(market), resolution, from, to, countback: countBack };
    const history = this.#history(market, resolution);
    if (firstDataRequest) history.ask(market, question);
    const give = (/** @type {BarsAnswer} */ { bars, nextTime }) => {
      const copies = bars.map((bar) => ({ ...bar })); // widgets change what they are given
      if (bars.length) onResult(bars, { noData: false });
      else onResult([], { noData: true, ...(nextTime && { nextTime: nextTime * 1000 }) });
      history.answer(market, question, copies);
    };
    void this.#udf.bars(question).then(give, ({ message }) => onError(message));
  }

  /** @param {Market} market @param {string} resolution */
  #history(market, resolution) {
    const key = `${resolution} ${symbolOf(market)}`;
    const history = this.#histories.get(key) ?? new BarHistory(this.#known);
    this.#histories.set(key, history);
    return history;
  }

  /**
   * @param {Market} market
   * @param {string} resolution
   * @param {(bar: Public.Bar) => void} onTick
   * @param {string} listenerGuid
   * @param {() => void} onResetCacheNeeded
   */
  subscribeBars(market, resolution, onTick, listenerGuid, onResetCacheNeeded) {
    this.unsubscribeBars(listenerGuid);
    const history = this.#history(market, resolution);
    const live = new LiveBars({
      udf: this.#udf,
      hub: this.#hub,
      symbol: symbolOf(market),
      resolution,
      bars: history.tail(market),
      onBar: onTick,
      onResetNeeded: () => this.#reset(onResetCacheNeeded),
    });
    history.add(market, live);
    this.#liveBars.set(listenerGuid, live);
  }

  /** @param {string} listenerGuid */
  unsubscribeBars(listenerGuid) {
    const live = this.#liveBars.get(listenerGuid);
    if (!live) return;
    live.close();
    this.#liveBars.delete(listenerGuid);
    for (const history of this.#histories.values()) history.delete(live);
  }

  /** @param {() => void} onResetCacheNeeded */
  #reset(onResetCacheNeeded) {
    if (!this.#resets.size) setTimeout(() => this.#resetAll(), RESET_AFTER_MS);
    this.#resets.add(onResetCacheNeeded);
  }

  #resetAll() {
    const listeners = [...this.#resets, ...this.#resetListeners];
    this.#resets.clear();
    for (const listener of listeners) listener();
  }

  /** @param {() => void} listener */
  onReset(listener) {
    this.#resetListeners.add(listener);
    return () => void this.#resetListeners.delete(listener);
  }

  /**
   * @param {Market} market
   * @param {number} from
   * @param {number} to
   * @param {(marks: Public.Mark[]) => void} onData
   * @param {string} resolution
   */
  getMarks(market, from, to, onData, resolution) {
    const question = { symbol: symbolOf(market), from, to, resolution };
    void this.#udf.marks("marks", question).then(onData, () => onData([]));
  }

  /**
   * @param {Market} market
   * @param {number} from
   * @param {number} to
   * @param {(marks: Public.TimescaleMark[]) => void} onData
   * @param {string} resolution
   */
  getTimescaleMarks(market, from, to, onData, resolution) {
    const question = { symbol: symbolOf(market), from, to, resolution };
    void this.#udf.marks("timescale_marks", question).then(onData, () => onData([]));
  }

  /** Of a server that is away the viewer's own clock is the best guess. @param {(unixTime: number) => void} callback */
  getServerTime(callback) {
    void this.#udf.time().then(callback, () => callback(Math.floor(Date.now() / 1000)));
  }

  /**
   * @param {string[]} symbols
   * @param {(quotes: Public.Quote[]) => void} onData
   * @param {(reason: string) => void} onError
   */
  getQuotes(symbols, onData, onError) {
    void this.#udf.quotes(symbols).then(onData, ({ message }) => onError(message));
  }

  /**
   * @param {string[]} symbols
   * @param {string[]} fastSymbols
   * @param {(quotes: Public.Quote[]) => void} onQuotes
   * @param {string} listenerGuid
   */
  subscribeQuotes(symbols, fastSymbols, onQuotes, listenerGuid) {
    this.unsubscribeQuotes(listenerGuid);
    const [udf, hub] = [this.#udf, this.#hub];
    const live = new LiveQuotes({ udf, hub, symbols, fastSymbols, onQuotes });
    this.#liveQuotes.set(listenerGuid, live);
  }

  /** @param {string} listenerGuid */
  unsubscribeQuotes(listenerGuid) {
    this.#liveQuotes.get(listenerGuid)?.close();
    this.#liveQuotes.delete(listenerGuid);
  }

  close() {
    for (const guid of this.#liveBars.keys()) this.unsubscribeBars(guid);
    for (const guid of this.#liveQuotes.keys()) this.unsubscribeQuotes(guid);
  }
}

/** What the market is asked for by. @param {Market} market */
function symbolOf({ ticker, name }) {
  return ticker || name;
}
