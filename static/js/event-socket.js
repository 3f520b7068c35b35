/**
 * Server-sent events in the guise of a socket, for proxies that let no WebSocket through. What is
 * asked for becomes part of the address, so a change of it makes the connection anew, from the last
 * event on. What a probe wants to know, a plain request finds out.
 */

/** @import { Socket } from "./types.js" */
/** @typedef {{id: number, isResume: boolean}} Asked */

/** @implements {Socket} */
class EventSocket {
  /** @type {Socket["onopen"]} */
  onopen = null;
  /** @type {((event: {data: string}) => void) | null} */
  onmessage = null;
  /** @type {Socket["onclose"]} */
  onclose = null;
  #server;
  /** Outlives this socket: the next one goes on from there. */
  #memory;
  /** @type {EventSource | null} */
  #source = null;
  /** @type {Set<string>} */
  #streams = new Set();
  /** Streams whose events this socket has brought so far. */
  /** @type {string[]} */
  #followed = [];
  /** @type {Asked[]} */
  #asked = [];
  #probe = -1;
  #isGreeted = false;
  #isPlanned = false;
  #isClosed = false;

  /**
   * @param {string} server its address, without a slash at the end
   * @param {{lastId: string}} memory
   */
  constructor(server, memory) {
    this.#server = server;
    this.#memory = memory;
    setTimeout(() => !this.#isClosed && this.onopen?.(/** @type {never} */ (null)));
  }

  close() {
    this.#isClosed = true;
    this.#source?.close();
  }

  /** @param {string} text */
  send(text) {
    const { method, params = [], id } = JSON.parse(text);
    if (method === "LIST_SUBSCRIPTIONS") return this.#ask(id);
    if (method === "HELLO") return;
    for (const each of params) {
      const stream = each.stream ?? each;
      if (method === "UNSUBSCRIBE") this.#streams.delete(stream);
      else this.#streams.add(stream);
    }
    this.#asked.push({ id, isResume: method === "RESUME" });
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setTimeout(() => this.#connect());
  }

  #connect() {
    this.#isPlanned = false;
    if (this.#isClosed) return;
    this.#source?.close();
    this.#source = null;
    if (!this.#streams.size) return this.#answer([]);
    const { lastId } = this.#memory;
    const query = new URLSearchParams({ streams: [...this.#streams].join("/") });
    if (lastId) query.set("lastEventId", lastId);
    const source = new EventSource(`${this.#server}/api/stream?${query}`);
    source.onmessage = (event) => this.#received(event, lastId);
    // It would come back on its own, but when, and from where on, is for the stream to say.
    source.onerror = () => source === this.#source && this.#end();
    this.#source = source;
  }

  /** @param {MessageEvent<string>} event @param {string} since */
  #received({ data, lastEventId }, since) {
    if (lastEventId) this.#memory.lastId = lastEventId;
    const { id, result } = JSON.parse(data);
    if (since && id === since) return this.#answer(result);
    this.#say(data);
    if (id !== 0) return;
    this.#isGreeted = true;
    if (!since) this.#answer([]);
    this.#ask(this.#probe);
  }

  /** @param {{stream: string, recovered: boolean}[]} rows */
  #answer(rows) {
    const recovered = rows.filter((row) => row.recovered).map(({ stream }) => stream);
    const isWhole = this.#followed.every(
      (name) => !this.#streams.has(name) || recovered.includes(name),
    );
    if (!isWhole) {
      this.#memory.lastId = "";
      return this.#end();
    }
    this.#followed = [...this.#streams];
    const asked = this.#asked;
    this.#asked = [];
    for (const { id, isResume } of asked)
      this.#say(JSON.stringify({ id, result: isResume ? rows : null }));
  }

  /** @param {number} probe */
  async #ask(probe) {
    this.#probe = probe;
    if (probe < 0 || !(this.#isGreeted || !this.#streams.size)) return;
    const answer = await fetch(`${this.#server}/api/tradingview/time`, { cache: "no-store" }).catch(
      () => null,
    );
    if (answer?.ok) this.#say(JSON.stringify({ id: probe, result: null }));
  }

  /** @param {string} data */
  #say(data) {
    if (!this.#isClosed) this.onmessage?.({ data });
  }

  #end() {
    if (this.#isClosed) return;
    this.close();
    this.onclose?.(/** @type {never} */ (null));
  }
}

/**
 * Opens one socket after another, each of which goes on where the one before ended.
 * @param {string} server its address, without a slash at the end
 */
export function eventSockets(server) {
  const memory = { lastId: "" };
  return () => new EventSocket(server, memory);
}
