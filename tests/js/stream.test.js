import assert from "node:assert/strict";
import { test } from "node:test";
import { Stream } from "../../static/js/stream.js";

/** A socket, a clock and a scheduler in the test's hands. */
class Bench {
  /** @type {FakeSocket[]} */
  sockets = [];
  /** @type {string[]} */
  states = [];
  /** @type {any[]} */
  events = [];
  /** @type {number[]} */
  latencies = [];
  /** @type {string[][]} */
  missed = [];
  /** @type {string[][]} */
  fresh = [];
  nowMs = 0;
  /** @type {{at: number, work: () => void}[]} */
  timers = [];
  /** Which kind of socket each is: the usual one, or what is opened instead. */
  kinds = "";

  constructor() {
    this.stream = new Stream({
      openSocket: () => this.#open("w"),
      openInstead: () => this.#open("i"),
      onEvent: (event) => this.events.push(event),
      onState: (state) => this.states.push(state),
      onMissed: (streams, isFresh) => (isFresh ? this.fresh : this.missed).push(streams),
      onLatency: (ms) => this.latencies.push(ms),
      now: () => this.nowMs,
      random: () => 1,
      schedule: (work, ms) => {
        const timer = { at: this.nowMs + ms, work };
        this.timers.push(timer);
        return () => {
          this.timers = this.timers.filter((other) => other !== timer);
        };
      },
    });
  }

  /** @param {string} kind */
  #open(kind) {
    this.kinds += kind;
    this.sockets.push(new FakeSocket());
    return this.socket;
  }

  get socket() {
    return /** @type {FakeSocket} */ (this.sockets.at(-1));
  }

  /** The line breaks; time passes until the next attempt. */
  lose() {
    const { length } = this.sockets;
    this.socket.onclose?.({});
    while (this.sockets.length === length) this.pass(100);
  }

  /** @param {number} ms */
  pass(ms) {
    const until = this.nowMs + ms;
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.timers = this.timers.filter((timer) => timer !== due);
      this.nowMs = due.at;
      due.work();
    }
    this.nowMs = until;
  }

  connect() {
    this.stream.start();
    this.socket.open();
    this.socket.greet("epoch-1");
  }
}

class FakeSocket {
  /** @type {any[]} */
  sent = [];
  isClosed = false;
  /** @type {((event: any) => void) | null} */
  onopen = null;
  /** @type {((event: any) => void) | null} */
  onmessage = null;
  /** @type {((event: any) => void) | null} */
  onclose = null;

  /** @param {string} data */
  send(data) {
    this.sent.push(JSON.parse(data));
  }

  close() {
    this.isClosed = true;
  }

  open() {
    this.onopen?.({});
  }

  /** @param {unknown} body */
  say(body) {
    this.onmessage?.({ data: JSON.stringify(body) });
  }

  /** @param {string} method */
  asked(method) {
    return this.sent.filter((message) => message.method === method).map(({ params }) => params);
  }

  /** @param {string} epoch */
  greet(epoch) {
    this.say({ result: { epoch, server: "test" }, id: 0 });
  }

  /** Answers the last request of this kind. @param {string} method @param {object} body */
  answer(method, body) {
    const { id } = this.sent.filter((message) => message.method === method).at(-1);
    this.say({ id, ...body });
  }

  answerProbe() {
    const probe = this.sent.filter(({ method }) => method === "LIST_SUBSCRIPTIONS").at(-1);
    this.say({ result: [], id: probe.id });
  }
}

test("what is wanted before the socket opens is asked for when it does", () => {
  const bench = new Bench();
  bench.stream.want(["gold@trade"]);
  bench.connect();
  assert.deepEqual(bench.socket.asked("SUBSCRIBE"), [["gold@trade"]]);
  assert.deepEqual(bench.states, ["connecting", "live"]);
});

test("while no kind of socket brings anything, the other has its turn; then what works stays", () => {
  const bench = new Bench();
  bench.stream.start();
  for (let turn = 0; turn < 5; turn++) bench.lose();
  bench.socket.open();
  bench.socket.greet("epoch-1");
  for (let turn = 0; turn < 10; turn++) bench.lose();
  // In turns, seven times what has worked, in turns again.
  assert.equal(bench.kinds, "wwiwwi" + "iiiiiii" + "iww");
});

