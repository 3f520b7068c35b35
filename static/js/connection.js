/** What the pill may honestly say, from the socket, the server's own report, and time. */

import { THIN } from "./numbers.js";
import { formatAge } from "./times.js";

/**
 * @import { Health } from "./types.js"
 * @import { StreamState } from "./stream.js"
 *
 * @typedef {"connecting" | "live" | "reconnecting" | "syncing" | "stale" | "demo"} ConnectionKind
 * @typedef {{kind: ConnectionKind, word: string, detail: string}} Connection
 *
 * @typedef {object} ConnectionFacts
 * @property {StreamState} stream
 * @property {Health | null} health null when the server did not answer
 * @property {number} lostMs since when the socket is lost, 0 while it is not
 * @property {number} nextAttemptMs
 * @property {number | null} latencyMs
 * @property {number} nowMs
 */

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
  const syncing = health.parts?.find(
    (part) => part.state === "seeding" || part.state === "syncing",
  );
  if (syncing) {
    const percent = Math.floor((syncing.progress ?? 0) * 100);
    return { kind: "syncing", word: "Syncing", detail: `${percent}${THIN}%` };
  }
  if (failingPart(health)) return { kind: "stale", word: "Stale", detail: "" };
  if (health.demo) return { kind: "demo", word: "Demo", detail: "" };
  return { kind: "live", word: "Live", detail: latency(latencyMs) };
}

/** @param {Health} health */
export function failingPart(health) {
  return health.parts?.find((part) => part.state === "failing" || part.state === "stopped");
}

/** @param {number | null} ms */
function latency(ms) {
  return ms === null ? "" : `${Math.max(1, Math.round(ms))}${THIN}ms`;
}
