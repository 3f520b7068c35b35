/**
 * The honest status: gathers what the stream, the server's report and the clock say, and shows
 * it in pill, banner, strip and on the chart element.
 */

import { describeConnection, syncingPart } from "./connection.js";

/** @import { Health, StatusOptions, StreamState } from "./types.js" */

const POLL_MS = 10_000;
/** While history is being made the numbers move fast. */
const POLL_BUSY_MS = 2_000;

export class Status {
  #options;
  /** @type {Health | null} */
  #health;
  /** @type {StreamState} */
  #state = "connecting";
  /** @type {number | null} */
  #latencyMs = null;
  #lostMs = 0;

  /** @param {StatusOptions} options */
  constructor(options) {
    this.#options = options;
    this.#health = options.health;
    options.onHealth(options.health);
    this.#schedulePoll();
  }

  /** Since when nothing new can have come, in seconds of age; 0 while connected. */
  get lostFor_s() {
    return this.#lostMs ? (performance.now() - this.#lostMs) / 1000 : 0;
  }

  /** @param {StreamState} state */
  setStream(state) {
    if (state === "live") this.#lostMs = 0;
    else if (state === "reconnecting" && !this.#lostMs) this.#lostMs = performance.now();
    // Whatever the report says is from before: it does not even count this reader.
    const isNew = state === "live" && this.#state !== "live";
    this.#state = state;
    this.show();
    if (isNew) void this.poll();
  }

  /** @param {number} ms */
  setLatency(ms) {
    this.#latencyMs = ms;
    this.show();
  }

  show() {
    const connection = describeConnection({
      stream: this.#state,
      health: this.#health,
      lostMs: this.#lostMs,
      nextAttemptMs: this.#options.stream().nextAttemptMs,
      latencyMs: this.#latencyMs,
      nowMs: performance.now(),
    });
    const lostFor_s = this.lostFor_s;
    this.#options.onStatus({ connection, health: this.#health, lostFor_s });
  }

  async poll() {
    try {
      this.#health = await this.#options.api.fetchHealth();
      this.#options.onHealth(this.#health);
    } catch {
      // The stream notices a lost server sooner; the last report stays until the next one.
    }
    this.show();
  }

  #schedulePoll() {
    setTimeout(
      async () => {
        if (!document.hidden) await this.poll();
        this.#schedulePoll();
      },
      syncingPart(this.#health) ? POLL_BUSY_MS : POLL_MS,
    );
  }
}
