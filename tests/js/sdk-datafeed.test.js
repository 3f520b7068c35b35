import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Datafeed } from "../../static/sdk/datafeed.js";
import { StreamServer } from "./stream-server.js";
import { Widget } from "./widget.js";

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Small, fast and the same every time. @param {number} seed */
function chance(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const real = { fetch: globalThis.fetch, WebSocket: globalThis.WebSocket };
beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  mock.method(performance, "now", () => Date.now());
  const fetch = (/** @type {string} */ address) => worldAt(address).server.fetch(address);
  Object.assign(globalThis, { fetch, WebSocket: FakeWebSocket });
});
afterEach(() => {
  mock.reset();
  mock.timers.reset();
  Object.assign(globalThis, real);
});

/** By host, so that what an earlier test left behind finds its own server. */
/** @type {Map<string, World>} */
const worlds = new Map();

/** @param {string} address */
function worldAt(address) {
  const world = worlds.get(new URL(address).host);
  assert.ok(world, address);
  world.addresses.push(address);
  return world;
}

/** @param {string} address */
function FakeWebSocket(address) {
  const world = worldAt(address);
  const socket = world.server.connect();
  world.sockets.push(socket);
  return socket;
}

/** A server under an address of its own, and a datafeed of it. */
class World {
  api = `https://charts-${worlds.size}.example`;
  isFailing = () => false;
  /** @type {any[]} */
  sockets = [];
  /** @type {string[]} */
  addresses = [];

