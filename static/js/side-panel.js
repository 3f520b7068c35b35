/**
 * The panel that takes the tape's place: the integrator's, and the trades of a bar. On small
 * screens it is a view of its own.
 */

import { button, byId, element, icon } from "./element.js";

/** @import { Child } from "./types.js" */

const root = document.documentElement;

export class SidePanel {
  #root = byId("panel");
  #title = element("h2", "panel-title");
  #subtitle = element("p", "panel-subtitle");
  #body = element("div", "panel-body");
  #onClose = () => {};
  /** @type {HTMLElement | null} */
  #returnTo = null;

  constructor() {
    const close = button("", () => this.close(), "tool icon-only");
    close.append(icon("close"));
    close.setAttribute("aria-label", "Close");
    const head = element(
      "div",
      "panel-head",
      element("div", "", this.#title, this.#subtitle),
      close,
    );
    this.#body.tabIndex = 0;
    this.#root.append(head, this.#body);
    this.#root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  /** What is open, "" when nothing is. */
  get name() {
    return root.dataset.panel ?? "";
  }

  /**
   * @param {string} name
   * @param {{title: string, subtitle: string, content: Child[], onClose?: () => void}} what
   */
  open(name, { title, subtitle, content, onClose }) {
    if (this.name !== name) this.#onClose();
    this.#onClose = onClose ?? (() => {});
    this.#title.textContent = title;
    this.#subtitle.textContent = subtitle;
    this.fill(...content);
    if (!this.name) {
      this.#returnTo = /** @type {HTMLElement | null} */ (document.activeElement);
    }
    root.dataset.panel = name;
    this.#mark();
    this.#root.hidden = false;
    this.#root.setAttribute("aria-label", title);
  }

  #mark() {
    byId("integrate-button").setAttribute("aria-expanded", String(this.name === "integrate"));
  }

  /** @param {string} text */
  say(text) {
    this.#subtitle.textContent = text;
  }

  /** @param {...Child} content */
  fill(...content) {
    this.#body.replaceChildren(
      ...content.filter((child) => child !== null && child !== undefined && child !== false),
    );
    this.#body.scrollTop = 0;
  }

  focus() {
    this.#body.focus();
  }

  close() {
    if (!this.name) return;
    delete root.dataset.panel;
    this.#mark();
    this.#root.hidden = true;
    this.#body.replaceChildren();
    this.#onClose();
    this.#onClose = () => {};
    this.#returnTo?.focus();
    dispatchEvent(new Event("panelclose"));
  }
}

/** @type {SidePanel | undefined} */
let panel;

/** The one panel of the page. */
export function sidePanel() {
  panel ??= new SidePanel();
  return panel;
}
