import assert from "node:assert/strict";
import { test } from "node:test";
import { Hub } from "../../static/sdk/hub.js";

/** A hub whose socket, page and timers are in the test's hands. */
class Bench {
  /** @type {any[]} */
  sockets = [];
  nowMs = 0;
  /** @type {Set<{at: number, work: () => void}>} */
  timers = new Set();
  page = Object.assign(new EventTarget(), { hidden: false, defaultView: new EventTarget() });

  constructor() {
    this.hub = new Hub({
      openSocket: () => {
        /** @type {any} */
        const socket = { sent: [], isClosed: false };
        socket.send = (/** @type {string} */ data) => socket.sent.push(JSON.parse(data));
        socket.close = () => {
          socket.isClosed = true;
        };
        this.sockets.push(socket);
        return socket;
      },
      page: /** @type {any} */ (this.page),
      now: () => this.nowMs,
      schedule: (work, ms) => {
        const timer = { at: this.nowMs + ms, work };
        this.timers.add(timer);
        return () => this.timers.delete(timer);
      },
    });
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** @param {number} ms */
  pass(ms) {
    this.nowMs += ms;
    for (const timer of [...this.timers]) {
      if (timer.at > this.nowMs || !this.timers.delete(timer)) continue;
      timer.work();
    }
  }

  /** Answers everything that was asked. */
  answer() {
    for (const { id } of this.socket.sent.splice(0)) this.say({ id, result: null });
  }

  /** @param {any} body */
  say(body) {
    this.socket.onmessage({ data: JSON.stringify(body) });
  }

  /** @param {boolean} hidden */
  hide(hidden) {
    this.page.hidden = hidden;
    this.page.dispatchEvent(new Event("visibilitychange"));
  }
}

/** Who notes what it is told. */
function follower() {
  /** @type {string[]} */
  const told = [];
  return {
    told,
    onEvent: () => told.push("event"),
    onMissed: (/** @type {boolean} */ isFresh) => told.push(isFresh ? "fresh" : "lost"),
    onState: (/** @type {string} */ state) => told.push(state),
  };
}

const TRADE = { e: "trade", E: 1, s: "GOLD", t: 1, p: "2", q: "3", T: 1000, m: false };

test("each is told of its own streams only, and a failing one harms no other", () => {
  const bench = new Bench();
  /** @type {Error[]} */
  const errors = [];
  Object.assign(globalThis, { reportError: (/** @type {Error} */ error) => errors.push(error) });
  const [one, other] = [follower(), follower()];
  const failing = {
    ...follower(),
    onEvent: () => {
      throw new Error("a page's own mistake");
    },
  };
  bench.hub.follow(["gold@trade"], failing);
  bench.hub.follow(["gold@trade", "btc@trade"], one);
  bench.hub.follow(["btc@trade"], other);
  bench.pass(20);
  bench.socket.onopen();
  const asked = bench.socket.sent.filter((/** @type {any} */ { method }) => method === "SUBSCRIBE");
  assert.deepEqual(asked[0].params, ["gold@trade", "btc@trade"]);
  assert.equal(asked.length, 1);
  bench.answer();
  bench.say(TRADE);
  assert.deepEqual(one.told, ["live", "fresh", "event"]);
  assert.deepEqual(other.told, ["live", "fresh"]);
  assert.deepEqual(
    errors.map(({ message }) => message),
    ["a page's own mistake"],
  );
});

test("who joins a stream that is under way is told so, but not before it has joined", () => {
  const bench = new Bench();
  bench.hub.follow(["gold@trade"], follower());
  bench.pass(20);
  bench.socket.onopen();
  bench.answer();
  const late = follower();
  bench.hub.follow(["gold@trade"], late);
  assert.deepEqual(late.told, []);
  bench.pass(1);
  assert.deepEqual(late.told, ["fresh"]);
  assert.deepEqual(bench.socket.sent, []);
});

test("a stream lingers from its last follower on; without any the socket is given back", () => {
  const bench = new Bench();
  const leave = bench.hub.follow(["gold@trade"], follower());
  bench.pass(20);
  bench.socket.onopen();
  bench.answer();
  leave();
  leave();
  bench.pass(4000);
  bench.hub.follow(["gold@trade"], follower())();
  bench.pass(4000);
  assert.equal(bench.socket.isClosed, false);
  bench.pass(2000);
  assert.equal(bench.socket.isClosed, true);
  bench.hub.follow(["gold@trade"], follower());
  assert.equal(bench.sockets.length, 2);
});

test("a page out of sight rests, and is live again when somebody looks", () => {
  const bench = new Bench();
  bench.hide(true);
  bench.hide(false);
  assert.equal(bench.sockets.length, 0);
  bench.hub.follow(["gold@trade"], follower());
  bench.pass(20);
  bench.socket.onopen();
  bench.answer();
  bench.hide(true);
  bench.pass(1);
  bench.answer();
  bench.pass(300_000);
  assert.equal(bench.sockets[0].isClosed, true);
  bench.hide(false);
  assert.equal(bench.sockets.length, 2);
});
