/** The intervals a chart can have, and where their buckets begin and end. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;
/** 1970-01-05 was the first Monday. */
const FIRST_MONDAY = 4 * DAY;

/** Name → seconds; a month counts its mean, its buckets follow the calendar. */
const SECONDS = /** @type {Record<string, number>} */ ({
  "1s": 1,
  "5s": 5,
  "15s": 15,
  "30s": 30,
  "1m": MINUTE,
  "3m": 3 * MINUTE,
  "5m": 5 * MINUTE,
  "15m": 15 * MINUTE,
  "30m": 30 * MINUTE,
  "1h": HOUR,
  "2h": 2 * HOUR,
  "4h": 4 * HOUR,
  "6h": 6 * HOUR,
  "12h": 12 * HOUR,
  "1d": DAY,
  "3d": 3 * DAY,
  "1w": WEEK,
  "1M": 30.436875 * DAY,
});

export const FAVOURITES = ["1s", "1m", "5m", "15m", "1h", "4h", "1d"];
export const DEFAULT_INTERVAL = "1m";

const WORDS = /** @type {Record<string, string>} */ ({
  s: "second",
  m: "minute",
  h: "hour",
  d: "day",
  w: "week",
  M: "month",
});

/** @param {string | null | undefined} name */
export function isInterval(name) {
  return name != null && Object.hasOwn(SECONDS, name);
}

/** @param {string} name */
export function intervalSeconds(name) {
  const seconds = SECONDS[name];
  if (seconds === undefined) throw new RangeError(`interval must be one of ours, was '${name}'`);
  return seconds;
}

/**
 * "15m" → "15 minutes", for the ear and for titles.
 * @param {string} name
 */
export function intervalWords(name) {
  const count = Number.parseInt(name, 10);
  return `${count} ${WORDS[name.slice(-1)]}${count === 1 ? "" : "s"}`;
}

/**
 * @param {string} name
 * @param {number} time_s
 */
export function bucketStart(name, time_s) {
  if (name === "1M") return monthStart(time_s, 0);
  const length = intervalSeconds(name);
  const origin = name === "1w" ? FIRST_MONDAY : 0;
  return Math.floor((time_s - origin) / length) * length + origin;
}

/**
 * @param {string} name
 * @param {number} start_s a bucket's start
 */
export function bucketEnd(name, start_s) {
  return name === "1M" ? monthStart(start_s, 1) : start_s + intervalSeconds(name);
}

/**
 * @param {number} time_s
 * @param {number} later months to add
 */
function monthStart(time_s, later) {
  const date = new Date(time_s * 1000);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later, 1) / 1000;
}
