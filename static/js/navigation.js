/** The place the page shows, kept in the address so that links and the back button work. */

import { normalInterval } from "./intervals.js";

/** @import { Place } from "./types.js" */

export class Navigation {
  #home;
  /** @type {Place} */
  place;

  /** @param {Place} home what an address without parameters means */
  constructor(home) {
    this.#home = home;
    this.place = home;
  }

  /** @param {(place: Place) => void} onReturn back or forward was used */
  listen(onReturn) {
    addEventListener("popstate", () => {
      const { symbol, interval } = parsePlace(location.search);
      this.place = {
        symbol: symbol ?? this.#home.symbol,
        interval: interval ?? this.#home.interval,
      };
      onReturn(this.place);
    });
  }

  /** @param {Place} place */
  go(place) {
    this.place = place;
    history.pushState(null, "", this.addressOf(place));
  }

  /** @param {Place} place */
  addressOf(place) {
    return location.pathname + formatPlace(location.search, place);
  }
}

/**
 * @param {string} search
 * @returns {{symbol: string | null, interval: string | null}}
 */
export function parsePlace(search) {
  const params = new URLSearchParams(search);
  return { symbol: params.get("symbol"), interval: normalInterval(params.get("interval")) };
}

/**
 * Other parameters (an operator's own) stay.
 * @param {string} search
 * @param {{symbol: string, interval: string}} place
 */
export function formatPlace(search, { symbol, interval }) {
  const params = new URLSearchParams(search);
  params.set("symbol", symbol);
  params.set("interval", interval);
  // A slash is legal in a query and a pair reads better with it.
  return `?${params.toString().replaceAll("%2F", "/")}`;
}
