/** Time zones in words. */

/**
 * How far a zone is from UTC at a moment: "UTC+5:45".
 * @param {string} zone
 * @param {number} time_ms
 */
export function zoneOffset(zone, time_ms) {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeZoneName: "shortOffset" });
  const part = format.formatToParts(time_ms).find(({ type }) => type === "timeZoneName");
  return (part?.value ?? "UTC").replace("GMT", "UTC").replace("-", "\u2212");
}
