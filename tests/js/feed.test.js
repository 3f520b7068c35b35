import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanCandles } from "../../static/js/candles.js";
import { Feed } from "../../static/js/feed.js";

/**
 * A server with one bar a minute from 60 s on, answering when the test says so.
 */
class Bench {
  newest = 600_000;
  pageSize = 1000;
  /** @type {{request: any, answer: () => void, fail: (error: Error) => void}[]} */
  asked = [];
  /** @type {number[]} */
  changed = [];
  resets = 0;
  /** @type {number[][]} */
  revised = [];
  isInstant = true;
  /** @type {(() => void) | null} */
  retry = null;

  constructor() {
    this.feed = new Feed({
      api: { fetchCandles: (request) => this.#fetch(request) },
      onBar: (index) => this.changed.push(index),
      onReset: (revised) => {
        this.resets++;
        if (revised) this.revised.push([...revised]);
      },
      schedule: (work) => {
        this.retry = work;
        return () => {
          this.retry = null;
        };
      },
    });
  }

  /** @param {any} request */
  #fetch(request) {
    return new Promise((resolve, reject) => {
      const answer = () => resolve(this.page(request));
      this.asked.push({ request, answer, fail: reject });
      if (this.isInstant) answer();
    });
  }

  /** @param {any} request */
  page({ to = this.newest + 60, limit }) {
    const last = Math.min(this.newest, Math.ceil(to / 60) * 60 - 60);
    const first = Math.max(60, last - (Math.min(limit, this.pageSize) - 1) * 60);
    const candles = [];
    for (let time = first; time <= last; time += 60) candles.push(bar(time));
    return { candles, olderTo: first > 60 ? first : null };
  }

  /**
   * @param {number} time
   * @param {number} close
   * @param {string} [symbol]
   */
  live(time, close, symbol = "gold") {
    const candle = { ...bar(time), close, high: close };
    this.feed.receive({ type: "candle", symbol, interval: "1m", candle, sentMs: 0 });
  }
}

/** @param {number} time */
function bar(time) {
  const [candle] = cleanCandles([{ time, open: 1, high: 1, low: 1, close: 1, volume: 1 }]);
  return /** @type {import("../../static/js/types.js").Candle} */ (candle);
}

/** Until everything that waits for promises has gone on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** @param {Feed} feed */
function assertWhole(feed) {
  const times = feed.store.all.map(({ time }) => time);
  times.forEach((time, index) => {
    if (index) assert.equal(time - /** @type {number} */ (times[index - 1]), 60);
  });
}

test("opening reads back as far as was asked", async () => {
  const bench = new Bench();
  assert.equal(await bench.feed.open("GOLD", "1m", 600_000 - 2500 * 60), true);
  assert.equal(bench.asked.length, 3);
  assert.equal(bench.feed.store.length, 3000);
  assertWhole(bench.feed);
});

test("opening gives up reading back before it gets too long", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 0);
  assert.equal(bench.feed.store.length, 5000);
});

test("the answer to an earlier choice is dropped", async () => {
  const bench = new Bench();
  bench.isInstant = false;
  const first = bench.feed.open("GOLD", "1m", 600_000);
  const second = bench.feed.open("BTC", "1m", 600_000);
  bench.asked[1]?.answer();
  assert.equal(await second, true);
  bench.live(600_060, 7, "btc");
  bench.asked[0]?.answer();
  assert.equal(await first, false);
  assert.equal(bench.feed.symbol, "BTC");
  assert.equal(bench.feed.store.last?.close, 7);
});

test("the failure of an earlier choice concerns nobody", async () => {
  const bench = new Bench();
  bench.isInstant = false;
  const first = bench.feed.open("GOLD", "1m", 600_000);
  const second = bench.feed.open("BTC", "1m", 600_000);
  bench.asked[0]?.fail(new Error("503"));
  assert.equal(await first, false);
  bench.asked[1]?.fail(new Error("503"));
  await assert.rejects(second, /503/);
});

