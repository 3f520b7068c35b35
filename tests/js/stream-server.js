/**
 * A server in the test's hands: one market, bars of a minute, the stream's rules of docs/api.md
 * and the candles' REST. Sockets deliver when the test says so and can be cut at any time.
 */

/** @import { Candle } from "../../static/js/types.js" */

const TOPIC = "gold@kline_1m";
/** So few that a longer absence cannot be recovered. */
const REMEMBERED = 6;

export class StreamServer {
  /** @type {Map<number, Candle>} */
  bars = new Map();
  /** @type {ServedSocket[]} */
  sockets = [];
  /** @type {{u: number, body: any}[]} */
  #ring = [];
  #u = 0;
  #epoch = 1;
  time = 60_000;
  /** In one answer. */
  mostBars = 10_000;

  /** @param {(name: string) => boolean} happens by chance */
  constructor(happens) {
    this.happens = happens;
  }

  get epoch() {
    return `epoch-${this.#epoch}`;
  }

  /** A new process: it remembers bars, not events. */
  restart() {
    this.cut();
    this.#epoch++;
    this.#u = 0;
    this.#ring = [];
  }

  cut() {
    for (const socket of this.sockets) socket.cut();
    this.sockets = [];
  }

  connect() {
    const socket = new ServedSocket(this);
    this.sockets.push(socket);
    return socket;
  }

  /** @param {number} price */
  trade(price) {
    const bar = this.bars.get(this.time) ?? newBar(this.time, price);
    this.bars.set(this.time, add(bar, price));
    this.#tell(this.#kline(this.time), false);
  }

  /** The minute ends. */
  close() {
    if (this.bars.has(this.time)) this.#tell(this.#kline(this.time, true), true);
    this.time += 60;
  }

  /** A trade of an earlier minute comes late. @param {number} back @param {number} price */
  late(back, price) {
    const time = this.time - 60 * back;
    this.bars.set(time, add(this.bars.get(time) ?? newBar(time, price), price));
    this.#tell(this.#reset(time, time + 60), true);
    this.#tell(this.#kline(time, true), true);
  }

  /** The last minutes never happened. @param {number} depth */
  reorganize(depth) {
    const from = this.time - 60 * depth;
    for (const time of [...this.bars.keys()]) if (time >= from) this.bars.delete(time);
    this.#tell(this.#reset(from, this.time + 60), true);
  }