test("a socket is live only once the server has spoken", () => {
  const bench = new Bench();
  bench.stream.start();
  bench.socket.open();
  assert.deepEqual(bench.states, ["connecting"]);
  bench.socket.onclose?.({});
  assert.deepEqual(bench.states, ["connecting", "reconnecting"]);
});

test("it says hello before anything else, so that it is told of revisions", () => {
  const bench = new Bench();
  bench.stream.want(["gold@kline_1m"]);
  bench.connect();
  assert.deepEqual(bench.socket.sent[0], { method: "HELLO", id: 0 });
  bench.socket.say({ result: { epoch: "x", server: "y" }, id: 0 });
  assert.deepEqual(bench.latencies, []);
  bench.socket.say({ e: "reset", s: "GOLD", i: "1m", from: 60_000, to: 120_000, reason: "reorg" });
  const expected = { type: "reset", symbol: "gold", interval: "1m", from: 60, to: 120 };
  assert.deepEqual(bench.events, [expected]);
});

test("only the difference between two wishes is sent", () => {
  const bench = new Bench();
  bench.connect();
  bench.stream.want(["a@trade", "b@trade"]);
  bench.stream.want(["b@trade", "c@trade"]);
  bench.stream.want(["b@trade", "c@trade"]);
  assert.deepEqual(bench.socket.asked("SUBSCRIBE"), [["a@trade", "b@trade"], ["c@trade"]]);
  assert.deepEqual(bench.socket.asked("UNSUBSCRIBE"), [["a@trade"]]);
});

const KLINE = { t: 60_000, i: "1m", o: "1", h: "1", l: "1", c: "1", v: "1", x: false };

/** @param {number} [u] @param {boolean} [x] */
const kline = (u, x = false) => ({ e: "kline", E: 1, s: "GOLD", k: { ...KLINE, x }, u });

/** A stream that was followed up to closed bar 7 and is back after a loss. */
function returned() {
  const bench = new Bench();
  bench.stream.want(["gold@kline_1m", "gold@trade"]);
  bench.connect();
  bench.socket.answer("SUBSCRIBE", { result: null });
  bench.socket.say(kline(7, true));
  bench.socket.say(kline(7));
  bench.socket.onclose?.({ code: 4008 });
  bench.pass(500);
  bench.socket.open();
  return bench;
}

test("what is asked for the first time may be behind what a page has read", () => {
  const bench = new Bench();
  bench.stream.want(["gold@trade"]);
  bench.connect();
  assert.deepEqual(bench.missed, []);
  bench.socket.answer("SUBSCRIBE", { result: null });
  bench.stream.want(["gold@trade", "btc@trade"]);
  bench.socket.answer("SUBSCRIBE", { result: null });
  assert.deepEqual(bench.fresh, [["gold@trade"], ["btc@trade"]]);
  assert.deepEqual(bench.missed, []);
});

test("a stream that the server takes up late may have missed anything", () => {
  const bench = new Bench();
  bench.stream.want(["gold@trade"]);
  bench.pass(11_000);
  bench.connect();
  bench.socket.answer("SUBSCRIBE", { result: null });
  assert.deepEqual([bench.fresh, bench.missed], [[], [["gold@trade"]]]);
});

test("after a loss it returns by itself and takes up each stream where it broke off", () => {
  const bench = returned();
  assert.equal(bench.states.at(-1), "reconnecting");
  bench.socket.greet("epoch-1");
  assert.equal(bench.states.at(-1), "live");
  const position = { stream: "gold@kline_1m", epoch: "epoch-1", u: 7 };
  assert.deepEqual(bench.socket.asked("RESUME"), [[position]]);
  bench.socket.answer("RESUME", { result: [{ stream: "gold@kline_1m", recovered: true }] });
  bench.socket.say(kline(8, true));
  bench.socket.say(kline(8));
  assert.deepEqual(bench.missed, []);
  // Nothing was heard of the trades, so there is no place to take them up at.
  bench.socket.answer("SUBSCRIBE", { result: null });
  assert.deepEqual(bench.missed, [["gold@trade"]]);
});

