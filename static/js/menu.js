/** Menus that open below a button. The browser's popover closes them and returns the focus. */

import { element, icon } from "./element.js";

/** @import { MenuItem } from "./types.js" */

const MARGIN = 8;

/**
 * @param {HTMLElement} opener
 * @param {string} label
 * @param {() => (MenuItem | null)[]} itemsOf null draws a line
 */
export function bindMenu(opener, label, itemsOf) {
  const menu = element("div", "menu");
  menu.popover = "auto";
  menu.setAttribute("role", "menu");
  menu.setAttribute("aria-label", label);
  document.body.append(menu);
  opener.setAttribute("aria-haspopup", "menu");
  opener.setAttribute("aria-expanded", "false");
  // As its invoker the button also closes the menu instead of opening it again.
  /** @type {HTMLButtonElement} */ (opener).popoverTargetElement = menu;
  menu.addEventListener("beforetoggle", (event) => {
    const isOpening = event.newState === "open";
    opener.setAttribute("aria-expanded", String(isOpening));
    if (isOpening) menu.replaceChildren(...itemsOf().map((item) => itemNode(item, menu)));
  });
  menu.addEventListener("toggle", (event) => {
    if (event.newState === "open") openAt(menu, opener);
  });
  menu.addEventListener("keydown", (event) => walk(event, menu));
}

/**
 * @param {MenuItem | null} item
 * @param {HTMLElement} menu
 */
function itemNode(item, menu) {
  if (!item) return element("hr");
  const hint = item.hint ? element("span", "menu-hint", item.hint) : null;
  const node = element("button", "", icon("check"), item.label, hint);
  node.type = "button";
  node.setAttribute("role", `menuitem${item.kind}`);
  node.setAttribute("aria-checked", String(item.isChecked()));
  node.addEventListener("click", () => {
    item.choose();
    menu.hidePopover();
  });
  return node;
}

/**
 * @param {HTMLElement} menu
 * @param {HTMLElement} opener
 */
function openAt(menu, opener) {
  const { left, bottom } = opener.getBoundingClientRect();
  const widest = innerWidth - menu.offsetWidth - MARGIN;
  menu.style.setProperty("--menu-x", `${Math.max(MARGIN, Math.min(left, widest))}px`);
  menu.style.setProperty("--menu-y", `${bottom + 4}px`);
  /** @type {HTMLElement | null} */ (
    menu.querySelector("[aria-checked=true]") ?? menu.querySelector("button")
  )?.focus();
}

/**
 * @param {KeyboardEvent} event
 * @param {HTMLElement} menu
 */
function walk(event, menu) {
  const items = [...menu.querySelectorAll("button")];
  const index = items.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
  const steps = /** @type {Record<string, number>} */ ({
    ArrowDown: index + 1,
    ArrowUp: index - 1,
    Home: 0,
    End: -1,
  });
  const next = steps[event.key];
  if (next === undefined) return;
  event.preventDefault();
  items.at(next % items.length)?.focus();
}
