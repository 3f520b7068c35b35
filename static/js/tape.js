/**
 * The tape: latest trades, newest first; rows are added once per frame however many arrive.
 * A line divides those that a reorg may still take away from those that are final.
 */

import { button, element } from "./element.js";
import { formatFixed } from "./numbers.js";
import { priceText } from "./price.js";
import { blockOf, tapeRow, weigher } from "./tape-row.js";

/** @import { Finality, Trade, TradeFilter, Weight } from "./types.js" */

const MOST_ROWS = 100;
/** So many are held, for a filter to have something to choose from. */
const MOST_TRADES = 1000;

/** @type {Record<TradeFilter, (trade: Trade, weight: Weight) => boolean>} */
const FILTERS = {
  all: () => true,
  medium: (_trade, weight) => weight !== "light",
  heavy: (_trade, weight) => weight === "heavy",
  liquidation: ({ kind }) => kind === "liquidation",
};

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
  /** @type {TradeFilter} */
  #filter = "all";
  /** @type {Finality | null} null where nothing is provisional */
  #finality = null;
  /** @type {[title: string, fact: string] | null} */
  #awaited = null;
  /** @type {(trade: Trade) => string | null} */
  #addressOf = () => null;

  /**
   * @param {HTMLElement} rows
   * @param {HTMLElement} state
   */
  constructor(rows, state) {
    this.#rows = rows;
    this.#state = state;
  }

  /** @param {(trade: Trade) => string | null} addressOf where a trade's transaction can be read */
  linkBy(addressOf) {
    this.#addressOf = addressOf;
  }

  get filter() {
    return this.#filter;
  }

  /** @param {TradeFilter} filter */
  setFilter(filter) {
    this.#filter = filter;
    this.#drawAll();
  }

  /** Trades that came live do not say what they were. @param {Set<string>} sequences */
  markLiquidations(sequences) {
    const unsaid = this.#trades.filter(
      ({ kind, sequence }) => kind !== "liquidation" && sequences.has(sequence),
    );
    for (const trade of unsaid) trade.kind = "liquidation";
    if (unsaid.length) this.#drawAll();
  }

  /** Up to which block trades are final. @param {Finality | null} finality */
  setFinality(finality) {
    if (finality?.block === this.#finality?.block) return;
    this.#finality = finality;
    this.#drawAll();
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
    this.#trades = [...since, ...trades].slice(0, MOST_TRADES);
    this.#drawAll();
    this.#state.hidden = this.#trades.length > 0;
    if (!trades.length) this.#sayEmpty();
    this.#drawArrived();
  }

  #drawAll() {
    const weigh = this.#weigher();
    const shown = this.#trades.filter((trade) => this.#passes(trade, weigh)).slice(0, MOST_ROWS);
    this.#rows.replaceChildren(...shown.map((trade) => this.#row(trade, weigh)));
    this.#placeDivide();
    this.#fitPrices();
  }

  #sayEmpty() {
    const [title, fact] = this.#awaited ?? ["No trades yet", "The first one draws the first bar."];
    this.#say("empty", title, fact);
  }

  /** Why there is none, while there is a reason. @param {[title: string, fact: string] | null} words */
  awaiting(words) {
    const isSame = String(words) === String(this.#awaited);
    this.#awaited = words;
    if (!isSame && this.#state.dataset.kind === "empty" && !this.#state.hidden) this.#sayEmpty();
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
    this.#trades = [...fresh, ...this.#trades].slice(0, MOST_TRADES);
    const weigh = this.#weigher();
    const shown = fresh.filter((trade) => this.#passes(trade, weigh));
    this.#rows.prepend(...shown.map((trade) => this.#row(trade, weigh)));
    while (this.#rows.children.length > MOST_ROWS) this.#rows.lastElementChild?.remove();
    this.#placeDivide();
    this.#fitPrices();
  }

  /**
   * @param {Trade} trade
   * @param {(size: number) => Weight} weigh
   */
  #passes(trade, weigh) {
    return FILTERS[this.#filter](trade, weigh(trade.size));
  }

  /** Between the last provisional row and the first final one. */
  #placeDivide() {
    this.#rows.querySelector(".divide")?.remove();
    const first = this.#rows.querySelector(".trade:not([data-certainty])");
    if (!this.#finality || !first?.previousElementSibling) return;
    const words = `final to block ${formatFixed(this.#finality.block, 0)}`;
    first.before(element("li", "divide", element("span", "", words)));
  }

  /** The price column is as wide as the widest price, so that it does not dance. */
  #fitPrices() {
    const newest = this.#trades.slice(0, MOST_ROWS);
    const prices = newest.map(({ price }) => priceText(price, this.#decimals).length);
    const chars = Math.max(0, ...prices);
    const panel = this.#rows.parentElement;
    panel?.style.setProperty("--price-chars", String(chars));
  }

  #weigher() {
    return weigher(this.#trades.slice(0, MOST_TRADES).map(({ size }) => size));
  }

  /**
   * @param {Trade} trade
   * @param {(size: number) => Weight} weigh
   */
  #row(trade, weigh) {
    return tapeRow(trade, {
      decimals: this.#decimals,
      weight: weigh(trade.size),
      isProvisional: this.#isProvisional(trade),
      address: this.#addressOf(trade),
    });
  }

  /** @param {Trade} trade */
  #isProvisional(trade) {
    if (!this.#finality) return trade.final === false;
    return blockOf(trade) > this.#finality.block;
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
