/**
 * Times as words, in the zone the reader chose; UTC unless told otherwise. Bars of a day and more
 * are days of UTC, wherever they are looked at.
 */

import { THIN } from "./numbers.js";

const DAY_S = 86_400;

/** @type {string | undefined} undefined is the browser's own zone */
let zone = "UTC";
/** @type {Map<string, Intl.DateTimeFormat>} */
const formatters = new Map();

/** Everything is told in this zone from now on. @param {string} name of IANA, "UTC" or "local" */
export function useZone(name) {
  zone = name === "local" ? undefined : name;
  formatters.clear();
}

/** Whether the browser knows a zone of this name. @param {string} name */
export function isZone(name) {
  try {
    return name === "local" || Boolean(new Intl.DateTimeFormat("en-GB", { timeZone: name }));
  } catch {
    return false;
  }
}

/**
 * Building a formatter costs far more than using it, so there is one of each.
 * @param {Intl.DateTimeFormatOptions} options
 * @param {boolean} [isUtc]
 * @returns {(time_s: number) => string}
 */
function clock(options, isUtc = false) {
  const key = JSON.stringify([options, isUtc]);
  return (time_s) => {
    let formatter = formatters.get(key);
    if (!formatter) {
      const timeZone = isUtc ? "UTC" : zone;
      formatter = new Intl.DateTimeFormat("en-GB", { ...options, timeZone, hourCycle: "h23" });
      formatters.set(key, formatter);
    }
    return formatter.format(time_s * 1000);
  };
}

const TWO = "2-digit";
const CLOCK = /** @type {const} */ ({ hour: TWO, minute: TWO, second: TWO });
const MINUTE = /** @type {const} */ ({ hour: TWO, minute: TWO });
const DAY = /** @type {const} */ ({ day: "numeric", month: "short" });
const DATE = /** @type {const} */ ({ ...DAY, year: "numeric" });

export const formatClock = clock(CLOCK);
export const formatMinute = clock(MINUTE);
export const formatDay = clock(DAY);
export const formatDate = clock(DATE);
export const formatMonth = clock({ month: "short" });
export const formatYear = clock({ year: "numeric" });
const formatUtcDay = clock(DAY, true);
const formatUtcDate = clock(DATE, true);

/** What the zone is called at this time: "UTC", "CET", "GMT+5:45". @param {number} time_s */
export function zoneName(time_s) {
  if (zone === "UTC") return "UTC";
  const text = clock({ hour: TWO, timeZoneName: "short" })(time_s);
  return text.slice(text.indexOf(" ") + 1);
}

/**
 * @param {number} time_s
 * @param {number} now_s
 */
function isSameDay(time_s, now_s) {
  return formatDate(time_s) === formatDate(now_s);
}

/**
 * A bar's time in the legend: as short as the bar's length and age allow.
 * @param {number} time_s
 * @param {number} interval_s
 * @param {number} now_s
 */
export function formatBarTime(time_s, interval_s, now_s) {
  if (interval_s >= DAY_S) return formatUtcDate(time_s);
  const clock = interval_s < 60 ? formatClock(time_s) : formatMinute(time_s);
  return isSameDay(time_s, now_s) ? clock : `${formatDay(time_s)}, ${clock}`;
}

/**
 * The whole of it, for tables and titles: 2 Nov 2025, 03:59:00.
 * @param {number} time_s
 * @param {number} [interval_s] of the bar that begins then
 */
export function formatWhole(time_s, interval_s = 1) {
  if (interval_s >= DAY_S) return formatUtcDate(time_s);
  return `${formatDate(time_s)}, ${interval_s % 60 ? formatClock(time_s) : formatMinute(time_s)}`;
}

/**
 * When an old value was true: the time today, the day with it before that.
 * @param {number} time_s
 * @param {number} now_s
 */
export function formatMoment(time_s, now_s) {
  if (isSameDay(time_s, now_s)) return `at ${formatClock(time_s)}`;
  return `on ${formatDay(time_s)}, ${formatMinute(time_s)}`;
}

/**
 * A label of the time axis. The library marks days, months and years where they begin in UTC; in
 * another zone they begin elsewhere, so the label tells what the zone's own clock shows.
 * @param {number} time_s
 * @param {"year" | "month" | "day" | "minute" | "second"} weight
 * @param {number} interval_s
 */
export function formatTick(time_s, weight, interval_s) {
  if (interval_s >= DAY_S) return UTC_TICKS[weight](time_s);
  if (weight === "second") return formatClock(time_s);
  if (formatClock(time_s) !== "00:00:00") return formatMinute(time_s);
  const day = formatDay(time_s);
  if (!day.startsWith("1 ")) return day;
  return day === "1 Jan" ? formatYear(time_s) : formatMonth(time_s);
}

/** @type {Record<"year" | "month" | "day" | "minute" | "second", (time_s: number) => string>} */
const UTC_TICKS = {
  year: clock({ year: "numeric" }, true),
  month: clock({ month: "short" }, true),
  day: formatUtcDay,
  minute: formatUtcDay,
  second: formatUtcDay,
};

/** @param {number} value */
const two = (value) => String(value).padStart(2, "0");

/**
 * 00:37, 3:59:02, 12 d 4 h.
 * @param {number} seconds
 */
export function formatCountdown(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  const hours = Math.floor(left / 3600);
  if (hours >= 48) return `${Math.floor(hours / 24)}${THIN}d ${hours % 24}${THIN}h`;
  const rest = `${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

/**
 * The two largest units: 4 min 12 s.
 * @param {number} seconds
 */
export function formatDuration(seconds) {
  const total = Math.max(0, Math.floor(seconds));
  const units = /** @type {const} */ ([
    ["d", Math.floor(total / DAY_S)],
    ["h", Math.floor(total / 3600) % 24],
    ["min", Math.floor(total / 60) % 60],
    ["s", total % 60],
  ]);
  const first = units.findIndex(([, count]) => count > 0);
  if (first < 0) return `0${THIN}s`;
  return units
    .slice(first, first + 2)
    .filter(([, count]) => count > 0)
    .map(([unit, count]) => `${count}${THIN}${unit}`)
    .join(" ");
}

/**
 * One unit, for the pill: 3 s, 4 min, 2 h.
 * @param {number} seconds
 */
export function formatAge(seconds) {
  const total = Math.max(0, Math.floor(seconds));
  if (total < 60) return `${total}${THIN}s`;
  if (total < 3600) return `${Math.floor(total / 60)}${THIN}min`;
  if (total < DAY_S) return `${Math.floor(total / 3600)}${THIN}h`;
  return `${Math.floor(total / DAY_S)}${THIN}d`;
}
