/** What stands in the chart's place while there are no candles: loading, empty or error. */

import { button, element } from "./element.js";

const GHOST_BARS = [38, 52, 47, 63, 58, 71, 66, 54, 60, 48, 57, 69];
const WAYS = [
  ["RPC_URL", "a chain's contracts"],
  ["appliance import", "trades or logs from a file"],
  ["POST /api/trades", "your trades, with a key"],
  ["DEMO=on", "simulated markets"],
];

export class ChartState {
  #chart;
  #root;

  /**
   * @param {HTMLElement} chart carries `data-state`
   * @param {HTMLElement} root
   */
  constructor(chart, root) {
    this.#chart = chart;
    this.#root = root;
  }

  ready() {
    this.#set("ready", null);
  }

  loading() {
    if (this.#chart.dataset.state === "loading") return;
    const bars = element("div", "ghost-bars");
    for (const height of GHOST_BARS) {
      const bar = element("i");
      bar.style.setProperty("--h", String(height));
      bars.append(bar);
    }
    this.#set("loading", bars);
  }

  /** The store has no market at all. */
  emptyStore() {
    const ways = element("dl", "state-ways");
    for (const [name, words] of WAYS) {
      ways.append(element("dt", "", element("code", "", name)), element("dd", "", words));
    }
    const fact = "The first trade draws the first bar, within seconds. Trades come from:";
    this.#set("empty", card("empty", "No trades yet", fact, ways));
  }

  /** This market has no bars. @param {string} symbol */
  emptyMarket(symbol) {
    const fact = `The first trade in ${symbol} draws the first bar.`;
    this.#set("empty", card("empty", "No trades yet", fact));
  }

  /**
   * No market has this name.
   * @param {string} symbol
   * @param {(() => void) | undefined} search
   */
  unknownMarket(symbol, search) {
    const fact =
      "Nothing that is stored has this symbol, name or address. It may be new, or renamed.";
    const again = search && button("Search for it", search);
    this.#set("error", card("unknown", `No market called “${symbol}”`, fact, again));
  }

  /**
   * @param {string} fact
   * @param {() => void} retry
   */
  error(fact, retry) {
    const again = button("Try again", retry);
    this.#set("error", card("error", "Bars did not load", `${fact} Nothing is lost.`, again));
  }

  /**
   * @param {"ready" | "loading" | "empty" | "error"} state
   * @param {HTMLElement | null} content
   */
  #set(state, content) {
    this.#chart.dataset.state = state;
    this.#root.dataset.kind = content?.dataset.kind ?? "";
    this.#root.hidden = content === null;
    this.#root.replaceChildren(...(content ? [content] : []));
  }
}

/**
 * @param {string} kind
 * @param {string} title
 * @param {string} fact
 * @param {HTMLElement} [more]
 */
function card(kind, title, fact, more) {
  const node = element("div", "state-card", element("h2", "", title), element("p", "", fact), more);
  node.dataset.kind = kind;
  return node;
}
