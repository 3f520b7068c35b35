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
  returns = 0;
  nowMs = 0;
  /** @type {{at: number, work: () => void}[]} */
  timers = [];

  constructor() {
    this.stream = new Stream({
      openSocket: () => {
        this.sockets.push(new FakeSocket());
        return this.socket;
      },
      onEvent: (event) => this.events.push(event),
      onState: (state) => this.states.push(state),
      onReturn: () => this.returns++,
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

  get socket() {
    return /** @type {FakeSocket} */ (this.sockets.at(-1));
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
  assert.equal(bench.returns, 0);
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

test("after a loss it returns by itself, subscribes again, and says that events were missed", () => {
  const bench = new Bench();
  bench.stream.want(["gold@kline_1m"]);
  bench.connect();
  bench.socket.onclose?.({ code: 4008 });
  assert.equal(bench.states.at(-1), "reconnecting");
  assert.equal(bench.stream.nextAttemptMs, 500);
  bench.pass(499);
  assert.equal(bench.sockets.length, 1);
  bench.pass(1);
  assert.equal(bench.sockets.length, 2);
  bench.socket.open();
  assert.deepEqual(bench.socket.asked("SUBSCRIBE"), [["gold@kline_1m"]]);
  assert.equal(bench.states.at(-1), "live");
  assert.equal(bench.returns, 1);
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
  old.onclose?.({});
  old.say({ e: "trade", s: "GOLD", p: "1", q: "1", T: 1, t: 1 });
  assert.equal(bench.states.at(-1), "live");
  assert.equal(bench.events.length, 0);
});

test("asking to retry does not wait, and never opens two sockets", () => {
  const bench = new Bench();
  bench.connect();
  bench.stream.retryNow();
  assert.equal(bench.sockets.length, 1);
  bench.socket.onclose?.({});
  bench.stream.retryNow();
  bench.pass(20_000);
  assert.equal(bench.sockets.length, 2);
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
