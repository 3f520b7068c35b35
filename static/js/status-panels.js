/** Where the status is seen: pill, banner, strip, watermark, needle, and the live region. */

import { byId } from "./element.js";
import { Pill } from "./pill.js";
import { Strip } from "./strip.js";

/** @import { Health, StatusFacts } from "./types.js" */

/**
 * @import { Banner } from "./banner.js"
 * @import { ChartView } from "./chart-view.js"
 * @import { Figures } from "./figures.js"
 */

export class StatusPanels {
  #parts;
  #root = byId("chart");
  #pill = new Pill(byId("pill"));
  #strip = new Strip();
  #kind = "";

  /**
   * @param {{chart: ChartView, figures: Figures, banner: Banner, announce: (sentence: string) => void, onSynced: () => void}} parts
   */
  constructor(parts) {
    this.#parts = parts;
  }

  /** @param {Health} health */
  showHealth(health) {
    this.#strip.show(health);
    this.#parts.chart.annotate({ watermark: health.demo ? "demo data" : "" });
  }

  /** @param {StatusFacts} facts */
  showStatus(facts) {
    const { connection, lostFor_s } = facts;
    this.#pill.show(connection);
    this.#parts.banner.show(facts);
    // To a machine demo is live: the word only says whose data it is.
    this.#root.dataset.connection = connection.kind === "demo" ? "live" : connection.kind;
    const wasSyncing = this.#kind === "syncing";
    const isStale = connection.kind === "stale";
    if (isStale || this.#kind === "stale") {
      this.#parts.figures.setStale(isStale ? this.#since(lostFor_s) : null);
    }
    if (wasSyncing && connection.kind !== "syncing") this.#parts.onSynced();
    if (this.#kind && connection.kind !== this.#kind) {
      this.#parts.announce(`${connection.word} ${connection.detail}`.trim());
    }
    this.#kind = connection.kind;
  }

  /** @param {number} lostFor_s */
  #since(lostFor_s) {
    return Date.now() / 1000 - lostFor_s;
  }
}
