/** The connection in one word, with a shape for each, so that colour is never needed to tell. */

import { setText, svg } from "./element.js";

/** @import { Connection, ConnectionKind } from "./types.js" */

const HATCH = "M0 4 4 0M0 9 9 0M5 9l4-4";

/** @type {Record<ConnectionKind, () => SVGElement[]>} */
const MARKS = {
  live: () => [svg("circle", { cx: 4.5, cy: 4.5, r: 4 })],
  connecting: () => [ring()],
  reconnecting: () => [ring()],
  syncing: () => [ring(), svg("path", { d: "M4.5 1a3.5 3.5 0 0 1 0 7z", stroke: "none" })],
  stale: () => [
    svg("rect", { x: 0.5, y: 0.5, width: 8, height: 8, fill: "none" }),
    svg("path", { d: "M1 5 5 1M1 8l7-7M4 8l4-4" }),
  ],
  demo: () => [svg("path", { d: HATCH, "stroke-width": 1.6 })],
};

function ring() {
  return svg("circle", { cx: 4.5, cy: 4.5, r: 3.5, fill: "none", "stroke-width": 1.4 });
}

export class Pill {
  #root;
  #mark;
  #word;
  #detail;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    this.#mark = /** @type {Element} */ (root.querySelector(".pill-mark"));
    this.#word = /** @type {Element} */ (root.querySelector(".pill-word"));
    this.#detail = /** @type {Element} */ (root.querySelector(".pill-detail"));
    this.#mark.replaceChildren(...MARKS.connecting());
  }

  /** @param {Connection} connection */
  show({ kind, word, detail }) {
    if (this.#root.dataset.kind !== kind) this.#mark.replaceChildren(...MARKS[kind]());
    this.#root.dataset.kind = kind;
    setText(this.#word, word);
    setText(this.#detail, detail);
  }
}
