/** The banner: what is wrong or in progress, or that the prices are simulated. */

import { failingPart } from "./connection.js";
import { button, element, icon } from "./element.js";
import { formatDuration } from "./times.js";

/** @import { Child, Connection, Health, StatusFacts } from "./types.js" */

const COPIED_MS = 1600;
const COMMAND = "appliance import trades.csv --market GOLD/USD";

export class Banner {
  #root;
  #retry;
  #shown = "";

  /**
   * @param {HTMLElement} root
   * @param {() => void} retry
   */
  constructor(root, retry) {
    this.#root = root;
    this.#retry = retry;
  }

  /** @param {StatusFacts} facts */
  show({ connection, health, lostFor_s }) {
    if (connection.kind === "stale") this.#stale(health, lostFor_s);
    else if (connection.kind === "syncing") this.#syncing(connection, health);
    else if (health?.demo) this.#once("demo", () => demo());
    else this.#hide();
  }

  /**
   * @param {Health | null} health
   * @param {number} lostFor_s
   */
  #stale(health, lostFor_s) {
    const part = health && failingPart(health);
    const title = lostFor_s ? `No connection for ${formatDuration(lostFor_s)}` : "No new data";
    const cause = lostFor_s
      ? "The server does not answer. Bars stay as they were; the gap fills when it does."
      : `${part?.name ?? "A part"} reports: ${part?.reason ?? part?.state ?? "not ready"}. Nothing is lost.`;
    const again = lostFor_s ? button("Try now", this.#retry) : null;
    this.#once("stale", () => [icon("warn"), element("strong"), element("span"), again]);
    const [strong, words] = [...this.#root.querySelectorAll("strong, span")];
    if (strong) strong.textContent = title;
    if (words) words.textContent = cause;
  }

  /**
   * @param {Connection} connection
   * @param {Health | null} health
   */
  #syncing(connection, health) {
    this.#once("syncing", () => syncing(Boolean(health?.demo)));
    this.#root.style.setProperty(
      "--progress",
      String(Number.parseInt(connection.detail, 10) / 100),
    );
  }

  #hide() {
    this.#shown = "";
    this.#root.hidden = true;
  }

  /**
   * @param {string} kind
   * @param {() => Child[]} content
   */
  #once(kind, content) {
    if (this.#shown === kind) return;
    this.#shown = kind;
    this.#root.dataset.kind = kind;
    this.#root.replaceChildren(...element("div", "", ...content()).childNodes);
    this.#root.hidden = false;
  }
}

/** @param {boolean} isDemo */
function syncing(isDemo) {
  const title = isDemo ? "Making the demo market" : "Reading the chain";
  const words = isDemo
    ? "Simulated history is being written; the chart fills in."
    : "Charts fill in as blocks arrive.";
  return [
    element("strong", "", title),
    element("span", "", words),
    element("div", "banner-progress"),
  ];
}

function demo() {
  return [
    element("strong", "", "Demo market"),
    element("span", "", "Prices are simulated."),
    element(
      "span",
      "banner-more",
      "To chart your own market, run ",
      element("code", "", "appliance import FILE"),
      " or send trades to ",
      element("code", "", "POST /api/trades"),
      ".",
    ),
    copyButton(),
  ];
}

function copyButton() {
  const node = button("Copy the command", async () => {
    node.textContent = (await copied()) ? "Copied" : "Copying was refused";
    setTimeout(() => {
      node.textContent = "Copy the command";
    }, COPIED_MS);
  });
  return node;
}

/** Plain http and some browsers have no clipboard. */
async function copied() {
  try {
    await navigator.clipboard.writeText(COMMAND);
    return true;
  } catch {
    return false;
  }
}
