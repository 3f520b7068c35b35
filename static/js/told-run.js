/**
 * Figures that cannot be computed from bars: the server tells them, and each holds until the next.
 *
 * @import { Api } from "./api.js"
 * @import { Session } from "./session.js"
 */

/** @import { Companion, Point } from "./types.js" */

const EVERY_MS = 30_000;
const LIMIT = 10_000;

/**
 * What held when each bar ended.
 * @param {readonly {time: number}[]} bars ascending
 * @param {readonly Point[]} points ascending; their times are starts of bars, or lie between
 * @returns {(number | null)[]} null before the first one
 */
export function heldValues(bars, points) {
  let next = 0;
  return bars.map((_, index) => {
    const end = bars[index + 1]?.time ?? Number.POSITIVE_INFINITY;
    while (next < points.length && points[next].time < end) next++;
    return next ? points[next - 1].value : null;
  });
}

/** @implements {Companion} */
export class ToldRun {
  #route;
  #api;
  #session;
  #onChange;
  /** @type {Point[]} */
  #points = [];
  #timer;
  /** For each bar a value for each line. @type {(readonly (number | null)[])[]} */
  values = [];

  /**
   * @param {string} route
   * @param {{api: Api, session: Session, onChange: () => void}} parts
   */
  constructor(route, { api, session, onChange }) {
    this.#route = route;
    this.#api = api;
    this.#session = session;
    this.#onChange = onChange;
    session.join(this);
    this.#timer = setInterval(() => document.hidden || this.missed(), EVERY_MS);
    void this.missed();
  }

  /** @param {readonly {time: number}[]} bars */
  update(bars) {
    this.values = heldValues(bars, this.#points).map((value) => [value]);
    return 0;
  }

  opened() {
    this.#points = [];
    void this.missed();
  }

  grown() {
    void this.missed();
  }

  async missed() {
    const { symbol, interval, store } = this.#session.feed;
    if (!symbol || !store.first) return;
    const span = { from: store.first.time, limit: LIMIT };
    const points = await this.#api
      .fetchPoints(this.#route, { symbol, interval }, span)
      .catch(() => null);
    if (!points || symbol !== this.#session.feed.symbol) return;
    this.#points = points;
    this.#onChange();
  }

  end() {
    clearInterval(this.#timer);
    this.#session.leave(this);
  }
}
