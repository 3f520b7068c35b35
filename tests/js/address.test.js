import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPlace, parsePlace } from "../../static/js/navigation.js";
import { mix, parseRgb } from "../../static/js/palette.js";

test("an address names market and interval; an unknown interval is none", () => {
  assert.deepEqual(parsePlace("?symbol=GOLD&interval=1h"), { symbol: "GOLD", interval: "1h" });
  assert.deepEqual(parsePlace("?interval=7x"), { symbol: null, interval: null });
});

test("writing an address keeps what is not ours, and reads back the same", () => {
  const place = { symbol: "WETH/USDC", interval: "1M" };
  const search = formatPlace("?ref=x&symbol=OLD", place);
  assert.equal(search, "?ref=x&symbol=WETH/USDC&interval=1M");
  assert.deepEqual(parsePlace(search), place);
});

test("symbols with their own punctuation survive", () => {
  const place = { symbol: "A&B=C #1", interval: "1m" };
  assert.deepEqual(parsePlace(formatPlace("", place)), place);
});

test("colours mix to opaque ones", () => {
  assert.deepEqual(parseRgb("rgb(1, 2, 3)"), [1, 2, 3]);
  assert.equal(mix("rgb(100, 0, 0)", "rgb(0, 0, 100)", 0.25), "rgb(25, 0, 75)");
});
