/** What servers say of themselves, asked at most twice a minute for all charts of a page. */

import { Api } from "../js/api.js";

/** @import { Health } from "../js/types.js" */

const KEPT_MS = 30_000;

/** @type {Map<string, {askedMs: number, answer: Promise<Health | null>}>} */
const known = new Map();

/** The dashboard's questions, put to a server anywhere. @param {string} server */
export function apiOf(server) {
  return new Api((address, init) => fetch(`${server}${String(address).replace(/^\//, "")}`, init));
}

/** @param {string} server @returns {Promise<Health | null>} null where there is no answer */
export function healthOf(server) {
  const now = performance.now();
  const before = known.get(server);
  if (before && now - before.askedMs < KEPT_MS) return before.answer;
  const answer = apiOf(server)
    .fetchHealth()
    .catch(() => null);
  known.set(server, { askedMs: now, answer });
  return answer;
}
