/** The market list: search, sort, and the selected row. */

import { element } from "./element.js";
import { MarketRow } from "./market-row.js";
import { findMarkets, nextSort, sortMarkets } from "./markets.js";

/** @import { Market, MarketListParts, Sort, SortKey } from "./types.js" */

export class MarketList {
  #parts;
  #onChoose;
  #addressOf;
  /** @type {Market[]} */
  #markets = [];
  /** @type {Map<string, MarketRow>} */
  #rows = new Map();
  /** @type {Sort} */
  #sort = null;
  #selected = "";

  /**
   * @param {MarketListParts} parts
   * @param {(symbol: string) => void} onChoose
   * @param {(symbol: string) => string} addressOf for the rows' links
   */
  constructor(parts, onChoose, addressOf) {
    this.#parts = parts;
    this.#onChoose = onChoose;
    this.#addressOf = addressOf;
    parts.search.addEventListener("input", () => this.#draw());
    parts.search.addEventListener("keydown", (event) => this.#searchKey(event));
    parts.rows.addEventListener("click", (event) => this.#rowClick(event));
    parts.rows.addEventListener("keydown", (event) => this.#rowKey(event));
    parts.sorts.addEventListener("click", (event) => this.#sortClick(event));
  }

  get markets() {
    return this.#markets;
  }

  /** @param {string} symbol */
  find(symbol) {
    return this.#markets.find((market) => market.symbol === symbol);
  }

  /** @param {Market[]} markets */
  show(markets) {
    this.#markets = markets;
    this.#parts.search.placeholder = `Search ${markets.length || ""} markets`.replace("  ", " ");
    this.#draw();
  }

  /** One market has news; its row is shown anew, in place. @param {Market} market */
  refresh(market) {
    this.#rows.get(market.symbol)?.show(market);
  }

  /** @param {string} symbol */
  select(symbol) {
    this.#selected = symbol;
    for (const [name, row] of this.#rows) markCurrent(row.node, name === symbol);
    this.#rows.get(symbol)?.node.scrollIntoView({ block: "nearest" });
  }

  /** @param {string} [text] the letter that was typed to get here */
  focusSearch(text = "") {
    this.#parts.search.focus();
    if (!text) return this.#parts.search.select();
    this.#parts.search.value = text;
    this.#draw();
  }

  #draw() {
    const found = findMarkets(this.#markets, this.#parts.search.value);
    const nodes = sortMarkets(found, this.#sort).map((market) => this.#rowOf(market).node);
    const { rows } = this.#parts;
    // Moving rows that already stand right would lose focus and hover.
    if (nodes.length && nodes.every((node, index) => rows.children[index] === node)) {
      while (rows.children.length > nodes.length) rows.lastElementChild?.remove();
      return;
    }
    rows.replaceChildren(...(nodes.length ? nodes : [this.#nothing()]));
  }

  #nothing() {
    const query = this.#parts.search.value.trim();
    const text = query ? `No market matches “${query}”.` : "Markets appear with their first trade.";
    return element("p", "panel-state", text);
  }

  /** @param {Market} market */
  #rowOf(market) {
    const row = this.#rows.get(market.symbol) ?? new MarketRow(market.symbol);
    this.#rows.set(market.symbol, row);
    row.node.href = this.#addressOf(market.symbol);
    markCurrent(row.node, market.symbol === this.#selected);
    row.show(market);
    return row;
  }

  /** @param {MouseEvent} event */
  #rowClick(event) {
    const row = rowAt(event.target);
    // A modified click opens a tab, as with any link.
    if (!row || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    this.#choose(row);
  }

  /** @param {HTMLElement} row */
  #choose(row) {
    this.#parts.search.value = "";
    this.#draw();
    this.#onChoose(row.dataset.symbol ?? "");
  }

  /** @param {KeyboardEvent} event */
  #rowKey(event) {
    const row = rowAt(event.target);
    if (!row || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
    event.preventDefault();
    const next = event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
    if (next instanceof HTMLElement) next.focus();
    else if (event.key === "ArrowUp") this.#parts.search.focus();
  }

  /** @param {KeyboardEvent} event */
  #searchKey(event) {
    const first = rowAt(this.#parts.rows.firstElementChild);
    if (event.key === "ArrowDown") first?.focus();
    else if (event.key === "Enter" && first) this.#choose(first);
    else if (event.key === "Escape") this.#leaveSearch();
    else return;
    event.preventDefault();
  }

  #leaveSearch() {
    this.#parts.search.value = "";
    this.#parts.search.blur();
    this.#draw();
  }

  /** @param {MouseEvent} event */
  #sortClick({ target }) {
    const key = target instanceof HTMLElement && target.dataset.sort;
    if (!key) return;
    this.#sort = nextSort(this.#sort, /** @type {SortKey} */ (key));
    for (const heading of this.#parts.sorts.querySelectorAll("button")) {
      const isOn = heading.dataset.sort === this.#sort?.key;
      if (isOn) heading.dataset.order = this.#sort?.descending ? "down" : "up";
      else delete heading.dataset.order;
      heading.setAttribute("aria-pressed", String(isOn));
    }
    this.#draw();
  }
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function rowAt(target) {
  return target instanceof Element ? target.closest(".market") : null;
}

/**
 * @param {HTMLElement} node
 * @param {boolean} isCurrent
 */
function markCurrent(node, isCurrent) {
  if (isCurrent) node.setAttribute("aria-current", "true");
  else node.removeAttribute("aria-current");
}
