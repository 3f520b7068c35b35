/**
 * One WebSocket that stays: reconnects with growing delay, takes up every stream where it broke
 * off, says where that failed, and notices a socket that is open but dead. Free of the DOM:
 * sockets, time and chance are passed in.
 */

import { backoffDelay, scheduleTimeout } from "./backoff.js";
import {
  HELLO,
  HELLO_ID,
  isCounted,
  parseMessage,
  probe,
  recoveredStreams,
  request,
  resume,
  streamOf,
} from "./protocol.js";

/** @import { Answer, Position, Socket, StreamEvent, StreamOptions } from "./types.js" */

/** What a page read longer ago than this, before its stream began, is not fresh any more. */
const FRESH_MS = 10_000;
const PROBE_EVERY_MS = 10_000;
const PATIENCE_MS = 8_000;
/** So often nothing came of an attempt before the other kind of socket has its turn. */
const TRIES = 2;
/** So often, and what once worked does not any more. */
const TRIES_OF_PROVEN = 8;
/** For a reader who has come back and looks at old prices. */
const HURRIED_PATIENCE_MS = 3_000;

export class Stream {
  /** @type {Required<StreamOptions>} */
  #options;
  /** @type {Socket | null} */
  #socket = null;
  /** Since when each stream is wanted, in milliseconds. */
  /** @type {Map<string, number>} */
  #wanted = new Map();
  /** How far each followed stream was heard, on this socket or one before it; null: not known. */
  /** @type {Map<string, Position | null>} */
  #heard = new Map();
  /** Which streams the requests are about that are not answered yet. */
  /** @type {Map<number, string[]>} */
  #asked = new Map();
  #epoch = "";
  #lastId = HELLO_ID;
  #attempt = 0;
  #isOpen = false;
  /** Opens the kind of socket that was opened last. */
  #open;
  #isProven = false;
  #isLive = false;
  #probe = { id: -1, sentMs: 0 };
  /** @type {() => void} */
  #cancelTimer = () => {};
  /** When the next attempt is due, in milliseconds; 0 while there is nothing to wait for. */
  nextAttemptMs = 0;

