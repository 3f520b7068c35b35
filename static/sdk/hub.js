/**
 * One socket for each server, whatever a page holds: charts and datafeeds follow streams here. A
 * stream that nobody follows any more is kept for some seconds, because widgets let go of what
 * they ask for again at once.
 */

import { attend } from "../js/attention.js";
import { scheduleTimeout } from "../js/backoff.js";
import { eventSockets } from "../js/event-socket.js";
import { streamOf } from "../js/protocol.js";
import { Stream } from "../js/stream.js";
import { socketAddress } from "./home.js";

/** @import { StreamState } from "../js/types.js" */
/** @import { Follower, HubOptions, Topic } from "./parts.js" */

const LINGER_MS = 5_000;
/** A page of many charts asks for all of them at once: servers bound how many requests they take. */
const GATHER_MS = 20;
/** Out of sight for so long, a page gives its socket back and takes up what it missed later. */
const REST_AFTER_MS = 300_000;

/** @type {Map<string, Hub>} */
const hubs = new Map();

/** The hub that everything on this page shares. @param {string} server */
export function hubOf(server) {
  const openSocket = () => new WebSocket(socketAddress(server));
  const openInstead = eventSockets(server.replace(/\/$/, ""));
  const hub = hubs.get(server) ?? new Hub({ openSocket, openInstead });
  hubs.set(server, hub);
  return hub;
}

export class Hub {
  /** By stream. */
  /** @type {Map<string, Topic>} */
  #topics = new Map();
  #schedule;
  #stream;
  #isGathering = false;
  /** @type {StreamState} */
  state = "connecting";

  /** @param {HubOptions} options */
  constructor({ page = globalThis.document, ...options }) {
    this.#schedule = options.schedule ?? scheduleTimeout;
    this.#stream = new Stream({
      ...options,
      onEvent: (event) => this.#tell([streamOf(event)], ({ onEvent }) => onEvent(event)),
      onMissed: (streams, isFresh) => this.#missed(streams, isFresh),
      onState: (state) => {
        this.state = state;
        this.#tell([...this.#topics.keys()], ({ onState }) => onState?.(state));
      },
    });
    const schedule = this.#schedule;
    if (page) attend(this.#attended(), { page, schedule, restAfterMs: REST_AFTER_MS });
  }

  /** A page that shows nothing of ours needs no socket when it is looked at again. */
  #attended() {
    return {
      start: () => void (this.#topics.size && this.#stream.start()),
      stop: () => this.#stream.stop(),
      retryNow: () => this.#stream.retryNow(),
    };
  }

  /** When the next attempt is due, by `performance.now()`; 0 while none is. */
  get nextAttemptMs() {
    return this.#stream.nextAttemptMs;
  }

  retryNow() {
    this.#stream.retryNow();
  }

  /**
   * Tells the follower what happens on these streams. What it has read by then may lack the latest:
   * `onMissed` says when each stream is under way, and never before this returns.
   * @param {string[]} streams
   * @param {Follower} follower
   * @returns {() => void} lets go
   */
  follow(streams, follower) {
    for (const name of streams) this.#join(this.#topic(name), follower);
    this.#ask();
    this.#stream.start();
    return () => {
      for (const name of streams) this.#leave(name, follower);
    };
  }

  #ask() {
    if (this.#isGathering) return;
    this.#isGathering = true;
    this.#schedule(() => {
      this.#isGathering = false;
      this.#stream.want(this.#topics.keys());
    }, GATHER_MS);
  }

  /** @param {string} name @returns {Topic} */
  #topic(name) {
    const topic = this.#topics.get(name);
    if (topic) return topic;
    /** @type {Topic} */
    const made = { followers: new Set(), isUnderWay: false, keep: () => {} };
    this.#topics.set(name, made);
    return made;
  }

  /** @param {Topic} topic @param {Follower} follower */
  #join({ followers, isUnderWay, keep }, follower) {
    keep();
    followers.add(follower);
    const tell = () => followers.has(follower) && follower.onMissed(true);
    if (isUnderWay) this.#schedule(tell, 0);
  }

  /** @param {string} name @param {Follower} follower */
  #leave(name, follower) {
    const topic = this.#topics.get(name);
    if (!topic?.followers.delete(follower) || topic.followers.size) return;
    topic.keep = this.#schedule(() => this.#close(name), LINGER_MS);
  }

  /** @param {string} name */
  #close(name) {
    this.#topics.delete(name);
    this.#ask();
    if (!this.#topics.size) this.#stream.stop();
  }

  /** @param {string[]} streams @param {boolean} isFresh */
  #missed(streams, isFresh) {
    for (const name of streams) this.#topic(name).isUnderWay = true;
    this.#tell(streams, ({ onMissed }) => onMissed(isFresh));
  }

  /**
   * Each of them once, and one that fails does not keep it from the others.
   * @param {string[]} streams
   * @param {(follower: Follower) => void} tell
   */
  #tell(streams, tell) {
    const all = new Set(streams.flatMap((name) => [...(this.#topics.get(name)?.followers ?? [])]));
    for (const follower of all) {
      try {
        tell(follower);
      } catch (error) {
        reportError(error);
      }
    }
  }
}
