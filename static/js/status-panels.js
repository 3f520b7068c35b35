/** Where the status is seen: pill, banner, strip, watermark, needle, tape, and the live region. */

import { chainPart, finalityOf, lagOf } from "./chain-part.js";
import { syncingPart } from "./connection.js";
import { byId } from "./element.js";
import { formatFixed } from "./numbers.js";
import { Pill } from "./pill.js";
import { Strip } from "./strip.js";
import { formatAge } from "./times.js";

/** @import { Connection, Health, Part, StatusFacts, StatusPanelsParts } from "./types.js" */

/** Why there are no live trades while a chain is read. @param {Part | undefined} part */
function awaited(part) {
  if (part?.head === undefined) return null;
  const left = part.reason ? `, ${part.reason}` : "";
  const fact = `They start once block ${formatFixed(part.head, 0)} is read${left}.`;
  return /** @type {[string, string]} */ (["No live trades yet", fact]);
}

export class StatusPanels {
  #parts;
  #root = byId("chart");
  #pill = new Pill(byId("pill"));
  #strip = new Strip();
  #kind = "";
  /** @type {Health | null} */
  #health = null;

  /** @param {StatusPanelsParts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  get #chain() {
    return chainPart(this.#health, this.#parts.session.market?.chain_id);
  }

  /** @param {Health} health */
  showHealth(health) {
    this.#health = health;
    const { chart, tape, session, now_s } = this.#parts;
    this.#strip.show(health, this.#chain, now_s());
    chart.annotate({ watermark: health.demo ? "demo data" : "" });
    tape.setFinality(finalityOf(health, session.market));
    tape.awaiting(awaited(syncingPart(health)));
  }

  /** @param {StatusFacts} facts */
  showStatus(facts) {
    const connection = this.#aged(facts.connection);
    const { figures, banner, announce, session } = this.#parts;
    this.#pill.show(connection);
    banner.show({ ...facts, connection, lag_s: this.#lag_s });
    this.#strip.age(this.#chain, this.#parts.now_s());
    // To a machine demo is live: the word only says whose data it is.
    this.#root.dataset.connection = connection.kind === "demo" ? "live" : connection.kind;
    const { kind } = connection;
    if (kind === "stale") figures.setSilence("stale", this.#since(facts.lostFor_s));
    else if (kind === "syncing" && this.#isReadingChain) figures.setSilence("syncing");
    else if (this.#kind === "stale" || this.#kind === "syncing") figures.setSilence(null);
    if (this.#kind === "syncing" && kind !== "syncing") void session.reread();
    if (this.#kind && kind !== this.#kind) {
      announce(`${connection.word} ${connection.detail}`.trim());
    }
    this.#kind = kind;
  }

  /** Seeding the demo leaves no time unread at the right edge; reading a chain does. */
  get #isReadingChain() {
    return syncingPart(this.#health)?.head !== undefined;
  }

  get #lag_s() {
    return lagOf(this.#chain, this.#parts.now_s());
  }

  /** What is stale says for how long. @param {Connection} connection */
  #aged(connection) {
    const lag_s = this.#lag_s;
    if (connection.kind !== "stale" || connection.detail || lag_s === null) return connection;
    return { ...connection, detail: formatAge(lag_s) };
  }

  /** Since when nothing new has come: by the chain's clock where it is the chain that stands. @param {number} lostFor_s */
  #since(lostFor_s) {
    if (lostFor_s > 0) return this.#parts.now_s() - lostFor_s;
    return this.#chain?.time;
  }
}
