/** A widget's word for an interval: minutes as a bare number, else with S, D, W or M. */

/** @type {Record<string, string>} */
const UNITS = { S: "s", "": "m", D: "d", W: "w", M: "M" };

/**
 * "5" → "5m", "60" → "1h", "1D" → "1d", as streams name it.
 * @param {string} resolution
 */
export function intervalOf(resolution) {
  const [, digits = "", unit = ""] = /^(\d*)([SDWM]?)$/.exec(resolution) ?? [];
  const count = Number(digits || 1);
  if ((!digits && !unit) || !count) {
    throw new RangeError(`resolution must be like 5, 60, 1S, 1D, 1W or 1M, was '${resolution}'`);
  }
  if (unit === "" && count % 60 === 0) return `${count / 60}h`;
  return count + UNITS[unit];
}
