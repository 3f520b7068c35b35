/** Menus that open below a button. The browser's popover closes them and returns the focus. */

import { element, icon } from "./element.js";
import { bindPopover } from "./popover.js";

/** @import { MenuItem } from "./types.js" */

/**
 * @param {HTMLElement} opener
 * @param {string} label
 * @param {() => (MenuItem | null)[]} itemsOf null draws a line
 */
export function bindMenu(opener, label, itemsOf) {
  const menu = element("div", "menu");
  menu.setAttribute("role", "menu");
  menu.setAttribute("aria-label", label);
  opener.setAttribute("aria-haspopup", "menu");
  bindPopover(opener, menu, () => {
    menu.replaceChildren(...itemsOf().map((item) => itemNode(item, menu)));
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
  node.setAttribute("role", `menuitem${item.kind ?? ""}`);
  if (item.isChecked) node.setAttribute("aria-checked", String(item.isChecked()));
  node.addEventListener("click", () => {
    menu.hidePopover();
    item.choose();
  });
  return node;
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