test("what the server cannot recover was missed, and the count begins anew", () => {
  const bench = returned();
  bench.socket.greet("epoch-2");
  bench.socket.answer("RESUME", { result: [{ stream: "gold@kline_1m", recovered: false }] });
  assert.deepEqual(bench.missed, [["gold@kline_1m"]]);
  bench.socket.say(kline(1));
  bench.socket.say(kline(2, true));
  bench.socket.onclose?.({});
  bench.pass(500);
  bench.socket.open();
  const position = { stream: "gold@kline_1m", epoch: "epoch-2", u: 2 };
  assert.deepEqual(bench.socket.asked("RESUME"), [[position]]);
  assert.equal(bench.missed.length, 1);
});

test("a server that does not know how to resume is subscribed to again, all missed", () => {
  const bench = returned();
  bench.socket.greet("epoch-1");
  bench.socket.answer("RESUME", { error: { code: 2, msg: "method must be one of" } });
  assert.deepEqual(bench.socket.asked("SUBSCRIBE").flat().sort(), ["gold@kline_1m", "gold@trade"]);
  bench.socket.answer("SUBSCRIBE", { result: null });
  assert.deepEqual(bench.missed, [["gold@kline_1m"], ["gold@trade"]]);
});

test("an epoch that outlives a restart goes on counting", () => {
  const bench = returned();
  bench.socket.greet("epoch-2");
  bench.socket.answer("RESUME", { result: [{ stream: "gold@kline_1m", recovered: true }] });
  bench.socket.say(kline(9, true));
  assert.deepEqual(bench.missed, [["gold@kline_1m"]]);
});

for (const [name, events, isLoss] of /** @type {const} */ ([
  ["the next closed bar", [kline(4, true)], false],
  ["the forming bar again", [kline(3), kline(3)], false],
  ["a closed bar too far", [kline(5, true)], true],
  ["a forming bar after a close that never came", [kline(4)], true],
  ["a count that goes back", [kline(2, true)], true],
  ["a server that does not count", [kline(), kline(undefined, true)], false],
])) {
  test(`a jump of u is a loss: ${name}`, () => {
    const bench = new Bench();
    bench.stream.want(["gold@kline_1m"]);
    bench.connect();
    for (const event of [kline(3, true), ...events]) bench.socket.say(event);
    assert.equal(bench.events.length, 1 + events.length);
    assert.deepEqual(bench.missed, isLoss ? [["gold@kline_1m"]] : []);
  });
}

test("what is not wanted any more is not resumed, also when it comes back", () => {
  const bench = new Bench();
  bench.stream.want(["gold@kline_1m"]);
  bench.connect();
  bench.socket.say(kline(3, true));
  bench.stream.want([]);
  bench.socket.say(kline(4, true));
  bench.stream.want(["gold@kline_1m"]);
  assert.deepEqual(bench.socket.asked("RESUME"), []);
  bench.socket.answer("SUBSCRIBE", { result: null });
  assert.deepEqual([bench.missed, bench.fresh], [[], [["gold@kline_1m"]]]);
});

test("a stream that rests takes up where it was when it starts again", () => {
  const bench = new Bench();
  bench.stream.want(["gold@kline_1m"]);
  bench.connect();
  bench.socket.say(kline(3, true));
  const { socket } = bench;
  bench.stream.stop();
  assert.ok(socket.isClosed);
  bench.pass(600_000);
  bench.stream.retryNow();
  assert.equal(bench.sockets.length, 1);
  bench.stream.start();
  bench.stream.start();
  bench.socket.open();
  assert.equal(bench.sockets.length, 2);
  assert.equal(bench.socket.asked("RESUME").length, 1);
});

