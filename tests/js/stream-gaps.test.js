import assert from "node:assert/strict";
import { test } from "node:test";
import { Feed } from "../../static/js/feed.js";
import { isCounted } from "../../static/js/protocol.js";
import { Stream } from "../../static/js/stream.js";
import { StreamServer } from "./stream-server.js";

const RUNS = 150;
const STEPS = 150;

/** Small, fast and the same every time. @param {number} seed */
function chance(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A page that follows the server, and a clock that moves only when the test says so. */
class Reader {
  nowMs = 0;
  /** @type {Set<{at: number, work: () => void}>} */
  timers = new Set();
  /** @type {any} */
  socket = null;
  /** @type {string[]} */
  log = [];

  /** @param {StreamServer} server @param {() => number} random */
  constructor(server, random) {
    const schedule = (/** @type {() => void} */ work, /** @type {number} */ ms) => {
      const timer = { at: this.nowMs + ms, work };
      this.timers.add(timer);
      return () => this.timers.delete(timer);
    };
    this.stream = new Stream({
      openSocket: () => {
        this.socket = server.connect();
        return this.socket;
      },
      onEvent: (event) => this.#take(event),
      onMissed: (_, isFresh) => {
        this.log.push("missed");
        void (isFresh ? this.feed.catchUp() : this.feed.reread());
      },
      onState: () => {},
      now: () => this.nowMs,
      random,
      schedule,
    });
    this.feed = new Feed({
      api: { fetchCandles: (page) => server.fetchCandles(page) },
      onBar: () => {},
      onReset: () => {},
      schedule,
    });
    this.stream.want(["gold@kline_1m"]);
    this.stream.start();
  }

  /** @param {import("../../static/js/types.js").StreamEvent} event */
  #take(event) {
    // After a return the last bar is shown once more, under the number it has.
    const isShown = event.type === "candle" && this.log.at(-1) === String(event.u);
    if (isCounted(event) && !isShown) this.log.push(String(event.u));
    if (event.type === "candle") this.feed.receive(event);
    else if (event.type === "reset") void this.feed.revise(event);
  }

  /** @param {number} ms */
  pass(ms) {
    this.nowMs += ms;
    for (const timer of [...this.timers]) {
      if (timer.at > this.nowMs) continue;
      this.timers.delete(timer);
      timer.work();
    }
  }

  /** Between two events nothing is missing and nothing comes twice, unless it was said. */
  assertJoined() {
    this.log.forEach((entry, index) => {
      const before = this.log[index - 1] ?? "missed";
      if ([before, entry, this.log[index + 1]].includes("missed")) return;
      assert.equal(Number(entry), Number(before) + 1, this.log.join(" "));
    });
  }
}

/** @type {((server: StreamServer, reader: Reader, random: () => number) => void)[]} */
const HAPPENINGS = [
  (server, _, random) => server.trade(1 + Math.floor(random() * 9)),
  (server, _, random) => server.trade(1 + Math.floor(random() * 9)),
  (server) => server.close(),
  // While the stream begins, only the last bars are read a second time.
  (server, reader, random) => {
    const deepest = reader.log.length ? 29 : 9;
    server.late(1 + Math.floor(random() * deepest), Math.ceil(random() * 20));
  },
  (server, _, random) => server.reorganize(1 + Math.floor(random() * 3)),
  (_, reader) => reader.socket?.open(),
  (_, reader) => reader.socket?.open(),
  (_, reader) => reader.socket?.lose(),
  (_, reader) => reader.socket?.deliver(3),
  (_, reader) => reader.socket?.deliver(100),
  (_, reader) => reader.socket?.deliver(100),
  (_, reader, random) => random() < 0.4 && reader.socket?.die(),
  (server, reader, random) => {
    if (random() < 0.9) return;
    server.restart();
    reader.socket?.onclose?.({});
  },
  (_, reader) => reader.pass(400),
  (_, reader) => reader.pass(2000),
  (_, reader) => reader.feed.pause(),
  (_, reader) => void reader.feed.resume(),
  (_, reader) => void reader.feed.resume(),
];

test("whatever is cut, restarted, revised or refused, the bars end up those of the server", async () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const random = chance(seed);
    let isCalm = false;
    const server = new StreamServer(() => !isCalm && random() < 0.3);
    for (let count = 0; count < 30; count++) {
      server.trade(5);
      server.close();
    }
    const reader = new Reader(server, random);
    const opening = reader.feed.open("GOLD", "1m", server.time - 600).catch(() => false);
    for (let step = 0; step < STEPS; step++) {
      HAPPENINGS[Math.floor(random() * HAPPENINGS.length)]?.(server, reader, random);
      if (random() < 0.3) await settled();
    }
    isCalm = true;
    if (!(await opening)) await reader.feed.open("GOLD", "1m", server.time - 600);
    void reader.feed.resume();
    for (let turn = 0; turn < 12; turn++) {
      if (turn === 8) server.trade(5); // that an event went astray is known by the next one
      reader.pass(6000);
      reader.socket.open();
      reader.socket.deliver(1000);
      await settled();
      await settled();
    }
    assertSame(reader.feed, server, seed);
    reader.assertJoined();
  }
});

/** @param {Feed} feed @param {StreamServer} server @param {number} seed */
function assertSame(feed, server, seed) {
  const { first } = feed.store;
  const shown = feed.store.all.map(({ closed, ...bar }) => bar);
  const stored = [...server.bars.values()].sort((a, b) => a.time - b.time);
  const expected = stored.filter(({ time }) => time >= (first?.time ?? 0));
  assert.deepEqual(shown, expected, `seed ${seed}`);
}