  /** @param {number} from @param {number} to */
  #reset(from, to) {
    return { e: "reset", s: "GOLD", i: "1m", from: from * 1000, to: to * 1000, reason: "reorg" };
  }

  /** @param {number} time @param {boolean} [x] */
  #kline(time, x = false) {
    const { open, high, low, close, volume } = /** @type {Candle} */ (this.bars.get(time));
    const [o, h, l, c, v] = [open, high, low, close, volume].map(String);
    return { e: "kline", E: 1, s: "GOLD", k: { t: time * 1000, i: "1m", o, h, l, c, v, x } };
  }

  /** @param {any} body @param {boolean} counts */
  #tell(body, counts) {
    if (counts) this.#ring = [...this.#ring, { u: ++this.#u, body }].slice(-REMEMBERED);
    for (const socket of this.sockets) if (socket.isSubscribed) socket.queue(body, this.#u, counts);
  }

  /** @param {ServedSocket} socket @param {any} request */
  answer(socket, { method, id, params }) {
    if (method === "HELLO") return socket.say({ id, result: { epoch: this.epoch, server: "t" } });
    if (method === "RESUME") return this.#resume(socket, id, params);
    socket.say({ id, result: method === "LIST_SUBSCRIPTIONS" ? [] : null });
    if (method === "SUBSCRIBE") this.#subscribe(socket);
  }

  /** @param {ServedSocket} socket */
  #subscribe(socket) {
    if (socket.isSubscribed) return;
    socket.isSubscribed = true;
    const last = Math.max(...this.bars.keys());
    if (this.bars.size) socket.queue(this.#kline(last, last < this.time), this.#u, false);
  }

  /** @param {ServedSocket} socket @param {number} id @param {any[]} positions */
  #resume(socket, id, positions) {
    const [{ epoch, u }] = positions;
    const missed = this.#ring.filter((event) => event.u > u);
    const recovered = epoch === this.epoch && missed.length === this.#u - u;
    socket.say({ id, result: [{ stream: TOPIC, recovered }] });
    for (const event of recovered ? missed : []) socket.queue(event.body, event.u, true);
    this.#subscribe(socket);
  }

  /** The datafeed's REST. @param {string | URL} address */
  async fetch(address) {
    const { pathname, searchParams } = new URL(address);
    const fails = this.happens("failure");
    const body = this.#udf(pathname.split("/").at(-1) ?? "", searchParams);
    await new Promise((resolve) => setImmediate(resolve));
    return new Response(JSON.stringify(body), { status: fails ? 503 : 200 });
  }

  /** @param {string} name @param {URLSearchParams} query */
  #udf(name, query) {
    const symbol = query.get("symbol");
    if (name === "config") return { supported_resolutions: ["1"] };
    if (symbol !== null && symbol !== "GOLD") return { s: "error", errmsg: "unknown_symbol" };
    if (name === "symbols") return { name: "GOLD", ticker: "GOLD" };
    return this.#history(...["from", "to", "countback"].map((key) => Number(query.get(key))));
  }

  #history(from = 0, to = 0, countback = 0) {
    const before = [...this.bars.values()].filter(({ time }) => time < to);
    const all = before.sort((a, b) => a.time - b.time);
    const count = Math.max(countback, all.filter(({ time }) => time >= from).length);
    const bars = all.slice(-Math.min(count, this.mostBars));
    if (!bars.length) return { s: "no_data" };
    const [t, o, h, l, c, v] = /** @type {const} */ ([
      "time",
      "open",
      "high",
      "low",
      "close",
      "volume",
    ]).map((key) => bars.map((bar) => bar[key]));
    return { s: "ok", t, o, h, l, c, v };
  }

  /** @param {{to?: number, limit: number}} page */
  async fetchCandles({ to = Number.POSITIVE_INFINITY, limit }) {
    const fails = this.happens("failure");
    const before = [...this.bars.values()].filter(({ time }) => time < to);
    const all = before.sort((a, b) => a.time - b.time).map((bar) => ({ ...bar }));
    const candles = all.slice(-limit);
    await new Promise((resolve) => setImmediate(resolve));
    if (fails) throw new Error("503");
    const olderTo = candles.length < all.length ? (candles[0]?.time ?? null) : null;
    return { candles, olderTo };
  }
}

class ServedSocket {
  isSubscribed = false;
  #isCut = false;
  #isOpen = false;
  #server;
  /** @type {{body: any, isForming: boolean}[]} */
  #queue = [];
  /** @type {((event: any) => void) | null} */
  onopen = null;
  /** @type {((event: any) => void) | null} */
  onmessage = null;
  /** @type {((event: any) => void) | null} */
  onclose = null;

  /** @param {StreamServer} server */
  constructor(server) {
    this.#server = server;
  }

  /** @param {string} data */
  send(data) {
    if (!this.#isCut) this.#server.answer(this, JSON.parse(data));
  }

  close() {
    this.cut();
  }

  /** Once, as sockets do. */
  open() {
    if (!this.#isOpen && !this.#isCut) this.onopen?.({});
    this.#isOpen = true;
  }

  cut() {
    this.#isCut = true;
    this.isSubscribed = false;
  }

  /** One event goes astray, as it should not. */
  lose() {
    const index = this.#queue.findIndex(({ isForming, body }) => !isForming && body.u);
    if (index >= 0) this.#queue.splice(index, 1);
  }

  /** What was not read yet is lost with the line. */
  die() {
    this.cut();
    this.onclose?.({});
  }

  /** @param {any} body */
  say(body) {
    this.#queue.push({ body, isForming: false });
  }

  /**
   * The newest state of the bar that forms takes the place of one that is not sent yet.
   * @param {any} body @param {number} u @param {boolean} counts
   */
  queue(body, u, counts) {
    const isForming = !counts;
    if (isForming && this.#queue.at(-1)?.isForming) this.#queue.pop();
    this.#queue.push({ body: { ...body, u }, isForming });
  }

  /** @param {number} count */
  deliver(count) {
    for (const { body } of this.#queue.splice(0, count)) {
      if (!this.#isCut) this.onmessage?.({ data: JSON.stringify(body) });
    }
  }
}

/** @param {number} time @param {number} price @returns {Candle} */
function newBar(time, price) {
  return { time, open: price, high: price, low: price, close: price, volume: 0, final: true };
}

/** @param {Candle} bar @param {number} price @returns {Candle} */
function add(bar, price) {
  const { high, low, volume } = bar;
  return {
    ...bar,
    high: Math.max(high, price),
    low: Math.min(low, price),
    close: price,
    volume: volume + 1,
  };
}
