/** The operator's strip: whether candles equal their trades, and how the server does. */

import { lagOf } from "./chain-part.js";
import { byId, element, setText, svg } from "./element.js";
import { formatCount, formatFixed, THIN } from "./numbers.js";
import { formatAge, formatDuration, formatMoment } from "./times.js";

/** @import { Fact, Health, Part, Verified } from "./types.js" */

const BARS = 12;
const BAR_STEP = 4;
const BAR_HEIGHT = 12;
/** A chain whose newest block is older than this is said to lag. */
const LATE_S = 60;

export class Strip {
  /** @type {number[]} */
  #rates = [];
  /** @type {Map<string, HTMLElement>} */
  #facts = new Map();

  /**
   * @param {Health} health
   * @param {Part | undefined} chain
   * @param {number} now_s
   */
  show(health, chain, now_s) {
    const isSyncing = chain?.state === "syncing";
    const blocks = isSyncing ? chain.blocks_per_second : undefined;
    this.#showRate(
      blocks ?? health.trades_per_second,
      blocks === undefined ? "trades/s" : "blocks/s",
    );
    this.#showFacts([...(chain ? chainFacts(chain) : sourceFacts(health)), ...serverFacts(health)]);
    this.age(chain, now_s);
    showBadge(health.verify ?? null, now_s);
  }

  /** Each second the newest block is a second older. @param {Part | undefined} chain @param {number} now_s */
  age(chain, now_s) {
    const lag_s = lagOf(chain, now_s);
    const node = this.#facts.get("Lag");
    if (!node || lag_s === null) return;
    const text = lag_s < 10 ? `${formatFixed(lag_s, 1)}${THIN}s` : formatDuration(lag_s);
    setText(/** @type {Element} */ (node.querySelector("b")), text);
    node.toggleAttribute("data-late", lag_s > LATE_S);
  }

  /**
   * @param {number | undefined} rate
   * @param {string} unit
   */
  #showRate(rate, unit) {
    setText(byId("fact-unit"), unit);
    if (rate === undefined) return;
    setText(byId("fact-rate"), rate < 100 ? formatFixed(rate, 1) : formatCount(rate));
    this.#rates = [...this.#rates, rate].slice(-BARS);
    this.#drawRates();
  }

  /** @param {Fact[]} facts */
  #showFacts(facts) {
    const known = [...this.#facts.keys()];
    if (String(known) !== String(facts.map(({ label }) => label))) {
      this.#facts = new Map(facts.map(({ label }) => [label, factNode(label)]));
      byId("strip-facts").replaceChildren(byId("rate"), ...this.#facts.values());
    }
    for (const { label, text } of facts) {
      const node = this.#facts.get(label)?.querySelector("b");
      if (node && text !== null) setText(node, text);
    }
  }

  #drawRates() {
    const most = Math.max(...this.#rates, 1e-9);
    const empty = BARS - this.#rates.length;
    byId("rate-bars").replaceChildren(
      ...Array.from({ length: BARS }, (_, index) => {
        const height = Math.max(1, ((this.#rates[index - empty] ?? 0) / most) * BAR_HEIGHT);
        const y = BAR_HEIGHT - height;
        return svg("rect", { x: index * BAR_STEP, y, width: 2, height });
      }),
    );
  }
}

/** @param {string} label */
function factNode(label) {
  return element("p", "fact", `${label} `, element("b"));
}

/** @param {Part} chain @returns {Fact[]} */
function chainFacts({ state, block, head, behind, final }) {
  const number = (/** @type {number | undefined} */ value) =>
    value === undefined ? "—" : formatFixed(value, 0);
  if (state === "syncing") {
    return [
      { label: "At", text: number(block) },
      { label: "Head", text: number(head) },
      { label: "Behind", text: `${number(behind)} blocks` },
    ];
  }
  return [
    { label: "Head", text: number(head) },
    { label: "Final", text: number(final) },
    { label: "Lag", text: null },
  ];
}

/** Where no chain is followed. @param {Health} health @returns {Fact[]} */
function sourceFacts({ demo }) {
  return demo ? [{ label: "Source", text: "simulator" }] : [];
}

/** @param {Health} health @returns {Fact[]} */
function serverFacts({ readers, trades_stored: stored }) {
  return [
    { label: "Readers", text: readers === undefined ? "—" : formatCount(readers) },
    { label: "Stored", text: stored === undefined ? "—" : `${formatCount(stored)} trades` },
  ];
}

/**
 * The page holds a badge for each outcome, and shows the one that fits.
 * @param {Verified | null} verify null where nothing was ever compared
 * @param {number} now_s
 */
function showBadge(verify, now_s) {
  if (!verify) return;
  const badge = byId("badge");
  badge.dataset.verified = `${verify.equal}`;
  const age = formatAge(Math.max(0, now_s - verify.at));
  badge.title = `Checked ${formatMoment(verify.at, now_s)}, ${age} ago`;
  setText(byId("badge-count"), formatCount(verify.differences));
}
