import assert from "node:assert/strict";
import { test } from "node:test";
import { candleStream, parseMessage, request, tradeStream } from "../../static/js/protocol.js";

const KLINE = { t: 60_000, i: "1m", o: "1.5", h: "2", l: "1", c: "1.75", v: "10.5", x: false };

/** @param {unknown} body */
const parse = (body) => parseMessage(JSON.stringify(body));

test("stream names are lower case and without punctuation", () => {
  assert.equal(candleStream("WETH/USDC", "1M"), "wethusdc@kline_1M");
  assert.equal(tradeStream("GOLD"), "gold@trade");
});

test("requests are Binance-shaped", () => {
  assert.deepEqual(JSON.parse(request("SUBSCRIBE", ["gold@trade"], 3)), {
    method: "SUBSCRIBE",
    params: ["gold@trade"],
    id: 3,
  });
});

test("a kline becomes a candle with numbers and seconds", () => {
  assert.deepEqual(parse({ e: "kline", E: 61_000, s: "WETHUSDC", k: KLINE }), {
    type: "candle",
    symbol: "wethusdc",
    interval: "1m",
    candle: {
      time: 60,
      open: 1.5,
      high: 2,
      low: 1,
      close: 1.75,
      volume: 10.5,
      final: true,
      closed: false,
    },
    sentMs: 61_000,
  });
});

test("a closed kline that may be reorganized says both", () => {
  const message = parse({ e: "kline", E: 1, s: "GOLD", k: { ...KLINE, x: true, final: false } });
  assert.equal(message.type, "candle");
  assert.ok(message.type === "candle" && message.candle.closed && !message.candle.final);
});

test("a trade whose buyer was the maker is a sell", () => {
  const body = {
    e: "trade",
    E: 2,
    s: "GOLD",
    t: 83_061_000_123_456,
    p: "2431.18",
    q: "0.5",
    T: 1500,
  };
  const sell = parse({ ...body, m: true });
  const buy = parse({ ...body, m: false });
  const unknown = parse(body);
  assert.ok(sell.type === "trade" && buy.type === "trade" && unknown.type === "trade");
  assert.deepEqual([sell.trade.side, buy.trade.side, unknown.trade.side], ["sell", "buy", null]);
  assert.equal(sell.trade.time, 1.5);
  assert.equal(sell.trade.sequence, "83061000123456");
});

test("answers carry their id, and errors their reason", () => {
  assert.deepEqual(parse({ result: null, id: 7 }), { type: "answer", id: 7, error: null });
  const refused = parse({ error: { code: 2, msg: "unknown symbol" }, id: 8 });
  assert.deepEqual(refused, { type: "answer", id: 8, error: "unknown symbol" });
});

for (const text of [
  "",
  "null",
  "[]",
  "{",
  '"x"',
  '{"e":"kline"}',
  '{"e":"kline","k":{"t":"x"}}',
  '{"e":"trade","p":"?"}',
]) {
  test(`${text || "nothing"} is ignored`, () => {
    assert.deepEqual(parseMessage(text), { type: "other" });
  });
}
