import assert from "node:assert/strict";
import { test } from "node:test";
import { logicalAt, rangeOf, timeAt, viewOf } from "../../static/js/viewport.js";

/**
 * @param {number} count
 * @param {number} step_s
 * @param {number} [end_s]
 */
function bars(count, step_s, end_s = 600_000) {
  const last = Math.floor(end_s / step_s) * step_s;
  return Array.from({ length: count }, (_, index) => ({
    time: last - (count - 1 - index) * step_s,
  }));
}

test("time and bar number are each other's inverse, over holes and beyond both ends", () => {
  const candles = [60, 120, 600, 660].map((time) => ({ time }));
  for (const logical of [-5.5, 0, 0.25, 1, 1.5, 2.75, 3, 9.25]) {
    const time = timeAt(candles, logical, 60);
    assert.ok(Math.abs(logicalAt(candles, time, 60) - logical) < 1e-9, `${logical} via ${time}`);
  }
  assert.equal(timeAt(candles, 1.5, 60), 360);
  assert.equal(timeAt(candles, 5, 60), 780);
});

test("a view that shows the newest bar follows it", () => {
  const candles = bars(500, 60);
  assert.equal(viewOf(candles, { from: 380, to: 508 }, 60).to, null);
  assert.equal(viewOf(candles, { from: 100, to: 220 }, 60).to, timeAt(candles, 220, 60));
});

test("a change of interval keeps both edges of a view of the past", () => {
  const minutes = bars(5000, 60);
  const view = viewOf(minutes, { from: 1000, to: 1600 }, 60);
  const fives = bars(1000, 300);
  const range = rangeOf(fives, view, 300, 9);
  assert.equal(timeAt(fives, range.from, 300), view.from);
  assert.equal(timeAt(fives, range.to, 300), view.to);
});

test("a following view keeps its left edge and its free space", () => {
  const minutes = bars(1000, 60);
  const view = viewOf(minutes, { from: 700, to: 1008 }, 60);
  const fives = bars(500, 300);
  const range = rangeOf(fives, view, 300, 9);
  assert.equal(timeAt(fives, range.from, 300), view.from);
  assert.equal(range.to, 499 + 5);
});

test("too short a time for the interval is widened to the left", () => {
  const view = viewOf(bars(1000, 60, 60_000_000), { from: 900, to: 1008 }, 60);
  const days = bars(300, 86_400, 60_000_000);
  const range = rangeOf(days, view, 86_400, 9);
  assert.equal(range.from, 299 - 20);
  assert.equal(range.to, 299 + 2);
});

test("too long a time keeps its right edge", () => {
  const view = viewOf(bars(1000, 3600, 6_000_000), { from: 100, to: 1008 }, 3600);
  const range = rangeOf(bars(5000, 1, 6_000_000), view, 1, 9);
  assert.equal(range.to, 4999 + 9);
  assert.equal(range.to - range.from, 1500);
});
