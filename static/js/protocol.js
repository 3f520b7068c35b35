/** What is said on `/ws`: stream names, requests, and events turned into our own shapes. */

import { toCandle } from "./candles.js";

/** @import { CandleEvent, Message, Position, ResetEvent, StreamEvent, TickerEvent, TradeEvent } from "./types.js" */

/** The spelling without punctuation that stream names use. @param {string} symbol */
export function compactSymbol(symbol) {
  return symbol.replace(/[^\p{L}\p{N}]/gu, "").toLowerCase();
}

/**
 * @param {string} symbol
 * @param {string} interval
 */
export const candleStream = (symbol, interval) => `${compactSymbol(symbol)}@kline_${interval}`;

/** @param {string} symbol */
export const tradeStream = (symbol) => `${compactSymbol(symbol)}@trade`;

/** @param {string} symbol */
export const tickerStream = (symbol) => `${compactSymbol(symbol)}@miniTicker`;

/** The stream that an event belongs to. @param {StreamEvent} event */
export function streamOf(event) {
  if (event.type === "trade") return tradeStream(event.symbol);
  if (event.type === "ticker") return tickerStream(event.symbol);
  return candleStream(event.symbol, event.interval);
}

/** Whether `u` moves on with this event; of a bar that forms only the last state matters. @param {StreamEvent} event */
export function isCounted(event) {
  if (event.type === "candle") return event.candle.closed === true;
  return event.type !== "ticker";
}

/**
 * @param {"SUBSCRIBE" | "UNSUBSCRIBE"} method
 * @param {string[]} params
 * @param {number} id
 */
export const request = (method, params, id) => JSON.stringify({ method, params, id });

export const HELLO_ID = 0;
/** Asks for what plain clients are not told: which events there are, and that bars were revised. */
export const HELLO = JSON.stringify({ method: "HELLO", id: HELLO_ID });

/**
 * Asks for what came after these positions.
 * @param {Position[]} params
 * @param {number} id
 */
export const resume = (params, id) => JSON.stringify({ method: "RESUME", params, id });

/** The streams of which nothing is missing, by the answer to `resume`. @param {unknown} result */
export function recoveredStreams(result) {
  const rows = Array.isArray(result) ? result : [];
  return rows.filter((row) => row?.recovered === true).map((row) => String(row.stream));
}

/** A question every server answers; its answer's delay is the latency. @param {number} id */
export const probe = (id) => JSON.stringify({ method: "LIST_SUBSCRIPTIONS", id });

/**
 * Anything unreadable is "other": one odd message must not end a stream of good ones.
 * @param {unknown} text
 * @returns {Message}
 */
export function parseMessage(text) {
  const value = parseJson(text);
  if (typeof value !== "object" || value === null) return { type: "other" };
  // Server-sent events come with the name of their stream around them.
  const body = /** @type {Record<string, any>} */ (("data" in value && value.data) || value);
  const event = EVENTS[body.e]?.(body);
  if (event) return typeof body.u === "number" ? { ...event, u: body.u } : event;
  if (typeof body.id === "number") {
    const error = body.error ? String(body.error.msg ?? "refused") : null;
    return { type: "answer", id: body.id, error, result: body.result };
  }
  return { type: "other" };
}

/** @param {unknown} text */
function parseJson(text) {
  try {
    return JSON.parse(String(text));
  } catch {
    return null;
  }
}

/**
 * @param {Record<string, any>} body
 * @returns {CandleEvent | null}
 */
function candleEvent(body) {
  const k = body.k;
  if (typeof k !== "object" || k === null) return null;
  const { o: open, h: high, l: low, c: close, v: volume, final } = k;
  const candle = toCandle({ time: k.t / 1000, open, high, low, close, volume, final });
  if (!candle) return null;
  return {
    type: "candle",
    symbol: compactSymbol(String(body.s)),
    interval: String(k.i),
    candle: { ...candle, closed: k.x === true },
    sentMs: Number(body.E),
  };
}

/**
 * @param {Record<string, any>} body
 * @returns {ResetEvent | null}
 */
function resetEvent({ s, i, from, to }) {
  if (!(from < to)) return null;
  const symbol = compactSymbol(String(s));
  return { type: "reset", symbol, interval: String(i), from: from / 1000, to: to / 1000 };
}

/**
 * @param {Record<string, any>} body
 * @returns {TradeEvent | null}
 */
function tradeEvent(body) {
  const price = Number(body.p);
  const size = Number(body.q);
  const time = Number(body.T) / 1000;
  if (![price, size, time].every(Number.isFinite)) return null;
  return {
    type: "trade",
    symbol: compactSymbol(String(body.s)),
    trade: { time, price, size, side: makerSide(body.m), kind: "trade", sequence: String(body.t) },
    sentMs: Number(body.E),
  };
}

/**
 * @param {Record<string, any>} body
 * @returns {TickerEvent | null}
 */
function tickerEvent({ s, c, o, h, l, v }) {
  const [close, open, high, low, volume] = [c, o, h, l, v].map(Number);
  if (![close, open, high, low, volume].every(Number.isFinite)) return null;
  return { type: "ticker", symbol: compactSymbol(String(s)), close, open, high, low, volume };
}

/** @type {Record<string, (body: Record<string, any>) => StreamEvent | null>} */
const EVENTS = {
  kline: candleEvent,
  trade: tradeEvent,
  reset: resetEvent,
  "24hrMiniTicker": tickerEvent,
};

/** When the buyer was the maker, the one who acted sold. @param {unknown} buyerIsMaker */
function makerSide(buyerIsMaker) {
  if (typeof buyerIsMaker !== "boolean") return null;
  return buyerIsMaker ? "sell" : "buy";
}
