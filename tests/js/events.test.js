import assert from "node:assert/strict";
import { test } from "node:test";
import { placeEvents, roomyPlaces } from "../../static/js/event-places.js";
import { eventWords } from "../../static/js/event-words.js";

const BARS = [60, 120, 300].map((time) => ({ time }));

/**
 * @param {number} time
 * @param {number} value
 * @param {import("../../static/js/types.js").EventKind} [kind]
 */
function event(time, value, kind = "liquidation") {
  return { kind, time, value, sequence: String(time) };
}

test("an event stands at the bar it happened in, or at the last one before", () => {
  const events = [event(59, 1), event(60, 2), event(119.9, 3), event(200, 4), event(900, 5)];
  const places = placeEvents(events, BARS, ["liquidation"]);
  assert.deepEqual(
    places.map(({ index, events }) => [index, events.length]),
    [
      [0, 2],
      [1, 1],
      [2, 1],
    ],
  );
  assert.deepEqual(placeEvents(events, [], ["liquidation"]), []);
});

test("a liquidation says more than any trade, and a large one more than a small one", () => {
  const all = [event(61, 9e9, "large_trade"), event(62, 1), event(63, 2), event(64, 1, "funding")];
  const wanted = /** @type {const} */ (["liquidation", "large_trade", "funding"]);
  assert.equal(placeEvents(all, BARS, wanted)[0]?.foremost.time, 63);
  assert.equal(placeEvents(all, BARS, ["large_trade"])[0]?.foremost.time, 61);
});

test("of those that stand too near to each other the one that says most is shown", () => {
  const places = placeEvents([event(60, 5), event(120, 7), event(300, 1)], BARS, ["liquidation"]);
  const xOf = (/** @type {number} */ index) => [10, 20, 90][index] ?? null;
  const shown = roomyPlaces(places, xOf, 100, 15);
  assert.deepEqual(
    shown.map(({ x }) => x),
    [20, 90],
  );
  assert.equal(roomyPlaces(places, xOf, 50, 15).length, 1);
});

test("events are told in words", () => {
  assert.equal(eventWords({ ...event(1, 96_400), side: "sell" }), "Long liquidated, 96.4\u2009k");
  assert.equal(eventWords(event(1, -0.000041, "funding")), "Funding \u22120.0041\u2009%");
  assert.equal(
    eventWords({ ...event(1, 1e6, "large_trade"), side: "buy" }),
    "Large buy, 1.0\u2009M",
  );
});
