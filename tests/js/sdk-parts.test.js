import assert from "node:assert/strict";
import { test } from "node:test";
import { HOME, serverAddress, socketAddress } from "../../static/sdk/home.js";
import { LiveQuotes } from "../../static/sdk/live-quotes.js";
import { intervalOf } from "../../static/sdk/resolutions.js";
import { Udf } from "../../static/sdk/udf.js";

/** @import { Quote } from "../../static/sdk/types/datafeed.js" */
/** @import { Follower } from "../../static/sdk/parts.js" */

const settled = () => new Promise((resolve) => setImmediate(resolve));

for (const [resolution, interval] of [
  ["1", "1m"],
  ["5", "5m"],
  ["60", "1h"],
  ["240", "4h"],
  ["90", "90m"],
  ["1S", "1s"],
  ["D", "1d"],
  ["1D", "1d"],
  ["1W", "1w"],
  ["1M", "1M"],
]) {
  test(`a widget's ${resolution} is ${interval}`, () =>
    assert.equal(intervalOf(resolution), interval));
}

test("what is no resolution says what one is", () => {
  for (const odd of ["", "0", "1H", "-5", "1.5", "x"]) {
    assert.throws(() => intervalOf(odd), {
      name: "RangeError",
      message: new RegExp(`was '${odd}'$`),
    });
  }
});

test("a server may be written in any form, and is where the module came from by default", () => {
  assert.equal(serverAddress(undefined), HOME);
  assert.match(HOME, /\/$/);
  assert.doesNotMatch(HOME, /static/);
  assert.equal(serverAddress("https://charts.example"), "https://charts.example/");
  assert.equal(serverAddress("https://a.example/charts//?x#y"), "https://a.example/charts/");
  assert.equal(
    serverAddress("/charts", "https://dex.example/trade"),
    "https://dex.example/charts/",
  );
  assert.equal(socketAddress("https://a.example/charts/"), "wss://a.example/charts/ws");
  assert.equal(socketAddress("http://localhost:3000/"), "ws://localhost:3000/ws");
  for (const odd of ["charts.example", "ftp://charts.example", "http://"]) {
    const message = new RegExp(`^api must .*, was '${odd}'$`);
    assert.throws(() => serverAddress(odd, "https://a.example"), { name: "TypeError", message });
  }
});

/** @param {any} body @param {number} [status] */
const answer = (body, status = 200) => new Response(JSON.stringify(body), { status });

test("what the server refuses is not asked again; what it cannot do now is", async () => {
  /** @type {string[]} */
  const asked = [];
  const answers = [
    answer({ s: "error", errmsg: "store did not answer" }, 503),
    answer("slow down", 429),
    new Response("<html>", { status: 502 }),
    answer({ s: "error", errmsg: "unknown_symbol" }, 404),
  ];
  const udf = new Udf("https://x.example/", {
    fetch: async (address) => {
      asked.push(address);
      return /** @type {Response} */ (answers.shift());
    },
    schedule: (work) => {
      work();
      return () => {};
    },
  });
  await assert.rejects(udf.symbol("A/B&c"), { message: "unknown_symbol" });
  assert.equal(asked.length, 4);
  assert.equal(asked[0], "https://x.example/api/tradingview/symbols?symbol=A%2FB%26c");
});

test("quotes of very many symbols are asked for in parts", async () => {
  /** @type {number[]} */
  const counts = [];
  const udf = new Udf("https://x.example/", {
    fetch: async (address) => {
      const symbols = new URL(address).searchParams.get("symbols")?.split(",") ?? [];
      counts.push(symbols.length);
      return answer({ s: "ok", d: symbols.map((n) => ({ s: "ok", n, v: {} })) });
    },
  });
  const symbols = Array.from({ length: 250 }, (_, index) => `S${index}`);
  const quotes = await udf.quotes(symbols);
  assert.deepEqual(
    quotes.map(({ n }) => n),
    symbols,
  );
  assert.deepEqual(counts, [100, 100, 50]);
});

/** A watch list, its server and its stream. */
class Watch {
  /** @type {string[][]} */
  asked = [];
  /** @type {string[]} */
  followed = [];
  /** @type {Quote[][]} */
  given = [];
  /** @type {Follower | null} */
  follower = null;
  /** @type {(() => void) | null} */
  turn = null;

  constructor() {
    this.live = new LiveQuotes({
      udf: { quotes: async (names) => this.#quotes(names) },
      hub: {
        follow: (streams, follower) => {
          this.followed = streams;
          this.follower = follower;
          return () => {};
        },
      },
      symbols: ["TEST:SILVER"],
      fastSymbols: ["DEX:WETH/USDC", "NOPE"],
      onQuotes: (quotes) => this.given.push(quotes),
      schedule: (work) => {
        this.turn = work;
        return () => {
          this.turn = null;
        };
      },
    });
  }

  /** @param {string[]} names @returns {Quote[]} */
  #quotes(names) {
    this.asked.push(names);
    return names.map((n) => {
      const v = { short_name: n.split(":")[1], lp: 1, exchange: "X" };
      return n === "NOPE" ? { s: /** @type {const} */ ("error"), n, v: {} } : { s: "ok", n, v };
    });
  }

  tick() {
    const numbers = { open: 2, high: 3, low: 1, close: 2.5, volume: 10 };
    this.follower?.onEvent({ type: "ticker", symbol: "wethusdc", ...numbers });
  }
}

test("quotes are read once, then follow the stream under the names they were asked by", async () => {
  const watch = new Watch();
  await settled();
  assert.deepEqual(watch.asked, [["DEX:WETH/USDC", "NOPE", "TEST:SILVER"]]);
  assert.deepEqual(watch.followed, ["wethusdc@miniTicker"]);
  watch.tick();
  const [quote] = /** @type {Quote[]} */ (watch.given.at(-1));
  assert.equal(quote?.n, "DEX:WETH/USDC");
  assert.deepEqual(quote?.v, {
    short_name: "WETH/USDC",
    exchange: "X",
    lp: 2.5,
    bid: 2.5,
    ask: 2.5,
    ch: 0.5,
    chp: 25,
    open_price: 2,
    prev_close_price: 2,
    high_price: 3,
    low_price: 1,
    volume: 10,
  });
});

test("what the stream does not bring is read again, what is out of sight seldom", async () => {
  const watch = new Watch();
  await settled();
  watch.tick();
  for (let turn = 0; turn < 6; turn++) {
    watch.turn?.();
    await settled();
  }
  const fast = ["DEX:WETH/USDC", "NOPE"];
  const all = [...fast, "TEST:SILVER"];
  assert.deepEqual(watch.asked, [all, ["NOPE"], fast, fast, fast, fast, all]);
  watch.live.close();
  watch.tick();
  assert.equal(watch.turn, null);
});
