/** The figures of the selected market: price, change, 24 h range, and the stats that are known. */

import { element, setText } from "./element.js";
import { formatChange, formatCompact, formatCount, formatPercent, formatPrice } from "./numbers.js";
import { percentTone, showPrice } from "./price.js";
import { createRuler } from "./ruler.js";

/** @import { HeadParts, Market, Stat } from "./types.js" */

/** @type {Stat[]} */
const STATS = [
  { label: "24\u00a0h volume", textOf: volumeText, always: true },
  {
    label: "24\u00a0h trades",
    textOf: (market) => known(market.trades_24h, formatCount),
    always: true,
  },
  {
    label: "Mark",
    textOf: (market, decimals) => known(market.mark_price, (price) => formatPrice(price, decimals)),
  },
  {
    label: "Funding",
    textOf: (market) => known(market.funding_rate, (rate) => formatPercent(rate * 100, 4)),
  },
];

export class Head {
  #parts;
  #ruler;
  #change = element("span", "change-short");
  #fullChange = element("span", "change-full");

  /** @param {HeadParts} parts */
  constructor(parts) {
    this.#parts = parts;
    this.#ruler = createRuler(parts.ruler);
    parts.change.append(this.#change, this.#fullChange);
  }

  /**
   * @param {Market} market
   * @param {number} decimals
   */
  show(market, decimals) {
    this.#showPrice(market, decimals);
    this.#showRange(market, decimals);
    this.#showStats(market, decimals);
  }

  /** Old values say how old they are. @param {string} age "" while they are fresh */
  setAge(age) {
    this.#parts.root.toggleAttribute("data-stale", age !== "");
    if (!age) return;
    setText(this.#change, age);
    setText(this.#fullChange, age);
    this.#parts.change.className = "change";
  }

  /**
   * @param {Market} market
   * @param {number} decimals
   */
  #showPrice(market, decimals) {
    showPrice(this.#parts.price, market.current_price, decimals);
    const { price_change_24h: change, price_change_percent_24h: percent } = market;
    const short = percent === undefined ? "" : formatPercent(percent);
    setText(this.#change, short);
    setText(
      this.#fullChange,
      change === undefined ? short : `${formatChange(change, decimals)} (${short})`,
    );
    this.#parts.change.className = `change ${percentTone(percent)}`;
  }

  /**
   * @param {Market} market
   * @param {number} decimals
   */
  #showRange({ low_24h: low, high_24h: high, current_price: last }, decimals) {
    showPrice(this.#parts.rangeLow, low, decimals);
    showPrice(this.#parts.rangeHigh, high, decimals);
    const isKnown = low !== undefined && high !== undefined && last !== undefined && high > low;
    this.#ruler.point(isKnown ? (last - low) / (high - low) : null);
    this.#parts.range.hidden = last === undefined;
  }

  /**
   * @param {Market} market
   * @param {number} decimals
   */
  #showStats(market, decimals) {
    const shown = STATS.map(({ label, textOf, always }) => ({
      label,
      value: textOf(market, decimals) ?? (always ? "—" : null),
    })).filter(({ value }) => value !== null);
    const { stats } = this.#parts;
    if (stats.children.length !== shown.length) {
      stats.replaceChildren(...shown.map(({ label }) => statNode(label)));
    }
    shown.forEach(({ label, value }, index) => {
      const [title, figure] = stats.children[index].children;
      setText(title, label);
      setText(figure, value ?? "");
    });
  }
}

/** @param {string} label */
function statNode(label) {
  return element("div", "stat", element("dt", "stat-label", label), element("dd", "stat-value"));
}

/**
 * @param {number | undefined} value
 * @param {(value: number) => string} format
 */
function known(value, format) {
  return value === undefined ? null : format(value);
}

/** In the quote currency when it is known, else in the base. @param {Market} market */
function volumeText({ quote_volume_24h: quoted, volume_24h: volume, quote, base }) {
  if (quoted !== undefined) return `${formatCompact(quoted)} ${quote ?? ""}`.trimEnd();
  return known(volume, (size) => `${formatCompact(size)} ${base ?? ""}`.trimEnd());
}
