import assert from "node:assert/strict";
import { test } from "node:test";
import { sparkline } from "../../static/js/market-row.js";
import { findMarkets, nextSort, sortMarkets, withPrice } from "../../static/js/markets.js";
import { weigher } from "../../static/js/tape-row.js";

const MARKETS = [
  { symbol: "WETH/USDC", name: "Wrapped ether", current_price: 3300, price_change_percent_24h: 1 },
  { symbol: "ETH", name: "Ether", current_price: 3318, price_change_percent_24h: -2 },
  { symbol: "OIL", name: "WTI crude" },
  { symbol: "ETHFI", name: "Ether.fi", current_price: 2, price_change_percent_24h: 5 },
];

/** @param {{symbol: string}[]} markets */
const symbols = (markets) => markets.map(({ symbol }) => symbol);

test("search ranks the exact symbol, then beginnings, then anything", () => {
  assert.deepEqual(symbols(findMarkets(MARKETS, " eth ")), ["ETH", "ETHFI", "WETH/USDC"]);
  assert.deepEqual(symbols(findMarkets(MARKETS, "crude")), ["OIL"]);
  assert.deepEqual(findMarkets(MARKETS, "zzz"), []);
  assert.deepEqual(findMarkets(MARKETS, ""), MARKETS);
});

test("sorting keeps unknown values last, whichever way", () => {
  const down = sortMarkets(MARKETS, { key: "change", descending: true });
  const up = sortMarkets(MARKETS, { key: "change", descending: false });
  assert.deepEqual(symbols(down), ["ETHFI", "WETH/USDC", "ETH", "OIL"]);
  assert.deepEqual(symbols(up), ["ETH", "WETH/USDC", "ETHFI", "OIL"]);
  assert.deepEqual(
    symbols(sortMarkets(MARKETS, { key: "symbol", descending: false })).at(0),
    "ETH",
  );
});

test("a heading goes through its directions and back to the server's order", () => {
  const first = nextSort(null, "price");
  const second = nextSort(first, "price");
  assert.deepEqual(first, { key: "price", descending: true });
  assert.deepEqual(second, { key: "price", descending: false });
  assert.equal(nextSort(second, "price"), null);
  assert.deepEqual(nextSort(first, "symbol"), { key: "symbol", descending: false });
});

test("a new price moves change and range, and invents nothing", () => {
  const market = {
    symbol: "A",
    current_price: 110,
    price_change_24h: 10,
    high_24h: 112,
    low_24h: 99,
  };
  const next = withPrice(market, 120);
  assert.equal(next.price_change_24h, 20);
  assert.ok(Math.abs((next.price_change_percent_24h ?? 0) - 20) < 1e-9);
  assert.deepEqual([next.high_24h, next.low_24h], [120, 99]);
  assert.deepEqual(withPrice({ symbol: "B" }, 5), { symbol: "B", current_price: 5 });
});

test("a sparkline fills its box, and a flat one runs through the middle", () => {
  const line = sparkline([1, 3, 2], 54, 20);
  assert.equal(line?.path, "M0 20L27 0L54 10");
  assert.deepEqual(line?.end, { x: 54, y: 10 });
  assert.equal(line?.baseline, 20);
  assert.equal(sparkline([5, 5], 54, 20)?.path, "M0 10L54 10");
  assert.equal(sparkline([5], 54, 20), null);
});

test("the top twentieth of sizes is heavy", () => {
  const weigh = weigher(Array.from({ length: 100 }, (_, index) => index + 1));
  assert.deepEqual([10, 51, 60, 95, 96, 500].map(weigh), [
    "light",
    "light",
    "medium",
    "medium",
    "heavy",
    "heavy",
  ]);
  assert.equal(weigher([])(5), "light");
});
