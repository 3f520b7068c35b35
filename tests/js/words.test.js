import assert from "node:assert/strict";
import { test } from "node:test";
import { failingWords, syncingWords } from "../../static/js/banner.js";
import { chainPart, finalityOf, lagOf, transactionAddress } from "../../static/js/chain-part.js";
import { shortPrice } from "../../static/js/favicon.js";
import { embedAddress, frameCode } from "../../static/js/frame-builder.js";
import { mergeMarkets, withQuote } from "../../static/js/markets.js";
import { blockOf } from "../../static/js/tape-row.js";
import { zoneOffset } from "../../static/js/zones.js";

const CHAINS = {
  status: /** @type {const} */ ("ready"),
  parts: [
    { name: "store", state: "ok" },
    { name: "chain 1", state: "live", head: 9, block: 9, chain_id: 1, final: 5, time: 100 },
    { name: "chain 2", state: "live", head: 7, block: 7, chain_id: 2, final: 6, time: 90 },
  ],
};

test("a market has the figures of its own chain", () => {
  const market = { symbol: "A", chain_id: 2 };
  assert.equal(chainPart(CHAINS, 2)?.name, "chain 2");
  assert.equal(chainPart(CHAINS, undefined)?.name, "chain 1");
  assert.deepEqual(finalityOf(CHAINS, market), { block: 6 });
  assert.equal(finalityOf(CHAINS, { symbol: "B" }), null);
  assert.equal(lagOf(chainPart(CHAINS, 2), 95.5), 5.5);
  assert.equal(lagOf(undefined, 95), null);
});

test("a live trade tells its block by its sequence", () => {
  const trade = { time: 0, size: 1, side: null, kind: "trade", sequence: String(79214066n << 20n) };
  assert.equal(blockOf(trade), 79_214_066);
  assert.equal(blockOf({ ...trade, block_number: 5 }), 5);
});

test("transactions are read where the operator says, or where the chain is known", () => {
  const hash = `0x${"ab".repeat(32)}`;
  const trade = { transaction_hash: hash, chain_id: 137 };
  assert.equal(transactionAddress(trade, undefined, ""), `https://polygonscan.com/tx/${hash}`);
  const own = "https://scan.example/{hash}?x";
  assert.equal(transactionAddress(trade, undefined, own), `https://scan.example/${hash}?x`);
  assert.equal(transactionAddress({ ...trade, chain_id: 1337 }, undefined, ""), null);
  assert.equal(transactionAddress({ transaction_hash: "javascript:1" }, undefined, own), null);
});

test("the banner says what failed, why, and what still holds", () => {
  const part = { name: "chain 1", state: "failing", reason: "too many requests", head: 9 };
  assert.deepEqual(failingWords(part, 252), [
    "No new block for 4\u2009min 12\u2009s",
    "Too many requests. Nothing is lost; the gap fills when it answers.",
  ]);
  assert.equal(
    failingWords({ name: "store", state: "failing" }, null)[0],
    "The store does not answer",
  );
  assert.deepEqual(syncingWords({ name: "demo", state: "seeding" })[0], "Making the demo market");
});

test("a price fits an icon", () => {
  const shown = { 98412.5: "98k", 2431.18: "2431", 71.16: "71.2", 1.0418: "1.04", 0.8123: ".812" };
  for (const [price, text] of Object.entries(shown)) assert.equal(shortPrice(Number(price)), text);
  assert.equal(shortPrice(0.00000123), "≈0");
  assert.equal(shortPrice(1_234_567), "1.2M");
});

test("a frame's address is written as HTML", () => {
  const look = { symbol: "WETH/USDC", interval: "1m", theme: "dark" };
  const address = embedAddress("http://a", look);
  assert.equal(address, "http://a/embed?symbol=WETH/USDC&interval=1m&theme=dark");
  const code = frameCode(address, "640", "").map(([text]) => text);
  assert.match(
    code.join(""),
    /^<iframe width="640" height="450"\n {2}src="http:[^"]*&amp;theme=dark">/,
  );
});

test("zones tell how far they are from UTC, also odd ones and in summer", () => {
  const winter = Date.UTC(2026, 0, 1);
  const summer = Date.UTC(2026, 6, 1);
  assert.equal(zoneOffset("Asia/Kathmandu", winter), "UTC+5:45");
  assert.equal(zoneOffset("Europe/Berlin", winter), "UTC+1");
  assert.equal(zoneOffset("Europe/Berlin", summer), "UTC+2");
  assert.equal(zoneOffset("America/St_Johns", winter), "UTC\u22123:30");
});

test("of a market in two lists the second knows better", () => {
  const merged = mergeMarkets(
    [{ symbol: "A", current_price: 1 }, { symbol: "B" }],
    [{ symbol: "A", current_price: 2 }, { symbol: "C" }],
  );
  assert.deepEqual(
    merged.map(({ symbol, current_price: price }) => [symbol, price]),
    [
      ["A", 2],
      ["B", undefined],
      ["C", undefined],
    ],
  );
  assert.equal(withQuote({ symbol: "A", current_price: 1, name: "a" }, { lp: 3 }).current_price, 3);
});
