/** The figures of the selected market: price, change, 24 h range, and the stats that are known. */

import { byId, element, setText, svg } from "./element.js";
import {
  formatChange,
  formatCompact,
  formatCount,
  formatPercent,
  formatPrice,
  UNKNOWN,
} from "./numbers.js";
import { percentTone, showPrice } from "./price.js";

/** @import { Market, Stat } from "./types.js" */

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
  {
    label: "Open interest",
    textOf: (market) => known(market.open_interest, formatCompact),
  },
];

export class Head {
  #ruler = createRuler(byId("ruler"));
  #both = byId("change");
  #change = element("span", "change-short");
  #fullChange = element("span", "change-full");

  constructor() {
    this.#both.append(this.#change, this.#fullChange);
  }

  /**
   * @param {Market} market
   * @param {number} decimals
   * @param {boolean} [isPartial] the last 24 hours are not read yet: nothing of them is known
   */
  show(market, decimals, isPartial = false) {
    byId("head").dataset.filled = "";
    this.#showPrice(market, decimals);
    this.#showRange(
      isPartial ? { ...market, high_24h: undefined, low_24h: undefined } : market,
      decimals,
    );
    this.#showStats(market, decimals, isPartial);
  }

  /** Old values say how old they are. @param {string} age "" while they are fresh */
  setAge(age) {
    byId("head").toggleAttribute("data-stale", age !== "");
    if (!age) return;
    setText(this.#change, age);
    setText(this.#fullChange, age);
    this.#both.className = "change";
  }

  /**
   * @param {Market} market
   * @param {number} decimals
   */
  #showPrice(market, decimals) {
    showPrice(byId("price"), market.current_price, decimals);
    const { price_change_24h: change, price_change_percent_24h: percent } = market;
    const short = percent === undefined ? "" : formatPercent(percent);
    setText(this.#change, short);
    setText(
      this.#fullChange,
      change === undefined ? short : `${formatChange(change, decimals)} (${short})`,
    );
    this.#both.className = `change ${percentTone(percent)}`;
  }

  /**
   * @param {Market} market
   * @param {number} decimals
   */
  #showRange({ low_24h: low, high_24h: high, current_price: last }, decimals) {
    showPrice(byId("range-low"), low, decimals);
    showPrice(byId("range-high"), high, decimals);
    const isKnown = low !== undefined && high !== undefined && last !== undefined && high > low;
    this.#ruler.point(isKnown ? (last - low) / (high - low) : null);
    byId("range").hidden = last === undefined;
  }

  /**
   * @param {Market} market
   * @param {number} decimals
   * @param {boolean} isPartial
   */
  #showStats(market, decimals, isPartial) {
    const shown = STATS.map(({ label, textOf, always }) => ({
      label,
      value: isPartial ? UNKNOWN : (textOf(market, decimals) ?? (always ? UNKNOWN : null)),
    })).filter(({ value }) => value !== null);
    const stats = byId("stats");
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

const DIVISIONS = 20;
const STEP = 4.8;
const FOOT = 13;

/** @param {Element} root an svg */
export function createRuler(root) {
  for (let index = 0; index <= DIVISIONS; index++) root.append(tick(index));
  const needle = svg("path", { class: "ruler-needle", d: "M-3 0h6L.75 5v8h-1.5V5z" });
  root.append(needle);
  return {
    /** @param {number | null} share 0…1, null when unknown */
    point(share) {
      needle.toggleAttribute("hidden", share === null);
      const x = 0.5 + Math.min(1, Math.max(0, share ?? 0)) * DIVISIONS * STEP;
      needle.setAttribute("transform", `translate(${x.toFixed(1)} 0)`);
    },
  };
}

/** @param {number} index */
function tick(index) {
  const x = 0.5 + index * STEP;
  const isLong = index % 10 === 0;
  const isMiddle = index % 5 === 0;
  const top = FOOT - (isLong ? 7 : isMiddle ? 5 : 4);
  return svg("path", { class: "ruler-tick", d: `M${x} ${top}V${FOOT}` });
}