test("live bars that arrive while loading are kept, and shown only then", async () => {
  const bench = new Bench();
  bench.isInstant = false;
  const loading = bench.feed.open("GOLD", "1m", 600_000);
  bench.live(600_060, 9);
  assert.deepEqual(bench.changed, []);
  bench.asked[0]?.answer();
  await loading;
  assert.equal(bench.feed.store.last?.close, 9);
  assertWhole(bench.feed);
});

test("live bars of another market or interval are not ours", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.live(600_060, 9, "btc");
  assert.equal(bench.feed.store.last?.time, 600_000);
  bench.live(600_060, 9);
  assert.deepEqual(bench.changed, [1000]);
});

test("older pages come one at a time and end with the past", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.pageSize = 6000;
  const [first, second] = await Promise.all([bench.feed.older(), bench.feed.older()]);
  assert.deepEqual([first, second], [1000, 0]);
  while (await bench.feed.older());
  assert.equal(bench.feed.store.first?.time, 60);
  assert.equal(await bench.feed.older(), 0);
  assertWhole(bench.feed);
});

test("a failed page can be asked for again", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.isInstant = false;
  const failing = bench.feed.older();
  bench.asked.at(-1)?.fail(new Error("503"));
  await assert.rejects(failing, /503/);
  bench.isInstant = true;
  assert.equal(await bench.feed.older(), 1000);
});

test("catching up fills the gap and replaces the bar that was forming", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.live(600_060, 50);
  bench.newest = 600_600;
  await bench.feed.catchUp();
  assert.equal(bench.feed.store.at(600_060)?.close, 1);
  assert.equal(bench.feed.store.last?.time, 600_600);
  assert.equal(bench.resets, 1);
  assertWhole(bench.feed);
});

test("a gap longer than can be stitched is read anew", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.newest = 600_000 + 20_000 * 60;
  await bench.feed.catchUp();
  const { length } = bench.feed.store;
  assert.ok(length >= 5000 && length < 6000, `${length} bars`);
  assertWhole(bench.feed);
  assert.equal(await bench.feed.older(), 1000);
  assertWhole(bench.feed);
});

test("nothing is taken in while paused; resuming asks for it", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.feed.pause();
  bench.live(600_060, 9);
  assert.equal(bench.feed.store.last?.time, 600_000);
  bench.newest = 600_120;
  await bench.feed.resume();
  assert.equal(bench.feed.store.last?.time, 600_120);
});

test("provisional bars are asked for again from the first of them on", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.feed.store.merge({ ...bar(599_000 - (599_000 % 60)), close: 5, final: false });
  await bench.feed.catchUp();
  assert.ok(bench.feed.store.all.every(({ final, close }) => final && close === 1));
});

/**
 * @param {Feed} feed
 * @param {number} from
 * @param {number} to
 */
const reset = (feed, from, to) =>
  feed.revise({ type: "reset", symbol: "gold", interval: "1m", from, to });

test("bars that are gone go, revised ones change and are named, others stay", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.live(600_060, 50);
  bench.feed.store.merge({ ...bar(599_940), volume: 9 });
  await reset(bench.feed, 599_880, 600_120);
  assert.equal(bench.feed.store.last?.time, 600_000);
  assert.deepEqual(bench.revised, [[599_940]]);
  assert.deepEqual(bench.asked.at(-1)?.request.to, 600_120);
  assert.ok(bench.asked.at(-1)?.request.limit < 10);
  assertWhole(bench.feed);
});

test("revised bars that arrive while the range is read are kept", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.isInstant = false;
  const reading = reset(bench.feed, 599_940, 600_060);
  bench.live(600_000, 7);
  bench.asked.at(-1)?.answer();
  await reading;
  assert.equal(bench.feed.store.last?.close, 7);
});

test("what is revised again while it is read is read again, in one go", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.isInstant = false;
  const reading = reset(bench.feed, 600_000, 600_060);
  bench.live(600_060, 7);
  reset(bench.feed, 600_060, 600_120);
  bench.isInstant = true;
  bench.asked.at(-1)?.answer();
  await reading;
  assert.equal(bench.asked.length, 3);
  assert.equal(bench.feed.store.last?.time, 600_000);
});

