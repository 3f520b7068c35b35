/**
 * A widget as TradingView documents its charting library to behave towards a datafeed: it wants
 * every answer later and ascending, asks on until it has what it needs, keeps and changes what it
 * is given, and takes live only the last bar or a later one.
 */

import assert from "node:assert/strict";

/** @import { Bar, Datafeed, HistoryMetadata, SymbolInfo } from "https://charts.example/sdk/datafeed.js" */

let subscriptions = 0;

export class Widget {
  /** @type {Bar[]} ascending */
  bars = [];
  /** @type {string[]} what a console would be full of */
  violations = [];
  ticks = 0;
  resets = 0;
  requests = 0;
  isComplete = false;
  /** Whether it hands over copies of the market it was given. */
  isCopying = false;
  #guid = `guid-${++subscriptions}`;
  #isSubscribed = false;
  #isEmpty = true;
  #generation = 0;
  /** @type {SymbolInfo | null} */
  market = null;

  /**
   * @param {Datafeed} datafeed
   * @param {string} resolution
   * @param {() => number} now_s
   */
  constructor(datafeed, resolution, now_s) {
    this.datafeed = datafeed;
    this.resolution = resolution;
    this.now_s = now_s;
    datafeed.onReset(() => this.resetData());
  }

  /** Fails if the callback is called before the call returns. @param {(done: (...values: any[]) => void) => void} call */
  #later(call) {
    let isBack = false;
    return new Promise((resolve) => {
      call((...values) => {
        assert.ok(isBack, "callbacks must be asynchronous");
        resolve(values);
      });
      isBack = true;
    });
  }

  /** @param {string} name */
  async open(name) {
    const [configuration] = await this.#later((done) => this.datafeed.onReady(done));
    assert.ok(configuration.supported_resolutions.length);
    const [market] = await this.#later((done) => this.datafeed.resolveSymbol(name, done, done));
    if (typeof market === "string") throw new Error(market);
    this.market = market;
    await this.resetData();
    this.#subscribe();
  }

  #handed() {
    const market = /** @type {SymbolInfo} */ (this.market);
    return this.isCopying ? { ...market } : market;
  }

  #subscribe() {
    const market = this.#handed();
    this.#isSubscribed = true;
    let isBack = false;
    this.datafeed.subscribeBars(
      market,
      this.resolution,
      (bar) => {
        assert.ok(isBack, "callbacks must be asynchronous");
        this.#tick(bar);
      },
      this.#guid,
      () => {
        this.resets++;
      },
    );
    isBack = true;
  }

  /** Its cache is empty; it reads until it has enough for a screen. */
  async resetData(wanted = 100) {
    const generation = ++this.#generation;
    this.bars = [];
    this.isComplete = false;
    this.#isEmpty = true;
    let to = this.now_s() + 60;
    let isFirst = true;
    for (let turn = 0; turn < 10 && this.bars.length < wanted; turn++) {
      const countBack = wanted - this.bars.length;
      const period = { from: to - countBack * 60, to, countBack, firstDataRequest: isFirst };
      const answer = this.#history(period, generation);
      const [bars, meta] = await answer;
      if (generation !== this.#generation) return;
      if (meta.noData && !meta.nextTime) break;
      to = bars.length ? bars[0].time / 1000 : meta.nextTime / 1000 + 1;
      isFirst = false;
    }
    this.isComplete = true;
  }

  /**
   * @param {{from: number, to: number, countBack: number, firstDataRequest: boolean}} period
   * @param {number} generation
   */
  #history(period, generation) {
    this.requests++;
    const market = this.#handed();
    return this.#later((done) =>
      this.datafeed.getBars(
        market,
        this.resolution,
        period,
        (bars, meta) => {
          if (generation === this.#generation) this.#prepend(bars, meta, period);
          done(bars, meta);
        },
        (reason) => done([], { noData: true }, reason),
      ),
    );
  }

  /** @param {Bar[]} bars @param {HistoryMetadata} meta @param {{to: number}} period */
  #prepend(bars, meta, { to }) {
    if (meta.noData && bars.length) this.violations.push("noData with bars");
    if (!meta.noData && !bars.length) this.violations.push("no bars, but no noData");
    bars.forEach(({ time }, index) => {
      const before = bars[index - 1];
      if (before && before.time >= time) this.violations.push("data must have unique times");
    });
    if (bars.some(({ time }) => time >= to * 1000)) this.violations.push("bars at or after to");
    this.bars = [...bars, ...this.bars];
    this.#isEmpty = false;
  }

  /** @param {Bar} bar */
  #tick(bar) {
    this.ticks++;
    if (!this.#isSubscribed) this.violations.push("a tick after unsubscribing");
    if (this.#isEmpty) return; // there is nothing it could belong to
    const last = this.bars.at(-1);
    if (last && bar.time < last.time) this.violations.push("putToCacheNewBar: time violation");
    else if (last?.time === bar.time) this.bars[this.bars.length - 1] = bar;
    else this.bars.push(bar);
  }

  close() {
    this.#isSubscribed = false;
    this.datafeed.unsubscribeBars(this.#guid);
  }
}
