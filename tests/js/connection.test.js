import assert from "node:assert/strict";
import { test } from "node:test";
import { syncingWords } from "../../static/js/banner.js";
import { describeConnection } from "../../static/js/connection.js";

/** @type {import("../../static/js/types.js").Health} */
const READY = { status: "ready", demo: false, parts: [{ name: "store", state: "ok" }] };

/** @type {import("../../static/js/types.js").ConnectionFacts} */
const LIVE = {
  stream: "live",
  health: READY,
  lostMs: 0,
  nextAttemptMs: 0,
  latencyMs: 84.4,
  nowMs: 1_000_000,
};

/** @param {Partial<typeof LIVE>} change */
function words(change) {
  const { kind, word, detail } = describeConnection({ ...LIVE, ...change });
  return [kind, word, detail];
}

test("live says the latency, and never zero", () => {
  assert.deepEqual(words({}), ["live", "Live", "84\u2009ms"]);
  assert.deepEqual(words({ latencyMs: 0.2 }), ["live", "Live", "1\u2009ms"]);
  assert.deepEqual(words({ latencyMs: null, health: null }), ["live", "Live", ""]);
});

test("demo is said instead of live", () => {
  assert.deepEqual(words({ health: { ...READY, demo: true } }), ["demo", "Demo", ""]);
});

test("a lost socket counts down to the next attempt", () => {
  const lost = { stream: /** @type {const} */ ("reconnecting"), lostMs: 998_000 };
  assert.deepEqual(words({ ...lost, nextAttemptMs: 1_002_400 }), [
    "reconnecting",
    "Reconnecting",
    "3\u2009s",
  ]);
  assert.deepEqual(words({ ...lost, nextAttemptMs: 999_000 }), [
    "reconnecting",
    "Reconnecting",
    "",
  ]);
});

test("a socket lost for long is stale, demo or not", () => {
  const lost = { stream: /** @type {const} */ ("reconnecting"), lostMs: 1_000_000 - 252_000 };
  assert.deepEqual(words(lost), ["stale", "Stale", "4\u2009min"]);
  assert.deepEqual(words({ ...lost, health: { ...READY, demo: true } })[0], "stale");
});

test("a failing part is stale even when the socket is well", () => {
  const parts = [{ name: "store", state: "failing", reason: "disk full" }];
  assert.equal(words({ health: { status: "not_ready", parts } })[0], "stale");
});

test("history in the making is a percentage", () => {
  const parts = [{ name: "demo", state: "seeding", progress: 0.628 }];
  assert.deepEqual(words({ health: { status: "not_ready", demo: true, parts } }), [
    "syncing",
    "Syncing",
    "62\u2009%",
  ]);
});

test("a chain that is read says its block, the head, and what its follower reports", () => {
  const chain = { name: "chain 1", state: "syncing", progress: 0.5, head: 79_214_066 };
  const part = { ...chain, block: 78_331_204, reason: "12 min left at 1,226 blocks/s" };
  assert.deepEqual(words({ health: { status: "not_ready", parts: [part] } }), [
    "syncing",
    "Syncing",
    "50\u2009%",
  ]);
  assert.deepEqual(syncingWords(part), [
    "Reading the chain",
    "block 78,331,204 of 79,214,066",
    "12 min left at 1,226 blocks/s. Charts fill in as blocks arrive.",
  ]);
  assert.deepEqual(syncingWords(chain), [
    "Reading the chain",
    "",
    "Charts fill in as blocks arrive.",
  ]);
});

test("simulated history is not called a chain", () => {
  const [title, place] = syncingWords({ name: "demo", state: "seeding", progress: 0.2 });
  assert.deepEqual([title, place], ["Making the demo market", ""]);
});
