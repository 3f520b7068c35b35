/** What the pill may honestly say, from the socket, the server's own report, and time. */

import { THIN } from "./numbers.js";
import { formatAge } from "./times.js";

/** @import { Connection, ConnectionFacts, Health } from "./types.js" */

/** A loss this long is no hiccup: what is on screen is old, and the page says how old. */
const STALE_AFTER_MS = 30_000;

/**
 * @param {ConnectionFacts} facts
 * @returns {Connection}
 */
export function describeConnection(facts) {
  if (facts.stream === "connecting") return { kind: "connecting", word: "Connecting", detail: "" };
  if (facts.stream === "reconnecting") return describeLoss(facts);
  if (!facts.health) return { kind: "live", word: "Live", detail: latency(facts.latencyMs) };
  return describeServer(facts.health, facts.latencyMs);
}

/**
 * @param {ConnectionFacts} facts
 * @returns {Connection}
 */
function describeLoss({ lostMs, nextAttemptMs, nowMs }) {
  const lostFor = nowMs - lostMs;
  if (lostFor >= STALE_AFTER_MS) {
    return { kind: "stale", word: "Stale", detail: formatAge(lostFor / 1000) };
  }
  const wait = Math.ceil((nextAttemptMs - nowMs) / 1000);
  return { kind: "reconnecting", word: "Reconnecting", detail: wait > 0 ? formatAge(wait) : "" };
}

/**
 * @param {Health} health
 * @param {number | null} latencyMs
 * @returns {Connection}
 */
function describeServer(health, latencyMs) {
  const syncing = syncingPart(health);
  if (syncing) {
    const percent = Math.floor((syncing.progress ?? 0) * 100);
    return { kind: "syncing", word: "Syncing", detail: `${percent}${THIN}%` };
  }
  if (failingPart(health)) return { kind: "stale", word: "Stale", detail: "" };
  if (health.demo) return { kind: "demo", word: "Demo", detail: "" };
  return { kind: "live", word: "Live", detail: latency(latencyMs) };
}

/** @param {Health | null} health */
export function syncingPart(health) {
  return health?.parts?.find(({ state }) => state === "seeding" || state === "syncing");
}

/** @param {Health} health */
export function failingPart(health) {
  return health.parts?.find((part) => part.state === "failing" || part.state === "stopped");
}

/** @param {number | null} ms */
function latency(ms) {
  return ms === null ? "" : `${Math.max(1, Math.round(ms))}${THIN}ms`;
}
