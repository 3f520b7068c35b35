/** The tape: latest trades, newest first; rows are added once per frame however many arrive. */

import { button, element } from "./element.js";
import { priceText } from "./price.js";
import { tapeRow, weigher } from "./tape-row.js";

/** @import { Trade, Weight } from "./types.js" */

const MOST_ROWS = 100;

export class Tape {
  #rows;
  #state;
  #decimals = 2;
  /** @type {Trade[]} newest first */
  #trades = [];
  /** @type {Trade[]} oldest first, waiting for the next frame */
  #arrived = [];
  #isScheduled = false;
  #isLoading = false;

  /**
   * @param {HTMLElement} rows
   * @param {HTMLElement} state
   */
  constructor(rows, state) {
    this.#rows = rows;
    this.#state = state;
  }

  /** Another market's trades are coming; what arrives live waits for them. */
  reset() {
    this.#isLoading = true;
    this.#trades = [];
    this.#arrived = [];
  }

  /**
   * Shows an answer, and above it what the stream has brought since the question.
   * @param {Trade[]} trades newest first
   * @param {number} decimals
   */
  show(trades, decimals) {
    this.#isLoading = false;
    this.#decimals = decimals;
    const known = new Set(trades.map(({ sequence }) => sequence));
    const newest = trades[0]?.time ?? Number.POSITIVE_INFINITY;
    const since = this.#trades.filter(
      ({ sequence, time }) => time >= newest && !known.has(sequence),
    );
    this.#trades = [...since, ...trades].slice(0, MOST_ROWS);
    const weigh = this.#weigher();
    this.#rows.replaceChildren(...this.#trades.map((trade) => this.#row(trade, weigh)));
    this.#fitPrices();
    this.#state.hidden = this.#trades.length > 0;
    if (!trades.length) this.#say("empty", "No trades yet", "The first one draws the first bar.");
    this.#drawArrived();
  }

  /** @param {Trade} trade */
  add(trade) {
    this.#arrived.push(trade);
    if (this.#isScheduled || this.#isLoading) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => this.#drawArrived());
  }

  /**
   * @param {string} fact
   * @param {() => void} retry
   */
  error(fact, retry) {
    this.show([], this.#decimals);
    this.#say("error", "Trades did not load", `${fact} Bars are not affected.`);
    this.#state.append(button("Try again", retry));
  }

  #drawArrived() {
    this.#isScheduled = false;
    // The first page and the stream overlap; the sequence tells.
    const known = new Set(this.#trades.map(({ sequence }) => sequence));
    const fresh = this.#arrived.filter(({ sequence }) => !known.has(sequence)).slice(-MOST_ROWS);
    this.#arrived = [];
    if (!fresh.length) return;
    fresh.reverse();
    // What did not load is still missing below the new ones.
    if (this.#state.dataset.kind !== "error") this.#state.hidden = true;
    this.#trades = [...fresh, ...this.#trades].slice(0, MOST_ROWS);
    const weigh = this.#weigher();
    this.#rows.prepend(...fresh.map((trade) => this.#row(trade, weigh)));
    while (this.#rows.children.length > MOST_ROWS) this.#rows.lastElementChild?.remove();
    this.#fitPrices();
  }

  /** The price column is as wide as the widest price, so that it does not dance. */
  #fitPrices() {
    const prices = this.#trades.map(({ price }) => priceText(price, this.#decimals).length);
    const chars = Math.max(0, ...prices);
    const panel = this.#rows.parentElement;
    panel?.style.setProperty("--price-chars", String(chars));
  }

  #weigher() {
    return weigher(this.#trades.map(({ size }) => size));
  }

  /**
   * @param {Trade} trade
   * @param {(size: number) => Weight} weigh
   */
  #row(trade, weigh) {
    return tapeRow(trade, this.#decimals, weigh(trade.size));
  }

  /**
   * @param {string} kind
   * @param {string} title
   * @param {string} fact
   */
  #say(kind, title, fact) {
    this.#state.dataset.kind = kind;
    this.#state.replaceChildren(element("h3", "", title), element("p", "", fact));
    this.#state.hidden = false;
  }
}
