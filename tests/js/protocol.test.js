import assert from "node:assert/strict";
import { test } from "node:test";
import {
  candleStream,
  isCounted,
  parseMessage,
  recoveredStreams,
  request,
  streamOf,
  tradeStream,
} from "../../static/js/protocol.js";

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
  const accepted = { type: "answer", id: 7, error: null, result: null };
  assert.deepEqual(parse({ result: null, id: 7 }), accepted);
  const refused = parse({ error: { code: 2, msg: "unknown symbol" }, id: 8 });
  assert.ok(refused.type === "answer" && refused.error === "unknown symbol");
});

test("every event knows its stream, and what may not be missed is counted", () => {
  const trade = { e: "trade", E: 2, s: "WETHUSDC", t: 1, p: "1", q: "1", T: 1500, u: 4 };
  const reset = { e: "reset", s: "GOLD", i: "1M", from: 0, to: 60_000, reason: "reorg", u: 7 };
  const ticker = { e: "24hrMiniTicker", s: "GOLD", o: "1", h: "3", l: "0.5", c: "2", v: "10" };
  const forming = { e: "kline", E: 1, s: "GOLD", k: KLINE, u: 0 };
  const closed = { ...forming, k: { ...KLINE, x: true } };
  const found = [trade, reset, ticker, forming, closed].map((body) => {
    const event = parse(body);
    assert.ok("symbol" in event);
    return [streamOf(event), event.u, isCounted(event)];
  });
  assert.deepEqual(found, [
    ["wethusdc@trade", 4, true],
    ["gold@kline_1M", 7, true],
    ["gold@miniTicker", undefined, false],
    ["gold@kline_1m", 0, false],
    ["gold@kline_1m", 0, true],
  ]);
});

test("a ticker has numbers, or is none", () => {
  const body = { e: "24hrMiniTicker", s: "GOLD", o: "1", h: "3", l: "0.5", c: "2", v: "10" };
  const ticker = {
    type: "ticker",
    symbol: "gold",
    close: 2,
    open: 1,
    high: 3,
    low: 0.5,
    volume: 10,
  };
  assert.deepEqual(parse(body), ticker);
  assert.deepEqual(parse({ ...body, c: "?" }), { type: "other" });
});

test("only what the server calls recovered is", () => {
  const rows = [{ stream: "a", recovered: true }, { stream: "b", recovered: false }, null, 7];
  assert.deepEqual(recoveredStreams(rows), ["a"]);
  for (const odd of [null, {}, "x", undefined]) assert.deepEqual(recoveredStreams(odd), []);
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
