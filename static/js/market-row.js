/** One row of the market list. */

import { element, svg } from "./element.js";
import { formatPercent, guessDecimals, UNKNOWN } from "./numbers.js";
import { percentTone, showPrice } from "./price.js";

/** @import { Market, Sparkline } from "./types.js" */

const SPARK_WIDTH = 54;
const SPARK_HEIGHT = 20;

/** Decimals fixed per market, so that its prices line up. @param {Market} market */
export function decimalsOf(market) {
  return market.price_decimals ?? guessDecimals(market.current_price);
}

/** The quote asset small, so that pairs fit. @param {string} symbol */
function symbolOf(symbol) {
  const [base = "", quote] = symbol.split("/");
  const small = quote === undefined ? null : element("small", "", `/${quote}`);
  return element("span", "market-symbol", base, small);
}

export class MarketRow {
  #name = element("span", "market-name");
  #price = element("span", "market-price");
  #change = element("span", "market-change");
  #spark = svg("svg", { class: "spark", viewBox: "-1 -2 58 24", "aria-hidden": "true" });
  #drawn = "";

  /** @param {string} symbol */
  constructor(symbol) {
    const title = element("span", "market-title");
    title.append(symbolOf(symbol), this.#name);
    const figures = element("span", "market-figures", this.#price, this.#change);
    this.node = element("a", "market", title, this.#spark, figures);
    this.node.dataset.symbol = symbol;
  }

  /** @param {boolean} isCurrent */
  mark(isCurrent) {
    if (isCurrent) this.node.setAttribute("aria-current", "true");
    else this.node.removeAttribute("aria-current");
  }

  /** @param {Market} market */
  show(market) {
    const isKnown = market.current_price !== undefined;
    this.#name.textContent = isKnown ? (market.name ?? market.symbol) : "no trades yet";
    showPrice(this.#price, market.current_price, decimalsOf(market));
    // A day that nobody traded in, or that is not read yet, has no change.
    const isKnownDay = market.trades_24h !== 0;
    const change = isKnownDay ? market.price_change_percent_24h : undefined;
    this.#change.textContent = change === undefined ? "" : formatPercent(change);
    if (isKnown && change === undefined) this.#change.textContent = UNKNOWN;
    this.#change.className = `market-change ${percentTone(change)}`;
    this.#showSpark(market.sparkline ?? [], percentTone(change));
  }

  /**
   * @param {number[]} values
   * @param {string} tone
   */
  #showSpark(values, tone) {
    const key = `${tone} ${values.join()}`;
    if (key === this.#drawn) return;
    this.#drawn = key;
    const line = sparkline(values, SPARK_WIDTH, SPARK_HEIGHT);
    if (!line) return this.#spark.replaceChildren();
    this.#spark.replaceChildren(
      svg("path", { class: "spark-base", d: `M0 ${line.baseline}H${SPARK_WIDTH}` }),
      svg("path", { d: line.path }),
      svg("circle", { class: `spark-end ${tone}`, cx: line.end.x, cy: line.end.y, r: 2 }),
    );
  }
}

/**
 * @param {readonly number[]} values oldest first
 * @param {number} width
 * @param {number} height
 * @returns {Sparkline | null} null when there is nothing to draw
 */
export function sparkline(values, width, height) {
  if (values.length < 2) return null;
  const low = Math.min(...values);
  const span = Math.max(...values) - low;
  const step = width / (values.length - 1);
  const points = values.map((value, index) => ({
    x: round(index * step),
    // A market that did not move is a line in the middle, not at the bottom.
    y: round(span === 0 ? height / 2 : height - ((value - low) / span) * height),
  }));
  const first = points[0];
  const end = points[points.length - 1];
  return { path: `M${points.map(({ x, y }) => `${x} ${y}`).join("L")}`, baseline: first.y, end };
}

/** @param {number} value */
const round = (value) => Math.round(value * 10) / 10;
