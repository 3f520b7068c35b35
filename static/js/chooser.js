/** A dialog to choose one of many by typing: a market to compare with, a time zone. */

import { button, element, icon } from "./element.js";

/** @import { ChooserOptions } from "./types.js" */

const MOST = 50;
const PAUSE_MS = 120;

/** @param {ChooserOptions} options */
export function openChooser({ title, placeholder, find, choose }) {
  const input = element("input");
  input.type = "search";
  input.placeholder = placeholder;
  input.setAttribute("aria-label", placeholder);
  input.autocomplete = "off";
  const list = element("div", "chooser-rows");
  const dialog = element(
    "dialog",
    "chooser",
    element("label", "search", icon("search"), input),
    list,
  );
  dialog.setAttribute("aria-label", title);
  let asked = 0;
  const draw = async () => {
    const mine = ++asked;
    const found = await find(input.value.trim());
    if (mine !== asked) return;
    const rows = found.slice(0, MOST).map(({ label, hint, value }) => {
      const row = button("", () => pick(value), "popover-item");
      row.append(element("span", "study-name", label), element("span", "menu-hint", hint));
      return row;
    });
    list.replaceChildren(
      ...(rows.length ? rows : [element("p", "popover-none", `Nothing matches “${input.value}”.`)]),
    );
  };
  const pick = (/** @type {string} */ value) => {
    dialog.close();
    choose(value);
  };
  let timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(draw, PAUSE_MS);
  });
  dialog.addEventListener("keydown", (event) => walk(event, input, list));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  void draw();
}

/**
 * @param {KeyboardEvent} event
 * @param {HTMLInputElement} input
 * @param {HTMLElement} list
 */
function walk(event, input, list) {
  const rows = [...list.querySelectorAll("button")];
  const index = rows.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
  if (event.key === "ArrowDown") rows[Math.min(rows.length - 1, index + 1)]?.focus();
  else if (event.key === "ArrowUp") (rows[index - 1] ?? input).focus();
  else if (event.key === "Enter" && index < 0) rows[0]?.click();
  else return;
  event.preventDefault();
}
