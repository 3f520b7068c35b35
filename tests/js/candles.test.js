import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CandleStore,
  candlesFromColumns,
  certainty,
  cleanCandles,
  lowerBound,
} from "../../static/js/candles.js";

/**
 * @param {number} time
 * @param {number} [close]
 * @param {boolean} [final]
 */
function candle(time, close = 10, final = true) {
  return {
    time,
    open: 10,
    high: Math.max(10, close),
    low: Math.min(10, close),
    close,
    volume: 1,
    final,
  };
}

/** @param {...number} times */
function storeOf(...times) {
  const store = new CandleStore();
  store.replaceAll(times.map((time) => candle(time)));
  return store;
}

/** @param {CandleStore} store */
const timesOf = (store) => store.all.map(({ time }) => time);

test("cleaning sorts, keeps the last of duplicates, makes numbers, drops what is none", () => {
  const rows = [
    { time: 120, open: "1", high: "2", low: "1", close: "2", volume: "3" },
    { time: 60, open: 1, high: 1, low: 1, close: 1, volume: 0 },
    { time: 120, open: 1, high: 5, low: 1, close: 5, volume: 9, final: false },
    { time: 180, open: null, high: 1, low: 1, close: 1, volume: 0 },
    { time: 240, open: 1, high: "x", low: 1, close: 1, volume: 0 },
    { open: 1, high: 1, low: 1, close: 1, volume: 0 },
  ];
  assert.deepEqual(cleanCandles(rows), [
    { time: 60, open: 1, high: 1, low: 1, close: 1, volume: 0, final: true },
    { time: 120, open: 1, high: 5, low: 1, close: 5, volume: 9, final: false },
  ]);
});

test("columns become candles", () => {
  const columns = { time: [60], open: [1], high: [3], low: [1], close: [2], volume: [4] };
  assert.deepEqual(candlesFromColumns(columns), [
    { time: 60, open: 1, high: 3, low: 1, close: 2, volume: 4, final: true },
  ]);
  assert.equal(candlesFromColumns({ ...columns, final: [false] })[0]?.final, false);
});

test("a bar forms until its end or the server's word, and is provisional until final", () => {
  assert.equal(certainty(candle(60), "1m", 119), "forming");
  assert.equal(certainty({ ...candle(60), closed: true }, "1m", 119), "final");
  assert.equal(certainty(candle(60, 10, false), "1m", 120), "provisional");
  assert.equal(certainty(candle(60), "1m", 120), "final");
});

test("lowerBound finds the first candle at or after a time", () => {
  const bars = [60, 120, 180].map((time) => ({ time }));
  assert.deepEqual(
    [0, 60, 61, 180, 181].map((time) => lowerBound(bars, time)),
    [0, 0, 1, 2, 3],
  );
});

test("a live update replaces the forming bar and appends the next", () => {
  const store = storeOf(60, 120);
  assert.equal(store.merge(candle(120, 15)), 1);
  assert.equal(store.last?.close, 15);
  assert.equal(store.merge(candle(180)), 2);
  assert.deepEqual(timesOf(store), [60, 120, 180]);
});

test("an update that comes late or twice lands in its place, once", () => {
  const store = storeOf(60, 240);
  assert.equal(store.merge(candle(120)), 1);
  assert.equal(store.merge(candle(120, 11)), 1);
  assert.deepEqual(timesOf(store), [60, 120, 240]);
  assert.equal(store.at(120)?.close, 11);
});

test("a closed bar that is final settles those before it, which are to be drawn again", () => {
  const store = new CandleStore();
  store.replaceAll([candle(60), candle(120, 10, false), candle(180, 10, false)]);
  store.merge({ ...candle(240, 10, false), closed: true });
  assert.equal(store.merge(candle(300)), 4);
  const finals = () => store.all.map(({ final }) => final);
  assert.deepEqual(finals(), [true, false, false, false, true]);
  assert.equal(store.merge({ ...candle(180), closed: true }), 1);
  assert.deepEqual(finals(), [true, true, true, false, true]);
});

test("a bar older than all we hold is left to history", () => {
  const store = storeOf(120, 180);
  assert.equal(store.merge(candle(60)), -1);
  assert.deepEqual(timesOf(store), [120, 180]);
});

test("the first bar of an empty market is taken", () => {
  const store = new CandleStore();
  assert.equal(store.merge(candle(60)), 0);
  assert.deepEqual(timesOf(store), [60]);
});

test("older pages go in front, without what overlaps", () => {
  const store = storeOf(180, 240);
  assert.equal(store.prepend([candle(60), candle(120), candle(180, 99)]), 2);
  assert.deepEqual(timesOf(store), [60, 120, 180, 240]);
  assert.equal(store.at(180)?.close, 10);
});

test("a backfill replaces from its start on, but not what the stream said meanwhile", () => {
  const store = storeOf(60, 120, 180);
  store.beginBackfill();
  store.merge(candle(300, 33));
  store.merge(candle(240, 24));
  store.endBackfill(120, [candle(60, 99), candle(120, 12), candle(240, 20), candle(300, 30)]);
  assert.deepEqual(timesOf(store), [60, 120, 240, 300]);
  assert.deepEqual(
    store.all.map(({ close }) => close),
    [10, 12, 24, 33],
  );
});

test("a cancelled backfill changes nothing, and forgets", () => {
  const store = storeOf(60);
  store.beginBackfill();
  store.merge(candle(120, 12));
  store.cancelBackfill();
  store.endBackfill(120, [candle(120, 14)]);
  assert.equal(store.last?.close, 14);
});

test("the bar before is where a change is measured from", () => {
  const store = storeOf(60, 180);
  assert.equal(store.before(180)?.time, 60);
  assert.equal(store.before(60), undefined);
});

test("random order gives the same store as sorted order", () => {
  const bars = Array.from({ length: 200 }, (_, index) => candle((index + 1) * 60, index));
  const shuffled = bars
    .slice(1)
    .sort((a, b) => ((a.time * 7919) % 1009) - ((b.time * 7919) % 1009));
  const store = new CandleStore();
  store.replaceAll(bars.slice(0, 1));
  for (const bar of shuffled) store.merge(bar);
  assert.deepEqual(store.all, bars);
});

test("a final bar that came during a backfill settles the bars of the answer", () => {
  const store = new CandleStore();
  store.replaceAll([candle(60), candle(120)]);
  store.beginBackfill();
  store.merge({ ...candle(120, 11), closed: true });
  store.endBackfill(60, [candle(60, 10, false), candle(120, 10, false), candle(180, 10, false)]);
  assert.deepEqual(
    store.all.map(({ time, close, final }) => [time, close, final]),
    [
      [60, 10, true],
      [120, 11, true],
      [180, 10, false],
    ],
  );
});
