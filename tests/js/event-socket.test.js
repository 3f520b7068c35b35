import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { eventSockets } from "../../static/js/event-socket.js";

/** @type {FakeSource[]} */
let sources = [];
let isServerThere = true;

class FakeSource {
  isClosed = false;
  /** @type {((event: any) => void) | null} */
  onmessage = null;
  /** @type {(() => void) | null} */
  onerror = null;

  /** @param {string} address */
  constructor(address) {
    this.asked = new URL(address).searchParams;
    sources.push(this);
  }

  close() {
    this.isClosed = true;
  }

  /** @param {unknown} body @param {string} [lastEventId] */
  say(body, lastEventId = "") {
    this.onmessage?.({ data: JSON.stringify(body), lastEventId });
  }
}

const real = { EventSource: globalThis.EventSource, fetch: globalThis.fetch };
beforeEach(() => {
  sources = [];
  isServerThere = true;
  const fetch = () => (isServerThere ? Promise.resolve({ ok: true }) : Promise.reject(new Error()));
  Object.assign(globalThis, { EventSource: FakeSource, fetch });
});
afterEach(() => void Object.assign(globalThis, real));

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

/** @param {ReturnType<typeof eventSockets>} open @param {string[]} params */
async function connected(open, params) {
  const socket = open();
  /** @type {any[]} */
  const heard = [];
  const state = { isLost: false };
  socket.onmessage = ({ data }) => heard.push(JSON.parse(data));
  socket.onclose = () => {
    state.isLost = true;
  };
  socket.send(JSON.stringify({ method: "SUBSCRIBE", params, id: 1 }));
  await settled();
  return { socket, heard, state, source: /** @type {FakeSource} */ (sources.at(-1)) };
}

test("what is asked for is answered when the server greets, probes by whether it answers", async () => {
  const { socket, heard, source } = await connected(eventSockets("http://x"), [
    "a@trade",
    "b@trade",
  ]);
  assert.equal(source.asked.get("streams"), "a@trade/b@trade");
  socket.send(JSON.stringify({ method: "LIST_SUBSCRIPTIONS", id: 2 }));
  await settled();
  assert.deepEqual(heard, []); // a server that has not greeted is not there
  source.say({ result: { epoch: "e" }, id: 0 });
  await settled();
  assert.deepEqual(
    heard.map(({ id }) => id),
    [0, 1, 2],
  );
  isServerThere = false;
  socket.send(JSON.stringify({ method: "LIST_SUBSCRIPTIONS", id: 3 }));
  await settled();
  assert.equal(heard.length, 3);
});

for (const recovered of [true, false]) {
  test(`a change of streams goes on from the last event, ${recovered ? "which is known" : "or is a loss"}`, async () => {
    const open = eventSockets("http://x");
    const { socket, heard, state, source } = await connected(open, ["a@trade"]);
    source.say({ result: { epoch: "e" }, id: 0 });
    source.say({ stream: "a@trade", data: {} }, "e.7");
    socket.send(JSON.stringify({ method: "SUBSCRIBE", params: ["b@trade"], id: 4 }));
    await settled();
    const next = /** @type {FakeSource} */ (sources.at(-1));
    assert.ok(source.isClosed);
    assert.equal(next.asked.get("lastEventId"), "e.7");
    next.say({ result: { epoch: "e" }, id: 0 });
    next.say({
      result: [
        { stream: "a@trade", recovered },
        { stream: "b@trade", recovered: true },
      ],
      id: "e.7",
    });
    assert.equal(state.isLost, !recovered);
    assert.equal(
      heard.some(({ id }) => id === 4),
      recovered,
    );
    const later = await connected(open, ["a@trade"]);
    assert.equal(later.source.asked.get("lastEventId"), recovered ? "e.7" : null);
  });
}

test("a line that breaks is said to be closed, once", async () => {
  const { state, source, socket } = await connected(eventSockets("http://x"), ["a@trade"]);
  let count = 0;
  socket.onclose = () => count++;
  source.onerror?.();
  source.onerror?.();
  assert.equal(count, 1);
  assert.ok(source.isClosed && !state.isLost);
});

test("without a stream nothing is connected, and probes are answered", async () => {
  const { socket, heard, source } = await connected(eventSockets("http://x"), ["a@trade"]);
  source.say({ result: { epoch: "e" }, id: 0 });
  socket.send(JSON.stringify({ method: "UNSUBSCRIBE", params: ["a@trade"], id: 5 }));
  socket.send(JSON.stringify({ method: "LIST_SUBSCRIPTIONS", id: 6 }));
  await settled();
  assert.ok(source.isClosed);
  assert.equal(sources.length, 1);
  assert.deepEqual(heard.map(({ id }) => id).sort(), [0, 1, 5, 6]);
});
