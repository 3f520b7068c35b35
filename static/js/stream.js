/**
 * One WebSocket that stays: reconnects with growing delay, subscribes again, and notices a
 * socket that is open but dead. Free of the DOM: sockets, time and chance are passed in.
 */

import { HELLO, parseMessage, probe, request } from "./protocol.js";

/** @import { Socket, StreamOptions } from "./types.js" */

const FIRST_MS = 500;
const LONGEST_MS = 20_000;
const PROBE_EVERY_MS = 10_000;
const PROBE_PATIENCE_MS = 8_000;

/**
 * @param {() => void} work
 * @param {number} ms
 */
function scheduleTimeout(work, ms) {
  const handle = setTimeout(work, ms);
  return () => clearTimeout(handle);
}

export class Stream {
  /** @type {Required<StreamOptions>} */
  #options;
  /** @type {Socket | null} */
  #socket = null;
  /** @type {Set<string>} */
  #wanted = new Set();
  #lastId = 0;
  #attempt = 0;
  #wasLive = false;
  #isOpen = false;
  #probe = { id: 0, sentMs: 0 };
  /** @type {() => void} */
  #cancelTimer = () => {};
  /** When the next attempt is due, in milliseconds; 0 while connected. */
  nextAttemptMs = 0;

  /** @param {StreamOptions} options */
  constructor(options) {
    this.#options = {
      onLatency: () => {},
      now: () => performance.now(),
      random: Math.random,
      schedule: scheduleTimeout,
      ...options,
    };
  }

  start() {
    this.#options.onState("connecting");
    this.#connect();
  }

  /** Does not wait for the delay: the reader asked, or the network came back. */
  retryNow() {
    if (this.#socket) return;
    this.#cancelTimer();
    this.#connect();
  }

  /** Replaces the set of streams; only the difference is sent. @param {Iterable<string>} streams */
  want(streams) {
    const next = new Set(streams);
    const gone = [...this.#wanted].filter((name) => !next.has(name));
    const added = [...next].filter((name) => !this.#wanted.has(name));
    this.#wanted = next;
    if (gone.length) this.#request("UNSUBSCRIBE", gone);
    if (added.length) this.#request("SUBSCRIBE", added);
  }

  /**
   * @param {"SUBSCRIBE" | "UNSUBSCRIBE"} method
   * @param {string[]} streams
   */
  #request(method, streams) {
    if (this.#isOpen) this.#socket?.send(request(method, streams, ++this.#lastId));
  }

  #connect() {
    this.nextAttemptMs = 0;
    const socket = this.#options.openSocket();
    this.#socket = socket;
    // A late event of a socket we gave up must not touch its successor.
    socket.onopen = () => this.#socket === socket && this.#opened();
    socket.onmessage = ({ data }) => this.#socket === socket && this.#received(data);
    socket.onclose = () => this.#socket === socket && this.#lost();
  }

  #opened() {
    this.#isOpen = true;
    this.#socket?.send(HELLO);
    if (this.#wanted.size) this.#request("SUBSCRIBE", [...this.#wanted]);
    this.#options.onState("live");
    if (this.#wasLive) this.#options.onReturn();
    this.#wasLive = true;
    this.#sendProbe();
  }

  /** @param {unknown} data */
  #received(data) {
    // Only a server that talks has accepted us; one that closes at once keeps the delay growing.
    this.#attempt = 0;
    const message = parseMessage(data);
    if ("symbol" in message) this.#options.onEvent(message);
    else if (message.type === "answer" && message.id === this.#probe.id) this.#probeAnswered();
  }

  #lost() {
    this.#drop();
    this.#options.onState("reconnecting");
    const delay = backoffDelay(this.#attempt++, this.#options.random);
    this.nextAttemptMs = this.#options.now() + delay;
    this.#cancelTimer = this.#options.schedule(() => this.#connect(), delay);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#isOpen = false;
    this.#cancelTimer();
    socket?.close();
  }

  #sendProbe() {
    this.#probe = { id: ++this.#lastId, sentMs: this.#options.now() };
    this.#socket?.send(probe(this.#probe.id));
    this.#cancelTimer = this.#options.schedule(() => this.#lost(), PROBE_PATIENCE_MS);
  }

  #probeAnswered() {
    this.#cancelTimer();
    this.#options.onLatency(this.#options.now() - this.#probe.sentMs);
    this.#cancelTimer = this.#options.schedule(() => this.#sendProbe(), PROBE_EVERY_MS);
  }
}

/**
 * Between half and all of the doubled delay, so that a thousand readers do not return at once.
 * @param {number} attempt 0 for the first retry
 * @param {() => number} [random] in [0, 1)
 */
export function backoffDelay(attempt, random = Math.random) {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 30));
  return Math.round(full / 2 + (full / 2) * random());
}
