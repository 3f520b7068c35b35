/** Figures that only the open market's own row has, such as its open interest, kept current. */

/** @import { Companion, DashboardParts } from "./types.js" */

const EVERY_MS = 15_000;

/** @implements {Companion} */
export class MarketWatch {
  #parts;

  /** @param {Pick<DashboardParts, "api" | "session">} parts */
  constructor(parts) {
    this.#parts = parts;
    parts.session.join(this);
    setInterval(() => document.hidden || this.missed(), EVERY_MS);
  }

  /** @param {{isOther: boolean}} change */
  opened({ isOther }) {
    if (isOther) void this.missed();
  }

  async missed() {
    const { api, session } = this.#parts;
    const { symbol } = session.feed;
    const market = symbol && (await api.fetchMarket(symbol).catch(() => null));
    if (market) session.showMarket(market);
  }
}