  /** @param {StreamOptions} options */
  constructor(options) {
    this.#options = {
      onLatency: () => {},
      now: () => performance.now(),
      random: Math.random,
      schedule: scheduleTimeout,
      openInstead: options.openSocket,
      ...options,
    };
    this.#open = this.#options.openSocket;
  }

  start() {
    if (this.#socket || this.nextAttemptMs) return;
    this.#options.onState("connecting");
    this.#connect();
  }

  /** Gives the socket back. What was heard is remembered: after another start nothing is missing. */
  stop() {
    this.#drop();
    this.nextAttemptMs = 0;
  }

  /** The reader asked, looks again, or the network came back: nothing waits any more. */
  retryNow() {
    if (this.#isOpen) this.#sendProbe(HURRIED_PATIENCE_MS);
    else if (this.nextAttemptMs) this.#connect();
  }

  /** Replaces the set of streams; only the difference is sent. @param {Iterable<string>} streams */
  want(streams) {
    const next = new Set(streams);
    const gone = [...this.#wanted.keys()].filter((name) => !next.has(name));
    const added = [...next].filter((name) => !this.#wanted.has(name));
    for (const name of added) this.#wanted.set(name, this.#options.now());
    for (const name of gone) {
      this.#wanted.delete(name);
      this.#heard.delete(name);
    }
    if (!this.#isOpen) return;
    if (gone.length) this.#ask([], (id) => request("UNSUBSCRIBE", gone, id));
    if (added.length) this.#ask(added, (id) => request("SUBSCRIBE", added, id));
  }

  /**
   * @param {string[]} streams
   * @param {(id: number) => string} message
   */
  #ask(streams, message) {
    this.#asked.set(++this.#lastId, streams);
    this.#socket?.send(message(this.#lastId));
  }

  #connect() {
    this.#cancelTimer();
    this.nextAttemptMs = 0;
    this.#cancelTimer = this.#options.schedule(() => this.#lost(), PATIENCE_MS);
    try {
      this.#socket = this.#choice()();
    } catch {
      return this.#lost(); // an address that pages like this one may not connect to
    }
    const socket = this.#socket;
    // A late event of a socket we gave up must not touch its successor.
    socket.onopen = () => this.#socket === socket && this.#opened();
    socket.onmessage = ({ data }) => this.#socket === socket && this.#received(data);
    socket.onclose = () => this.#socket === socket && this.#lost();
  }

  /** A server that is away is no reason to give up the kind of socket that worked. */
  #choice() {
    const { openSocket, openInstead } = this.#options;
    if (this.#attempt >= TRIES_OF_PROVEN) this.#isProven = false;
    if (this.#isProven) return this.#open;
    this.#open = this.#attempt % (TRIES + 1) === TRIES ? openInstead : openSocket;
    return this.#open;
  }

  #opened() {
    this.#isOpen = true;
    this.#socket?.send(HELLO);
    const positions = [...this.#heard.values()].filter((position) => position !== null);
    const known = positions.map(({ stream }) => stream);
    const rest = [...this.#wanted.keys()].filter((name) => !known.includes(name));
    if (known.length) this.#ask(known, (id) => resume(positions, id));
    // Also those to be resumed: an old server refuses to, and to others it is no news.
    const all = [...rest, ...known];
    if (all.length) this.#ask(rest, (id) => request("SUBSCRIBE", all, id));
    this.#sendProbe(PATIENCE_MS);
  }

  /** @param {unknown} data */
  #received(data) {
    // Only a server that talks has accepted us; one that closes at once keeps the delay growing.
    this.#attempt = 0;
    this.#isProven = true;
    if (!this.#isLive) this.#options.onState("live");
    this.#isLive = true;
    const message = parseMessage(data);
    if (message.type === "answer") this.#answered(message);
    else if (message.type !== "other") this.#happened(message);
  }

  /** @param {StreamEvent} event */
  #happened(event) {
    const name = streamOf(event);
    const isNext = this.#moveOn(name, event);
    this.#options.onEvent(event);
    if (!isNext) this.#options.onMissed([name], false);
  }

  /**
   * Returns whether nothing is missing between the event before and this one.
   * @param {string} stream
   * @param {StreamEvent} event
   */
  #moveOn(stream, event) {
    const { u } = event;
    if (u === undefined || !this.#wanted.has(stream)) return true;
    const before = this.#heard.get(stream);
    this.#heard.set(stream, { stream, epoch: this.#epoch, u });
    if (before?.epoch !== this.#epoch) return true;
    return u === before.u || (isCounted(event) && u === before.u + 1);
  }

  /** @param {Answer} answer */
  #answered({ id, error, result }) {
    if (id === HELLO_ID) this.#epoch = epochOf(result);
    if (id === this.#probe.id) return this.#probeAnswered();
    const streams = this.#asked.get(id)?.filter((name) => this.#wanted.has(name));
    this.#asked.delete(id);
    if (!streams?.length) return;
    const recovered = error ? [] : recoveredStreams(result);
    for (const stream of recovered) {
      const position = this.#heard.get(stream);
      if (position) position.epoch = this.#epoch;
    }
    this.#missed(streams.filter((name) => !recovered.includes(name)));
  }

  /** @param {string[]} streams */
  #missed(streams) {
    const latest = this.#options.now() - FRESH_MS;
    const isFresh = (/** @type {string} */ name) =>
      !this.#heard.has(name) && /** @type {number} */ (this.#wanted.get(name)) >= latest;
    const fresh = streams.filter(isFresh);
    const lost = streams.filter((name) => !fresh.includes(name));
    // What follows begins a new count.
    for (const name of streams) this.#heard.set(name, null);
    if (fresh.length) this.#options.onMissed(fresh, true);
    if (lost.length) this.#options.onMissed(lost, false);
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
    this.#isLive = false;
    this.#epoch = "";
    this.#asked.clear();
    this.#cancelTimer();
    socket?.close();
  }

  /** @param {number} patienceMs */
  #sendProbe(patienceMs) {
    this.#cancelTimer();
    this.#probe = { id: ++this.#lastId, sentMs: this.#options.now() };
    this.#socket?.send(probe(this.#probe.id));
    this.#cancelTimer = this.#options.schedule(() => this.#lost(), patienceMs);
  }

  #probeAnswered() {
    this.#cancelTimer();
    this.#options.onLatency(this.#options.now() - this.#probe.sentMs);
    const again = () => this.#sendProbe(PATIENCE_MS);
    this.#cancelTimer = this.#options.schedule(again, PROBE_EVERY_MS);
  }
}

/** @param {any} result of the greeting; servers that do not know it have no epoch */
function epochOf(result) {
  return String(result?.epoch ?? "");
}
