/**
 * One market on one chart: its first bars, its stream, what was missed, and older bars when the
 * reader scrolls there. What fails is said and, where that may help, tried again.
 */

import { RequestError } from "../js/api.js";
import { backoffDelay, scheduleTimeout } from "../js/backoff.js";
import { describeConnection } from "../js/connection.js";
import { Feed } from "../js/feed.js";
import { decimalsOf } from "../js/market-row.js";
import { candleStream, tickerStream } from "../js/protocol.js";
import { apiOf, healthOf } from "./health.js";
import { hubOf } from "./hub.js";

/** @import { Health, Market, StreamEvent } from "../js/types.js" */
/** @import { SessionOptions } from "./parts.js" */

/** Older bars are asked for while this many are still left of the view. */
const MARGIN_BARS = 100;
const RETRY_OLDER_MS = 5_000;

export class ChartSession {
  #options;
  #api;
  #hub;
  /** @type {Market | null} */
  #market = null;
  /** @type {Health | null} */
  #health = null;
  #leave = () => {};
  #cancelRetry = () => {};
  #failures = 0;
  #isOpen = true;
  #isShown = false;
  #lostMs = 0;
  #olderBlockedUntilMs = 0;

  /** @param {SessionOptions} options */
  constructor(options) {
    this.#options = options;
    this.#api = apiOf(options.server);
    this.#hub = hubOf(options.server);
    this.feed = new Feed({
      api: this.#api,
      onBar: (index) => this.#barChanged(index),
      onReset: (revised) => this.#barsReset(revised),
    });
  }

  async open() {
    this.#cancelRetry();
    this.#options.onState("loading");
    try {
      await this.#read();
      this.#failures = 0;
    } catch (error) {
      if (this.#isOpen) await this.#failed(error);
    }
  }

  async #read() {
    const { symbol, interval, panel, now_s } = this.#options;
    const market = await this.#api.fetchMarket(symbol);
    if (!this.#isOpen) return;
    this.#market = market;
    panel.showPlace(market.symbol, interval);
    panel.showChange(market.price_change_percent_24h);
    this.#follow(market.symbol);
    await this.feed.open(market.symbol, interval, now_s());
    if (this.#isOpen) this.#show();
  }

  /** @param {string} symbol */
  #follow(symbol) {
    this.#leave();
    const { interval } = this.#options;
    const candles = candleStream(symbol, interval);
    const leave = [
      this.#hub.follow([candles], {
        onEvent: (event) => this.#receive(event),
        onMissed: (isFresh) => void (isFresh ? this.feed.catchUp() : this.feed.reread()),
        onState: () => this.tick(),
      }),
      // Servers that do not know it refuse it; the change of 24 hours then stays as it was read.
      this.#hub.follow([tickerStream(symbol)], {
        onEvent: (event) => this.#receive(event),
        onMissed: () => {},
      }),
    ];
    this.#leave = () => {
      for (const end of leave) end();
    };
  }

  /** @param {StreamEvent} event */
  #receive(event) {
    const { onClock, panel } = this.#options;
    if (event.type === "candle") {
      onClock(event.sentMs);
      this.feed.receive(event);
    } else if (event.type === "reset") void this.feed.revise(event);
    else if (event.type === "ticker" && event.open) {
      panel.showChange((event.close / event.open - 1) * 100);
    }
  }

  get #subject() {
    const { store, interval, symbol } = this.feed;
    const known = this.#market ?? { symbol, current_price: store.last?.close };
    return { store, interval, decimals: decimalsOf(known) };
  }

  #show() {
    this.#isShown = this.feed.store.length > 0;
    this.#options.panel.show(this.#subject);
    this.#options.onState(this.#isShown ? "ready" : "empty");
    this.#options.onBar(this.feed.store.last);
  }

  /** @param {number} index */
  #barChanged(index) {
    if (!this.#isShown) return this.#show();
    this.#options.panel.touch(index);
    this.#options.onBar(this.feed.store.last);
  }

  /** @param {Set<number>} [revised] */
  #barsReset(revised) {
    if (this.#isShown !== this.feed.store.length > 0) return this.#show();
    this.#options.panel.redraw(revised);
    this.#options.onBar(this.feed.store.last);
  }

  /** @param {unknown} error */
  async #failed(error) {
    const { onState, symbol, server } = this.#options;
    const status = error instanceof RequestError ? error.status : 0;
    const message = error instanceof Error ? error.message : String(error);
    const isRefused = status >= 400 && status < 500 && status !== 429;
    // Who does not know the market must be an appliance; anybody says 404.
    if (isRefused && (await healthOf(server))) {
      return onState("error", { title: `No chart of ${symbol}`, fact: message });
    }
    if (!this.#isOpen) return;
    const cause = status ? "" : " It may be down, or not allow this page (CORS_ORIGINS).";
    const title = `No charts at ${new URL(server).host}`;
    onState("error", { title, fact: `${message}${cause} It is tried again by itself.` });
    this.#cancelRetry = scheduleTimeout(() => this.open(), backoffDelay(this.#failures++));
  }

  /** Each second, and when the stream's state changes. */
  tick() {
    const { panel } = this.#options;
    const nowMs = performance.now();
    const { state, nextAttemptMs } = this.#hub;
    if (state !== "reconnecting") this.#lostMs = 0;
    else this.#lostMs ||= nowMs;
    void this.#askHealth();
    const facts = { stream: state, health: this.#health, lostMs: this.#lostMs };
    const connection = describeConnection({ ...facts, nextAttemptMs, latencyMs: null, nowMs });
    panel.showConnection(connection, this.#health?.demo === true);
    panel.tick();
    this.#options.onConnection(connection.kind);
  }

  async #askHealth() {
    if (document.hidden) return;
    const health = await healthOf(this.#options.server);
    if (health) this.#health = health;
  }

  retryNow() {
    this.#hub.retryNow();
    void this.open();
  }

  /** @param {{from: number} | null} range bar numbers in sight */
  async readOlder(range) {
    if (!range || range.from > MARGIN_BARS || performance.now() < this.#olderBlockedUntilMs) return;
    try {
      await this.feed.older();
    } catch {
      this.#olderBlockedUntilMs = performance.now() + RETRY_OLDER_MS;
    }
  }

  close() {
    this.#isOpen = false;
    this.#cancelRetry();
    this.#leave();
    this.feed.close();
  }
}
