import assert from "node:assert/strict";
import { test } from "node:test";
import { alignCloses } from "../../static/js/alignment.js";
import { createHeikinAshi } from "../../static/js/heikin-ashi.js";
import { measure } from "../../static/js/measure.js";
import { csvOf } from "../../static/js/picture.js";
import { soundChoice } from "../../static/js/studies/catalogue.js";
import { StudyRun } from "../../static/js/studies/run.js";
import { heldValues } from "../../static/js/told-run.js";

/**
 * @param {number} time
 * @param {number} open
 * @param {number} close
 */
function bar(time, open, close) {
  const [low, high] = [Math.min(open, close) - 1, Math.max(open, close) + 2];
  return { time, open, high, low, close, volume: 1, final: true };
}

test("Heikin-Ashi begins in the middle of its first bar and goes on from each average", () => {
  const average = createHeikinAshi();
  const bars = [bar(0, 10, 12), bar(60, 12, 11)];
  const [first, second] = average(bars, 0);
  assert.equal(first?.open, 11);
  assert.equal(first?.close, (10 + 14 + 9 + 12) / 4);
  assert.equal(second?.open, (11 + 11.25) / 2);
  assert.equal(second?.high, 14);
});

test("Heikin-Ashi of a growing series is that of the whole", () => {
  const bars = Array.from({ length: 50 }, (_, index) => bar(index, index % 7, (index * 3) % 11));
  const grown = createHeikinAshi();
  for (let count = 1; count <= 50; count++) grown(bars.slice(0, count), Math.max(0, count - 2));
  assert.deepEqual(grown(bars, 49), createHeikinAshi()(bars, 0));
  const others = bars.map((each) => ({ ...each, time: each.time + 1000 }));
  assert.deepEqual(grown(others, 49), createHeikinAshi()(others, 0));
});

test("another market stands at the times of this one's bars", () => {
  const others = [bar(60, 1, 5), bar(180, 1, 6), bar(200, 1, 7)];
  assert.deepEqual(alignCloses([{ time: 0 }, { time: 60 }, { time: 120 }, { time: 240 }], others), [
    null,
    5,
    5,
    7,
  ]);
});

test("what the server told holds until the next, and is known when the bar ends", () => {
  const points = [
    { time: 90, value: 1 },
    { time: 120, value: 2 },
  ];
  assert.deepEqual(heldValues([{ time: 0 }, { time: 60 }, { time: 120 }, { time: 180 }], points), [
    null,
    1,
    2,
    2,
  ]);
});

test("an indicator says from which bar on its values have changed", () => {
  const closes = [1, 2, 3, 4, 5, 6, 7, 8];
  const bars = closes.map((close, index) => bar(index, close, close));
  const make = () => ({ next: (/** @type {any} */ { close }) => [close], clone: make });
  const run = new StudyRun(make);
  assert.equal(run.update(bars, 0), 0);
  const moved = [...bars.slice(0, 7), bar(7, 8, 9)];
  assert.equal(run.update(moved, 6), 7);
  // What is final now was not before; its figures are the same.
  assert.equal(run.update(moved, 2), 8);
  assert.equal(run.update(moved.slice(1), 0), 0);
  assert.equal(run.values.length, 7);
});

test("a remembered choice is drawn within its bounds, or not at all", () => {
  assert.deepEqual(soundChoice({ kind: "ema", values: [9e9] }), { kind: "ema", values: [500] });
  assert.deepEqual(soundChoice({ kind: "macd", values: [] }), {
    kind: "macd",
    values: [12, 26, 9],
  });
  assert.deepEqual(soundChoice({ kind: "bollinger", values: [20.4, 2.26] })?.values, [20, 2.3]);
  assert.equal(soundChoice({ kind: "gone", values: [1] }), null);
});

test("a measure counts bars, time, price and percent", () => {
  const span = { from: { logical: 3.4, price: 100 }, to: { logical: 0.2, price: 75 } };
  assert.deepEqual(
    measure(span, (logical) => logical * 60),
    { change: -25, percent: -25, bars: 3, seconds: 180 },
  );
});

test("rows have every digit, and times for people and programs", () => {
  const rows = csvOf([{ ...bar(1_700_000_040, 1234.5, 0.00000123), final: false }], 2).split("\n");
  assert.equal(rows[0], "time,utc,open,high,low,close,volume,final");
  assert.match(
    rows[1] ?? "",
    /^1700000040,2023-11-14T22:14:00\.000Z,1234\.50,1236\.50,-1\.00,0\.000001230,1,false$/,
  );
});
