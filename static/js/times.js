/** Times as words. Everything is UTC and says so. */

import { THIN } from "./numbers.js";

const DAY_S = 86_400;

export const formatClock = clock({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const formatMinute = clock({ hour: "2-digit", minute: "2-digit" });
export const formatDay = clock({ day: "numeric", month: "short" });
export const formatDate = clock({ day: "numeric", month: "short", year: "numeric" });
export const formatMonth = clock({ month: "short" });
export const formatYear = clock({ year: "numeric" });

/**
 * Building a formatter costs far more than using it, so there is one of each.
 * @param {Intl.DateTimeFormatOptions} options
 * @returns {(time_s: number) => string}
 */
function clock(options) {
  const utc = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC", hourCycle: "h23" });
  return (time_s) => utc.format(time_s * 1000);
}

/**
 * A bar's time in the legend: as short as the bar's length and age allow.
 * @param {number} time_s
 * @param {number} interval_s
 * @param {number} now_s
 */
export function formatBarTime(time_s, interval_s, now_s) {
  if (interval_s >= DAY_S) return formatDate(time_s);
  const clock = interval_s < 60 ? formatClock(time_s) : formatMinute(time_s);
  const sameDay = Math.floor(time_s / DAY_S) === Math.floor(now_s / DAY_S);
  return sameDay ? clock : `${formatDay(time_s)}, ${clock}`;
}

/**
 * When an old value was true: the time today, the day with it before that.
 * @param {number} time_s
 * @param {number} now_s
 */
export function formatMoment(time_s, now_s) {
  const sameDay = Math.floor(time_s / DAY_S) === Math.floor(now_s / DAY_S);
  return sameDay ? `at ${formatClock(time_s)}` : `on ${formatDay(time_s)}, ${formatMinute(time_s)}`;
}

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
