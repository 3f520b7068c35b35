import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  bucketEnd,
  bucketStart,
  FAVOURITES,
  intervalSeconds,
  intervalWords,
  normalInterval,
} from "../../static/js/intervals.js";

/** @param {string} iso */
const at = (iso) => Date.parse(iso) / 1000;

for (const [interval, time, start, end] of /** @type {const} */ ([
  ["1s", "2025-11-05T13:47:33.900Z", "2025-11-05T13:47:33Z", "2025-11-05T13:47:34Z"],
  ["15s", "2025-11-05T13:47:33Z", "2025-11-05T13:47:30Z", "2025-11-05T13:47:45Z"],
  ["1m", "2025-11-05T13:47:33Z", "2025-11-05T13:47:00Z", "2025-11-05T13:48:00Z"],
  ["15m", "2025-11-05T13:47:33Z", "2025-11-05T13:45:00Z", "2025-11-05T14:00:00Z"],
  ["4h", "2025-11-05T13:47:33Z", "2025-11-05T12:00:00Z", "2025-11-05T16:00:00Z"],
  ["1d", "2025-11-05T00:00:00Z", "2025-11-05T00:00:00Z", "2025-11-06T00:00:00Z"],
  ["1w", "2025-11-09T23:59:59Z", "2025-11-03T00:00:00Z", "2025-11-10T00:00:00Z"],
  ["1w", "2025-11-10T00:00:00Z", "2025-11-10T00:00:00Z", "2025-11-17T00:00:00Z"],
  ["1M", "2025-12-31T23:59:59Z", "2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z"],
  ["3M", "2025-12-31T00:00:00Z", "2025-10-01T00:00:00Z", "2026-01-01T00:00:00Z"],
  ["7m", "1970-01-01T00:08:00Z", "1970-01-01T00:07:00Z", "1970-01-01T00:14:00Z"],
  ["1M", "2024-02-10T00:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"],
])) {
  test(`${interval} bucket of ${time}`, () => {
    const begin = bucketStart(interval, at(time));
    assert.equal(new Date(begin * 1000).toISOString(), new Date(start).toISOString());
    assert.equal(bucketEnd(interval, begin), at(end));
  });
}

test("month and minute differ by case only, and are not confused", () => {
  assert.equal(intervalSeconds("1m"), 60);
  assert.ok(intervalSeconds("1M") > 28 * 86_400);
});

test("any count of a unit is an interval, in one spelling", () => {
  const spellings = ["1h", "1H", "7m", "90s", "1M", "1m", "2W"].map(normalInterval);
  assert.deepEqual(spellings, ["1h", "1h", "7m", "90s", "1M", "1m", "2w"]);
  for (const text of [
    "constructor",
    "7x",
    "0m",
    "-1m",
    "m",
    "",
    "11000d",
    "1 m",
    null,
    undefined,
  ]) {
    assert.equal(normalInterval(text), null);
  }
  assert.throws(() => intervalSeconds("7x"), /was '7x'/);
});

test("an interval in words", () => {
  assert.equal(intervalWords("15m"), "15 minutes");
  assert.equal(intervalWords("1M"), "1 month");
});

test("the digits choose the buttons that the page has", () => {
  const module = new URL("../../appliance/web/first_picture.py", import.meta.url);
  const found = /FAVOURITES: Final = \((.*)\)/.exec(readFileSync(module, "utf8"));
  assert.deepEqual(JSON.parse(`[${found?.[1]}]`), FAVOURITES);
});
