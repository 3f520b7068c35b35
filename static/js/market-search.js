/** Searching and sorting the market list; beyond what is loaded, the server is asked. */

import { findMarkets, mergeMarkets, nextSort, sortMarkets } from "./markets.js";

/** @import { Market, MarketSearchParts, Sort, SortKey } from "./types.js" */

const PAUSE_MS = 150;

export class MarketSearch {
  #parts;
  /** @type {Sort} */
  #sort = null;
  /** What the server found besides, for the words that stand there. */
  /** @type {Market[]} */
  #found = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {MarketSearchParts} parts */
  constructor(parts) {
    this.#parts = parts;
    const { input, sorts, list } = parts;
    input.addEventListener("input", () => this.#searched());
    input.addEventListener("keydown", (event) => this.#keyed(event));
    sorts.addEventListener("click", (event) => this.#sortClicked(event));
    list.focusSearch = (text) => this.focus(text);
    list.onChosen = () => this.#clear();
    list.rearrange((markets) => this.#arranged(markets));
  }

  /** @param {number} total of markets on the server */
  count(total) {
    const words = total ? `Search ${total.toLocaleString("en-GB")} markets` : "Search markets";
    this.#parts.input.placeholder = words;
  }

  /** @param {string} text the letter that was typed to get here */
  focus(text) {
    const { input } = this.#parts;
    input.focus();
    if (!text) return input.select();
    input.value = text;
    this.#searched();
  }

  get #query() {
    return this.#parts.input.value.trim();
  }

  /** @param {Market[]} markets */
  #arranged(markets) {
    const all = this.#query ? mergeMarkets(markets, this.#found) : markets;
    return sortMarkets(findMarkets(all, this.#query), this.#sort);
  }

  #searched() {
    const { list, isWhole, ask } = this.#parts;
    const query = this.#query;
    this.#found = [];
    list.nothing = query
      ? `No market matches “${query}”.`
      : "Markets appear with their first trade.";
    list.rearrange((markets) => this.#arranged(markets));
    clearTimeout(this.#timer);
    if (!query || isWhole()) return;
    this.#timer = setTimeout(async () => {
      const found = await ask(query).catch(() => []);
      if (query !== this.#query) return;
      this.#found = found;
      list.rearrange();
    }, PAUSE_MS);
  }

  #clear() {
    this.#parts.input.value = "";
    this.#found = [];
    this.#parts.list.rearrange();
  }

  /** @param {KeyboardEvent} event */
  #keyed(event) {
    const { list, input } = this.#parts;
    if (event.key === "ArrowDown") list.focusFirst();
    else if (event.key === "Enter") list.chooseFirst();
    else if (event.key === "Escape") {
      this.#clear();
      input.blur();
    } else return;
    event.preventDefault();
  }

  /** @param {MouseEvent} event */
  #sortClicked({ target }) {
    const key = target instanceof HTMLElement && target.dataset.sort;
    if (!key) return;
    this.#sort = nextSort(this.#sort, /** @type {SortKey} */ (key));
    for (const heading of this.#parts.sorts.querySelectorAll("button")) {
      const isOn = heading.dataset.sort === this.#sort?.key;
      if (isOn) heading.dataset.order = this.#sort?.descending ? "down" : "up";
      else delete heading.dataset.order;
      heading.setAttribute("aria-pressed", String(isOn));
    }
    this.#parts.list.rearrange((markets) => this.#arranged(markets));
  }
}
