/**
 * The market list. Only rows in sight are in the page, so that thousands of markets cost no more
 * than a screenful. What it leaves out and in which order it stands is decided by market-search.js.
 */

import { element } from "./element.js";
import { MarketRow } from "./market-row.js";

/** @import { Market } from "./types.js" */

/** Rows drawn beyond either edge, so that scrolling and the arrow keys meet no end. */
const OVERSCAN = 12;
/** Row elements that are kept for when they come back into sight. */
const MOST_KEPT = 400;
const ROW_HEIGHT = 44;

export class MarketList {
  #root;
  #onChoose;
  #addressOf;
  /** @type {Market[]} */
  markets = [];
  /** @type {readonly Market[]} as they stand in the list */
  #arranged = [];
  /** @type {(markets: Market[]) => readonly Market[]} */
  #arrange = (markets) => markets;
  /** @type {Map<string, MarketRow>} */
  #rows = new Map();
  #selected = "";
  #isScheduled = false;
  /** What stands there when there is no row. */
  nothing = "Markets appear with their first trade.";
  /** @type {(text: string) => void} puts the keyboard into the search field */
  focusSearch = () => {};
  /** @type {() => void} a market was chosen */
  onChosen = () => {};

  /**
   * @param {HTMLElement} root
   * @param {(symbol: string) => void} onChoose
   * @param {(symbol: string) => string} addressOf for the rows' links
   */
  constructor(root, onChoose, addressOf) {
    this.#root = root;
    this.#onChoose = onChoose;
    this.#addressOf = addressOf;
    root.addEventListener("click", (event) => this.#clicked(event));
    root.addEventListener("keydown", (event) => this.#keyed(event));
    root.addEventListener("scroll", () => this.#schedule(), { passive: true });
    new ResizeObserver(() => this.#schedule()).observe(root);
  }

  /** @param {string} symbol */
  find(symbol) {
    return this.markets.find((market) => market.symbol === symbol);
  }

  /** The rows in the page. */
  get drawn() {
    return [...this.#root.querySelectorAll(".market")].map(
      (node) => /** @type {HTMLElement} */ (node).dataset.symbol ?? "",
    );
  }

  /** @param {Market[]} markets */
  show(markets) {
    this.markets = markets;
    this.rearrange();
  }

  /** @param {(markets: Market[]) => readonly Market[]} [arrange] what to show, in which order */
  rearrange(arrange) {
    if (arrange) {
      this.#arrange = arrange;
      this.#root.scrollTop = 0;
    }
    this.#arranged = this.#arrange(this.markets);
    this.#draw();
  }

  /** One market has news; its row is shown anew, in place. @param {Market} market */
  refresh(market) {
    this.#rows.get(market.symbol)?.show(market);
  }

  /** @param {string} symbol */
  select(symbol) {
    this.#selected = symbol;
    for (const [name, row] of this.#rows) row.mark(name === symbol);
    const index = this.#arranged.findIndex((market) => market.symbol === symbol);
    if (index >= 0) this.#bringIntoSight(index);
  }

  /** @param {number} index */
  #bringIntoSight(index) {
    const { scrollTop, clientHeight } = this.#root;
    const top = index * this.#rowHeight;
    const least = top + this.#rowHeight - clientHeight;
    this.#root.scrollTop = Math.max(least, Math.min(scrollTop, top));
    this.#draw();
  }

  chooseFirst() {
    const first = this.#arranged[0];
    if (first) this.#choose(first.symbol);
  }

  focusFirst() {
    /** @type {HTMLElement | null} */ (this.#root.querySelector(".market"))?.focus();
  }

  get #rowHeight() {
    const row = this.#root.querySelector(".market");
    return /** @type {HTMLElement | null} */ (row)?.offsetHeight || ROW_HEIGHT;
  }

  #schedule() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#isScheduled = false;
    const { scrollTop, clientHeight } = this.#root;
    const height = this.#rowHeight;
    const first = Math.max(0, Math.floor(scrollTop / height) - OVERSCAN);
    const count = Math.ceil(clientHeight / height) + 2 * OVERSCAN;
    const visible = this.#arranged.slice(first, first + count);
    const below = Math.max(0, this.#arranged.length - first - visible.length);
    this.#root.style.setProperty("--rows-above", `${first * height}px`);
    this.#root.style.setProperty("--rows-below", `${below * height}px`);
    const nodes = visible.map((market) => this.#rowOf(market).node);
    replaceRows(this.#root, nodes.length ? nodes : [element("p", "panel-state", this.nothing)]);
    this.#forgetMost();
  }

  /** @param {Market} market */
  #rowOf(market) {
    const row = this.#rows.get(market.symbol) ?? new MarketRow(market.symbol);
    this.#rows.set(market.symbol, row);
    row.node.href = this.#addressOf(market.symbol);
    row.mark(market.symbol === this.#selected);
    row.show(market);
    return row;
  }

  #forgetMost() {
    if (this.#rows.size <= MOST_KEPT) return;
    for (const [symbol, row] of this.#rows) if (!row.node.isConnected) this.#rows.delete(symbol);
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const row = rowAt(event.target);
    // A modified click opens a tab, as with any link.
    if (!row || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    this.#choose(row.dataset.symbol ?? "");
  }

  /** @param {string} symbol */
  #choose(symbol) {
    this.onChosen();
    this.#onChoose(symbol);
  }

  /** @param {KeyboardEvent} event */
  #keyed(event) {
    const row = rowAt(event.target);
    if (!row || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
    event.preventDefault();
    const next = event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
    if (next instanceof HTMLElement) next.focus();
    else if (event.key === "ArrowUp") this.focusSearch("");
  }
}

/**
 * Rows that stay are not touched: moving them would lose focus and hover.
 * @param {HTMLElement} root
 * @param {HTMLElement[]} nodes
 */
function replaceRows(root, nodes) {
  const wanted = new Set(/** @type {Element[]} */ (nodes));
  for (const node of [...root.children]) if (!wanted.has(node)) node.remove();
  let at = root.firstElementChild;
  for (const node of nodes) {
    if (node === at) at = at.nextElementSibling;
    else root.insertBefore(node, at);
  }
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function rowAt(target) {
  return target instanceof Element ? target.closest(".market") : null;
}
