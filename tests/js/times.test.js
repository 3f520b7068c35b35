import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatAge,
  formatBarTime,
  formatClock,
  formatCountdown,
  formatDuration,
  formatMoment,
  formatTick,
  formatWhole,
  isZone,
  useZone,
  zoneName,
} from "../../static/js/times.js";

const NOON = Date.UTC(2025, 10, 2, 12, 0, 0) / 1000;

test("clock is 24 h and UTC", () => {
  assert.equal(formatClock(NOON + 2 * 3600 + 28 * 60 + 23), "14:28:23");
  assert.equal(formatClock(NOON + 12 * 3600), "00:00:00");
});

test("a bar's time is as short as its length and age allow", () => {
  const now = NOON + 3600;
  assert.equal(formatBarTime(NOON, 60, now), "12:00");
  assert.equal(formatBarTime(NOON, 1, now), "12:00:00");
  assert.equal(formatBarTime(NOON - 86_400, 60, now), "1 Nov, 12:00");
  assert.equal(formatBarTime(NOON - 43_200, 86_400, now), "2 Nov 2025");
});

test("an old value says when it was true", () => {
  assert.equal(formatMoment(NOON + 11, NOON + 60), "at 12:00:11");
  assert.equal(formatMoment(NOON - 86_400, NOON), "on 1 Nov, 12:00");
});

test("countdown rounds up, so that it ends at zero", () => {
  assert.equal(formatCountdown(36.2), "00:37");
  assert.equal(formatCountdown(0), "00:00");
  assert.equal(formatCountdown(-5), "00:00");
  assert.equal(formatCountdown(3600 * 3 + 59 * 60 + 2), "3:59:02");
  assert.equal(formatCountdown(86_400 * 12 + 3600 * 4), "12\u2009d 4\u2009h");
});

test("durations name their two largest units", () => {
  assert.equal(formatDuration(252), "4\u2009min 12\u2009s");
  assert.equal(formatDuration(60), "1\u2009min");
  assert.equal(formatDuration(0.4), "0\u2009s");
  assert.equal(formatDuration(90_000), "1\u2009d 1\u2009h");
});

test("age is one unit", () => {
  assert.equal(formatAge(3.9), "3\u2009s");
  assert.equal(formatAge(259), "4\u2009min");
  assert.equal(formatAge(7300), "2\u2009h");
  assert.equal(formatAge(200_000), "2\u2009d");
});

test("another zone tells its own clock, its own days and its name", () => {
  useZone("Asia/Kathmandu");
  assert.equal(formatClock(NOON), "17:45:00");
  assert.equal(zoneName(NOON), "GMT+5:45");
  const midnight = Date.UTC(2025, 10, 1, 18, 15) / 1000;
  assert.equal(formatTick(midnight, "minute", 60), "2 Nov");
  assert.equal(formatTick(Date.UTC(2025, 10, 2) / 1000, "day", 60), "05:45");
  assert.equal(formatBarTime(midnight - 60, 60, NOON), "1 Nov, 23:59");
  // A bar of a day is a day of UTC, wherever it is looked at.
  assert.equal(formatTick(Date.UTC(2025, 10, 2) / 1000, "day", 86_400), "2 Nov");
  assert.equal(formatWhole(Date.UTC(2025, 10, 2) / 1000, 86_400), "2 Nov 2025");
  useZone("UTC");
});

test("the hour that a summer's end repeats is told twice, each under its own name", () => {
  useZone("Europe/Berlin");
  const before = Date.UTC(2025, 9, 26, 0, 30) / 1000;
  assert.deepEqual([formatClock(before), zoneName(before)], ["02:30:00", "CEST"]);
  assert.deepEqual([formatClock(before + 3600), zoneName(before + 3600)], ["02:30:00", "CET"]);
  useZone("UTC");
});

test("only what the browser knows is a zone", () => {
  assert.ok(isZone("local") && isZone("Pacific/Chatham"));
  assert.ok(!isZone("Mars/Olympus"));
});
