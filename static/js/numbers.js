/**
 * Numbers as words: fixed decimals per market, a true minus, thin spaces before units, and the
 * 0.0₄2084 form once four or more zeros lead.
 */

/** @import { PriceParts } from "./types.js" */

export const MINUS = "\u2212";
/** Narrow, and never the place where a line breaks. */
export const THIN = "\u2009";
export const UNKNOWN = "\u2014";

const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const FOLD_ZEROS = 4;
/** A double holds 15 digits exactly; more would print noise. */
const EXACT_DIGITS = 15;
const TINY_DIGITS = 4;
const UNITS = /** @type {const} */ ([
  [1e12, "T"],
  [1e9, "B"],
  [1e6, "M"],
  [1e3, "k"],
]);

/** @param {number} value */
function magnitude(value) {
  return value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
}

/**
 * Decimals that can be shown without noise and without a tiny value turning to zero.
 * @param {number} value
 * @param {number} decimals
 */
function usableDecimals(value, decimals) {
  const size = magnitude(value);
  const exact = Math.max(0, EXACT_DIGITS - 1 - size);
  const vanishes = value !== 0 && Number(value.toFixed(Math.min(100, decimals))) === 0;
  const wanted = vanishes ? TINY_DIGITS - 1 - size : decimals;
  return Math.min(wanted, exact, 100);
}

/** @param {string} digits */
function group(digits) {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}

/**
 * @param {number} value
 * @param {number} decimals
 */
export function formatFixed(value, decimals) {
  const [whole = "0", fraction = ""] = Math.abs(value).toFixed(decimals).split(".");
  const isZero = !/[1-9]/.test(whole + fraction);
  const sign = value < 0 && !isZero ? MINUS : "";
  return sign + group(whole) + (fraction ? `.${fraction}` : "");
}

/**
 * @param {number} value
 * @param {number} decimals
 * @returns {PriceParts}
 */
export function priceParts(value, decimals) {
  const text = formatFixed(value, usableDecimals(value, decimals));
  const folded = /^(−?0\.)(0+)([1-9]\d*)$/.exec(text);
  if (!folded || folded[2].length < FOLD_ZEROS) return { lead: text, zeros: "", rest: "" };
  return { lead: `${folded[1]}0`, zeros: String(folded[2].length), rest: folded[3] };
}

/**
 * For canvas and titles, where there is no `<sub>`.
 * @param {number} value
 * @param {number} decimals
 */
export function formatPrice(value, decimals) {
  const { lead, zeros, rest } = priceParts(value, decimals);
  const folded = [...zeros].map((digit) => SUBSCRIPTS[Number(digit)]).join("");
  return lead + folded + rest;
}

/**
 * Every digit, for the title of a folded price.
 * @param {number} value
 * @param {number} decimals
 */
export function formatFullPrice(value, decimals) {
  return formatFixed(value, usableDecimals(value, decimals));
}

/**
 * A change always carries its sign.
 * @param {number} value
 * @param {number} decimals
 */
export function formatChange(value, decimals) {
  const text = formatPrice(value, decimals);
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/**
 * @param {number} percent
 * @param {number} [decimals]
 */
export function formatPercent(percent, decimals = 2) {
  const text = formatFixed(percent, decimals);
  const sign = percent > 0 && /[1-9]/.test(text) ? "+" : "";
  return `${sign}${text}${THIN}%`;
}

/**
 * 48.2 M, 1.2 k; below a thousand the number itself.
 * @param {number} value
 */
export function formatCompact(value) {
  const size = Math.abs(value);
  for (const [unit, letter] of UNITS) {
    // 999,950 would round to "1000.0 k"; it reads 1.0 M.
    if (size >= unit * 0.99995) return `${formatFixed(value / unit, 1)}${THIN}${letter}`;
  }
  if (size >= 1 || size === 0) return formatFixed(value, 1);
  return formatPrice(value, 2 - magnitude(value));
}

/**
 * Counts stay exact until a million.
 * @param {number} value
 */
export function formatCount(value) {
  return value < 1e6 ? formatFixed(value, 0) : formatCompact(value);
}

/**
 * Trade sizes: about as many digits as a 20 px row can hold.
 * @param {number} size
 */
export function formatSize(size) {
  if (size >= 1e5) return formatCompact(size);
  if (size >= 10) return formatFixed(size, 2);
  return formatPrice(size, 4);
}

/**
 * Decimals for a market that does not say: five significant digits, at least two.
 * @param {number | undefined} price
 */
export function guessDecimals(price) {
  if (!price || !Number.isFinite(price)) return 2;
  return Math.min(18, Math.max(2, 4 - magnitude(price)));
}
