/** The banner: what is wrong or in progress, or that the prices are simulated. */

import { failingPart, syncingPart } from "./connection.js";
import { button, element, icon, setText } from "./element.js";
import { formatFixed } from "./numbers.js";
import { formatDuration } from "./times.js";

/** @import { BannerFacts, Child, Health, Part } from "./types.js" */

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

  /** @param {BannerFacts} facts */
  show({ connection, health, lostFor_s, lag_s }) {
    const part = syncingPart(health);
    if (connection.kind === "stale") this.#stale(health, lostFor_s, lag_s);
    else if (connection.kind === "syncing" && part) this.#syncing(part);
    else if (health?.demo) this.#once("demo", () => demo());
    else this.#hide();
  }

  /**
   * @param {Health | null} health
   * @param {number} lostFor_s
   * @param {number | null} lag_s
   */
  #stale(health, lostFor_s, lag_s) {
    const part = (health && failingPart(health)) ?? null;
    const words = lostFor_s ? lostWords(lostFor_s) : failingWords(part, lag_s);
    const again = button("Try now", this.#retry);
    this.#once("stale", () => [icon("warn"), element("strong"), element("span"), again]);
    this.#say(...words);
  }

  /** @param {Part} part */
  #syncing(part) {
    const bar = element("div", "banner-progress");
    this.#once("syncing", () => [element("strong"), element("b"), element("span"), bar]);
    this.#say(...syncingWords(part));
    this.#root.style.setProperty("--progress", String(part.progress ?? 0));
  }

  /** @param {...string} words of the elements that hold any, in order */
  #say(...words) {
    this.#root.querySelectorAll("strong, b, span").forEach((node, index) => {
      setText(node, words[index]);
    });
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

/** @param {number} lostFor_s */
function lostWords(lostFor_s) {
  const title = `No connection for ${formatDuration(lostFor_s)}`;
  return [title, "The server does not answer. Bars stay as they were; the gap fills when it does."];
}

/**
 * Fact, cause, and what still holds. A chain is named by its age, the store by what it cannot do.
 * @param {Part | null} part
 * @param {number | null} lag_s
 */
export function failingWords(part, lag_s) {
  const cause = sentence(part?.reason ?? part?.state ?? "a part is not ready");
  if (part?.name === "store") {
    return [
      "The store does not answer",
      `${cause} Bars on screen are from memory and still exact.`,
    ];
  }
  if (part?.head !== undefined && lag_s !== null) {
    const title = `No new block for ${formatDuration(lag_s)}`;
    return [title, `${cause} Nothing is lost; the gap fills when it answers.`];
  }
  return ["No new data", `${part?.name ?? "A part"}: ${cause} Nothing is lost.`];
}

/** @param {string} words */
function sentence(words) {
  return `${words.charAt(0).toUpperCase()}${words.slice(1).replace(/\.$/, "")}.`;
}

/**
 * Title, place, and what will happen.
 * @param {Part} part
 */
export function syncingWords({ state, block, head, reason, blocks_per_second: speed }) {
  if (state === "seeding") {
    const words = "Simulated history is being written; the chart fills in.";
    return ["Making the demo market", "", words];
  }
  const place = block && head ? `block ${formatFixed(block, 0)} of ${formatFixed(head, 0)}` : "";
  const pace = speed ? ` at ${formatFixed(speed, 0)} blocks/s` : "";
  const left = reason ? `${sentence(reason + pace)} ` : "";
  return ["Reading the chain", place, `${left}Charts fill in as blocks arrive.`];
}

function demo() {
  return [
    element("strong", "", "Demo market"),
    element("span", "", "Prices are simulated."),
    element(
      "span",
      "banner-more",
      "To chart your own market, set ",
      element("code", "", "RPC_URL"),
      " or run ",
      element("code", "", "appliance import FILE"),
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
