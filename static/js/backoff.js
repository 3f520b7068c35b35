/** Waiting, and for how long before something is tried again. */

const FIRST_MS = 500;
const LONGEST_MS = 20_000;

/**
 * Between half and all of the doubled delay, so that a thousand readers do not return at once.
 * @param {number} attempt 0 for the first retry
 * @param {() => number} [random] in [0, 1)
 */
export function backoffDelay(attempt, random = Math.random) {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 30));
  return Math.round(full / 2 + (full / 2) * random());
}

/** Returns its cancellation. @param {() => void} work @param {number} ms */
export function scheduleTimeout(work, ms) {
  const handle = setTimeout(work, ms);
  return () => clearTimeout(handle);
}