test("a stop while waiting for the next attempt ends the attempts", () => {
  const bench = new Bench();
  bench.connect();
  bench.socket.onclose?.({});
  bench.stream.stop();
  bench.pass(60_000);
  assert.equal(bench.sockets.length, 1);
  assert.equal(bench.stream.nextAttemptMs, 0);
});

test("a socket that never opens is given up", () => {
  const bench = new Bench();
  bench.stream.start();
  bench.pass(8500);
  assert.ok(bench.sockets[0]?.isClosed);
  assert.equal(bench.sockets.length, 2);
});

test("an address that may not be connected to is a loss like others", () => {
  /** @type {string[]} */
  const states = [];
  const stream = new Stream({
    openSocket: () => {
      throw new SyntaxError("insecure");
    },
    onEvent: () => {},
    onMissed: () => {},
    onState: (state) => states.push(state),
    now: () => 0,
    schedule: () => () => {},
  });
  stream.start();
  assert.deepEqual(states, ["connecting", "reconnecting"]);
});

test("a server that accepts and closes at once meets growing delays", () => {
  const bench = new Bench();
  bench.stream.start();
  const delays = [];
  for (let turn = 0; turn < 5; turn++) {
    bench.socket.open();
    bench.socket.onclose?.({ code: 1001 });
    const delay = bench.stream.nextAttemptMs - bench.nowMs;
    delays.push(delay);
    bench.pass(delay);
  }
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000]);
});

test("a server that talks again starts the delays anew", () => {
  const bench = new Bench();
  bench.connect();
  bench.socket.onclose?.({});
  bench.pass(500);
  bench.socket.onclose?.({});
  bench.pass(1000);
  bench.socket.open();
  bench.socket.answerProbe();
  bench.socket.onclose?.({});
  assert.equal(bench.stream.nextAttemptMs - bench.nowMs, 500);
});

test("the probe's answer is the latency, and the next probe comes later", () => {
  const bench = new Bench();
  bench.connect();
  bench.pass(84);
  bench.socket.answerProbe();
  assert.deepEqual(bench.latencies, [84]);
  bench.pass(10_000);
  assert.equal(bench.socket.asked("LIST_SUBSCRIPTIONS").length, 2);
});

test("an open socket that does not answer is given up", () => {
  const bench = new Bench();
  bench.connect();
  const dead = bench.socket;
  bench.pass(8000);
  assert.ok(dead.isClosed);
  assert.equal(bench.states.at(-1), "reconnecting");
  bench.pass(500);
  assert.equal(bench.sockets.length, 2);
});

test("late events of a socket that was given up change nothing", () => {
  const bench = new Bench();
  bench.connect();
  const old = bench.socket;
  bench.pass(8500);
  bench.socket.open();
  bench.socket.greet("epoch-1");
  old.onclose?.({});
  old.say({ e: "trade", s: "GOLD", p: "1", q: "1", T: 1, t: 1 });
  assert.equal(bench.states.at(-1), "live");
  assert.equal(bench.events.length, 0);
});

test("asking to retry does not wait, and never opens two sockets", () => {
  const bench = new Bench();
  bench.connect();
  bench.socket.onclose?.({});
  bench.stream.retryNow();
  bench.stream.retryNow();
  bench.pass(1000);
  assert.equal(bench.sockets.length, 2);
});

test("asking to retry an open socket finds out soon whether it is dead", () => {
  const bench = new Bench();
  bench.connect();
  bench.socket.answerProbe();
  bench.stream.retryNow();
  bench.socket.answerProbe();
  bench.pass(3000);
  assert.equal(bench.sockets.length, 1);
  bench.stream.retryNow();
  bench.pass(3000);
  assert.equal(bench.states.at(-1), "reconnecting");
});

test("events reach the listener, answers and oddities do not", () => {
  const bench = new Bench();
  bench.connect();
  bench.socket.say({ e: "trade", E: 1, s: "GOLD", t: 1, p: "2", q: "3", T: 1000, m: false });
  bench.socket.say({ result: null, id: 1 });
  bench.socket.onmessage?.({ data: "not json" });
  assert.deepEqual(
    bench.events.map(({ type }) => type),
    ["trade"],
  );
});
