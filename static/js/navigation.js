/** The place the page shows, kept in the address so that links and the back button work. */

import { formatPlace, parsePlace } from "./address.js";

/** @import { Place } from "./types.js" */

export class Navigation {
  #home;
  /** @type {Place} */
  place;

  /**
   * @param {Place} home what an address without parameters means
   * @param {(place: Place) => void} onReturn back or forward was used
   */
  constructor(home, onReturn) {
    this.#home = home;
    this.place = home;
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