test("a range that is not held, or of another chart, is nobody's business", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  const { first } = bench.feed.store;
  await reset(bench.feed, 60, first?.time ?? 0);
  await bench.feed.revise({ type: "reset", symbol: "btc", interval: "1m", from: 0, to: 1e9 });
  assert.equal(bench.asked.length, 1);
});

test("what was revised while nobody looked or nothing came is read afterwards", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.feed.store.merge({ ...bar(590_040), close: 5 });
  bench.feed.pause();
  await reset(bench.feed, 590_040, 590_100);
  assert.equal(bench.asked.length, 1);
  bench.isInstant = false;
  const resumed = bench.feed.resume();
  bench.asked.at(-1)?.answer();
  bench.isInstant = true;
  await resumed;
  assert.equal(bench.feed.store.at(590_040)?.close, 1);

  bench.feed.store.merge({ ...bar(590_040), close: 5 });
  bench.isInstant = false;
  const failing = reset(bench.feed, 590_040, 590_100);
  bench.asked.at(-1)?.fail(new Error("503"));
  await failing;
  assert.equal(bench.feed.store.at(590_040)?.close, 5);
  bench.isInstant = true;
  bench.retry?.();
  await settled();
  assert.equal(bench.feed.store.at(590_040)?.close, 1);
  assert.equal(bench.retry, null);
});

test("what the stream missed while the first bars were read is asked for after them", async () => {
  const bench = new Bench();
  bench.isInstant = false;
  const opening = bench.feed.open("GOLD", "1m", 600_000);
  bench.feed.catchUp();
  assert.equal(bench.asked.length, 1);
  bench.asked[0]?.answer();
  await opening;
  bench.newest = 600_060;
  bench.asked[1]?.answer();
  await settled();
  assert.equal(bench.feed.store.last?.time, 600_060);
  assert.ok(bench.asked[1]?.request.limit < 20);
});

test("a gap is not forgotten while bars after it come in and the server fails", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.isInstant = false;
  void bench.feed.catchUp();
  bench.asked.at(-1)?.fail(new Error("503"));
  await settled();
  for (let time = 600_180; time < 600_480; time += 60) bench.live(time, 1);
  bench.newest = 600_420;
  bench.isInstant = true;
  bench.retry?.();
  await settled();
  assertWhole(bench.feed);
});

test("after a loss that may have changed anything, all that is held is read, and no more", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000 - 2500 * 60);
  const { first, length } = bench.feed.store;
  bench.feed.store.merge({ ...bar(540_000), close: 5, high: 5 });
  bench.newest = 600_300;
  await bench.feed.reread();
  assert.equal(bench.feed.store.at(540_000)?.close, 1);
  assert.deepEqual([bench.feed.store.first, bench.feed.store.length], [first, length + 5]);
  assert.equal(bench.resets, 1);
  assertWhole(bench.feed);
});

test("when nothing was missed after all, nothing is drawn again", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  await bench.feed.catchUp();
  assert.equal(bench.asked.length, 2);
  assert.equal(bench.resets, 0);
});

test("a feed that is closed asks for nothing any more", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.isInstant = false;
  void bench.feed.catchUp();
  bench.feed.close();
  bench.asked.at(-1)?.fail(new Error("503"));
  await settled();
  bench.retry?.();
  await bench.feed.catchUp();
  assert.equal(bench.asked.length, 2);
});

test("a market that is chosen while the old one is read is not touched by its answer", async () => {
  const bench = new Bench();
  await bench.feed.open("GOLD", "1m", 600_000);
  bench.isInstant = false;
  const reading = reset(bench.feed, 599_940, 600_060);
  const opening = bench.feed.open("BTC", "1m", 600_000);
  bench.asked[2]?.answer();
  await opening;
  bench.live(600_000, 7, "btc");
  bench.asked[1]?.answer();
  await reading;
  assert.equal(bench.feed.store.last?.close, 7);
});
