/**
 * Intervals: `<n><s|m|h|d|w|M>`, and where their buckets begin and end. The server's rule is the
 * same: weeks are Mondays counted from 1970-01-05, months from 1970-01, all else from the epoch.
 */

const WEEK = 604_800;
/** 1970-01-05 was the first Monday. */
const FIRST_MONDAY = 345_600;
/** Months count their mean; their buckets follow the calendar. */
const MONTH = 2_629_746;
const LONGEST = 10 * 366 * 86_400;

/** @type {Record<string, {seconds: number, word: string}>} */
const UNITS = {
  s: { seconds: 1, word: "second" },
  m: { seconds: 60, word: "minute" },
  h: { seconds: 3600, word: "hour" },
  d: { seconds: 86_400, word: "day" },
  w: { seconds: WEEK, word: "week" },
  M: { seconds: MONTH, word: "month" },
};

export const FAVOURITES = ["1s", "1m", "5m", "15m", "1h", "4h", "1d"];

/** @param {string} name */
function parse(name) {
  const found = /^([1-9]\d{0,5})([smhdwM])$/.exec(name);
  const unit = UNITS[found?.[2] ?? ""];
  const count = Number(found?.[1]);
  return unit && count * unit.seconds <= LONGEST ? { count, ...unit } : null;
}

/** @param {string} name */
function known(name) {
  const interval = parse(name);
  if (!interval) throw new RangeError(`interval must be like 1m or 4h, was '${name}'`);
  return interval;
}

/**
 * The one spelling of an interval, or null; only m and M differ by case.
 * @param {string | null | undefined} text
 */
export function normalInterval(text) {
  const name = text?.replace(/[SHDW]$/, (unit) => unit.toLowerCase()) ?? "";
  return parse(name) && name;
}

/** @param {string} name */
export function intervalSeconds(name) {
  const { count, seconds } = known(name);
  return count * seconds;
}

/**
 * "15m" → "15 minutes", for the ear and for titles.
 * @param {string} name
 */
export function intervalWords(name) {
  const { count, word } = known(name);
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/**
 * @param {string} name
 * @param {number} time_s
 */
export function bucketStart(name, time_s) {
  const { count, seconds } = known(name);
  if (seconds === MONTH) return monthStart(Math.floor(monthOf(time_s) / count) * count);
  const length = count * seconds;
  const origin = seconds === WEEK ? FIRST_MONDAY : 0;
  return Math.floor((time_s - origin) / length) * length + origin;
}

/**
 * @param {string} name
 * @param {number} start_s a bucket's start
 */
export function bucketEnd(name, start_s) {
  const { count, seconds } = known(name);
  return seconds === MONTH ? monthStart(monthOf(start_s) + count) : start_s + count * seconds;
}

/** Months since 1970-01. @param {number} time_s */
function monthOf(time_s) {
  const date = new Date(time_s * 1000);
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
}

/** @param {number} month since 1970-01 */
function monthStart(month) {
  return Date.UTC(1970, month, 1) / 1000;
}