  constructor(bars = 150) {
    this.server = new StreamServer(() => this.isFailing());
    for (let count = 0; count < bars; count++) {
      this.server.trade(5);
      this.server.close();
    }
    worlds.set(new URL(this.api).host, this);
    this.datafeed = new Datafeed({ api: this.api });
    this.now_s = () => this.server.time;
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** Lets everything that is on its way arrive. */
  async settle(ms = 300) {
    for (let turn = 0; turn < 8; turn++) {
      for (const socket of this.sockets) {
        socket.open();
        socket.deliver(1000);
      }
      await settled();
      mock.timers.tick(ms / 8);
      await settled();
    }
  }

  async widget(name = "GOLD", isCopying = false) {
    const widget = new Widget(this.datafeed, "1", this.now_s);
    widget.isCopying = isCopying;
    const opening = widget.open(name);
    await this.settle();
    await opening;
    await this.settle();
    return widget;
  }

  /** @param {Widget} widget */
  assertShows(widget, note = "") {
    const stored = [...this.server.bars.values()].sort((a, b) => a.time - b.time);
    const first = (widget.bars[0]?.time ?? 0) / 1000;
    const expected = stored
      .filter(({ time }) => time >= first)
      .map(({ time, open, high, low, close, volume }) => {
        return { time: time * 1000, open, high, low, close, volume };
      });
    assert.deepEqual(widget.bars, expected, note);
    assert.deepEqual(widget.violations, [], note);
  }
}

test("a widget opens, follows the last bar, and goes on to the next", async () => {
  const world = new World();
  const widget = await world.widget();
  assert.equal(widget.bars.length, 100);
  world.server.trade(7);
  await world.settle();
  world.assertShows(widget);
  world.server.close();
  world.server.trade(8);
  world.server.trade(9);
  await world.settle();
  world.assertShows(widget);
  assert.equal(widget.resets, 0);
  assert.equal(world.sockets.length, 1);
});

test("a second widget of the same bars takes nothing away from the first", async () => {
  const world = new World();
  const [first, second] = [await world.widget(), await world.widget()];
  world.server.trade(7);
  await second.resetData();
  await world.settle();
  world.assertShows(first);
  world.assertShows(second);
});

test("what happened between history and stream is not missing", async () => {
  const world = new World();
  const widget = new Widget(world.datafeed, "1", world.now_s);
  world.server.trade(3);
  const opening = widget.open("GOLD");
  for (let turn = 0; turn < 10; turn++) await settled();
  await opening;
  world.server.trade(4);
  world.server.close();
  world.server.trade(6);
  await world.settle();
  world.assertShows(widget);
});

test("an unknown symbol is called by the word that widgets know", async () => {
  const world = new World();
  const widget = new Widget(world.datafeed, "1", world.now_s);
  await assert.rejects(widget.open("NOPE"), /^Error: unknown_symbol$/);
});

test("history that is longer than an answer comes whole, and ends", async () => {
  const world = new World(1000);
  world.server.mostBars = 100;
  const widget = await world.widget();
  const whole = widget.resetData(2000);
  for (let turn = 0; turn < 10; turn++) await world.settle();
  await whole;
  assert.equal(widget.bars.length, 1000);
  assert.ok(widget.requests <= 3, `${widget.requests} requests`);
  world.assertShows(widget);
});

test("a market without a bar has no data, and its first bar is drawn", async () => {
  const world = new World(0);
  const widget = await world.widget();
  assert.deepEqual(widget.bars, []);
  world.server.trade(2);
  await world.settle();
  assert.equal(widget.bars.length, 1);
  world.assertShows(widget);
});

test("a server that is away is asked until it is back", async () => {
  const world = new World();
  world.isFailing = () => true;
  const widget = new Widget(world.datafeed, "1", world.now_s);
  const opening = widget.open("GOLD");
  for (let turn = 0; turn < 20; turn++) await world.settle(10_000);
  assert.equal(widget.bars.length, 0);
  world.isFailing = () => false;
  for (let turn = 0; turn < 20; turn++) await world.settle(10_000);
  await opening;
  world.assertShows(widget);
});

for (const isCopying of [false, true]) {
  const whose = isCopying ? "copies of its market" : "the market it was given";
  test(`past bars that change reset the cache once, of a widget that hands over ${whose}`, async () => {
    const world = new World();
    const widget = await world.widget("GOLD", isCopying);
    world.server.late(3, 50);
    world.server.late(5, 60);
    await world.settle(600);
    assert.equal(widget.resets, 1);
    world.assertShows(widget);
    world.server.reorganize(2);
    world.server.trade(4);
    await world.settle(600);
    assert.equal(widget.resets, 2);
    world.assertShows(widget);
    world.server.close();
    world.server.trade(6);
    await world.settle();
    world.assertShows(widget);
  });
}

test("a loss the server can make good is no reason to read anything anew", async () => {
  const world = new World();
  const widget = await world.widget();
  const { requests } = widget;
  world.socket.die();
  world.server.trade(7);
  world.server.close();
  world.server.trade(8);
  await world.settle(2000);
  world.assertShows(widget);
  assert.deepEqual([widget.resets, widget.requests], [0, requests]);
});

test("after a loss it cannot make good, the missed bars come in order, and the cache is reset", async () => {
  const world = new World();
  const widget = await world.widget();
  world.server.trade(7);
  await world.settle();
  world.server.restart();
  world.socket.die();
  for (let count = 0; count < 4; count++) {
    world.server.trade(10 + count);
    world.server.close();
  }
  await world.settle(4000);
  assert.equal(widget.resets, 1);
  world.assertShows(widget);
});

test("widgets that flap keep their stream; it is let go some seconds later", async () => {
  const world = new World();
  const first = await world.widget();
  first.close();
  mock.timers.tick(4000);
  const second = await world.widget();
  /** @type {string[]} */
  const asked = [];
  const { send } = world.socket;
  world.socket.send = (/** @type {string} */ data) => {
    asked.push(JSON.parse(data).method);
    send.call(world.socket, data);
  };
  world.server.trade(9);
  await world.settle();
  world.assertShows(second);
  second.close();
  mock.timers.tick(4900);
  assert.equal(asked.includes("UNSUBSCRIBE"), false);
  mock.timers.tick(200);
  world.server.trade(9);
  await world.settle(6000);
  assert.equal(world.sockets.length, 1);
  assert.deepEqual(first.violations, []);
});

test("every chart of a page shares one socket", async () => {
  const world = new World();
  const widgets = [await world.widget(), await world.widget()];
  const other = new Widget(new Datafeed({ api: `${world.api}/` }), "1", world.now_s);
  const opening = other.open("GOLD");
  await world.settle();
  await opening;
  world.server.trade(6);
  await world.settle();
  for (const widget of [...widgets, other]) world.assertShows(widget);
  assert.equal(world.addresses.filter((address) => address.startsWith("wss:")).length, 1);
});

test("whatever happens, a widget is told the truth in an order it can bear", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = chance(seed);
    mock.method(Math, "random", random);
    let isCalm = false;
    const world = new World(20);
    const { server } = world;
    world.isFailing = () => !isCalm && random() < 0.2;
    const widget = new Widget(world.datafeed, "1", world.now_s);
    void widget.open("GOLD");
    const happenings = [
      () => server.trade(1 + Math.floor(random() * 9)),
      () => server.trade(1 + Math.floor(random() * 9)),
      () => {
        server.close();
        mock.timers.tick(1000);
      },
      () => server.late(1 + Math.floor(random() * 5), Math.ceil(random() * 20)),
      () => server.reorganize(1 + Math.floor(random() * 3)),
      () => world.socket?.open(),
      () => world.socket?.deliver(1 + Math.floor(random() * 50)),
      () => world.socket?.deliver(100),
      () => random() < 0.4 && world.socket?.die(),
      () => random() < 0.3 && world.socket?.lose(),
      () => {
        if (random() < 0.9) return;
        server.restart();
        world.socket?.die();
      },
      () => mock.timers.tick(300),
    ];
    for (let step = 0; step < 120; step++) {
      happenings[Math.floor(random() * happenings.length)]?.();
      await settled();
    }
    isCalm = true;
    for (let turn = 0; turn < 6; turn++) await world.settle(20_000);
    server.trade(5);
    await world.settle();
    assert.ok(widget.isComplete, `seed ${seed}`);
    world.assertShows(widget, `seed ${seed}`);
    world.datafeed.close();
    await world.settle(6000);
  }
});
