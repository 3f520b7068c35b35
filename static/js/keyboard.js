/** Keys for the whole page; a field that is being typed in keeps its own. */

import { button, element, icon } from "./element.js";
import { FAVOURITES } from "./intervals.js";

/** @import { KeyActions } from "./types.js" */

const KEYS = /** @type {const} */ ([
  [["/", "a–z"], "search markets"],
  [["1–7"], `interval: ${FAVOURITES.join(", ")}`],
  [["[", "]"], "fold the market list, the trades"],
  [["←", "→"], "on the chart: walk the bars"],
  [["Home", "End"], "on the chart: oldest bar in sight, newest bar"],
  [["Esc", "?"], "leave what is open, show this"],
]);

/** @param {KeyActions} actions */
export function bindKeyboard(actions) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isBusy(event.target)) return;
    if (act(event.key, actions)) event.preventDefault();
  });
}

/**
 * @param {string} key
 * @param {KeyActions} actions
 */
function act(key, actions) {
  if (key === "/") actions.search("");
  else if (key === "[") actions.fold("left");
  else if (key === "]") actions.fold("right");
  else if (key === "?") actions.help();
  else if (/^[1-9]$/.test(key)) actions.favourite(Number(key) - 1);
  else if (/^\p{L}$/u.test(key)) actions.search(key);
  else return false;
  return true;
}

/** Typing, an open menu and an open dialog have their own keys. @param {EventTarget | null} target */
function isBusy(target) {
  return target instanceof Element && target.closest("input, dialog, [role=menu]") !== null;
}

/** The keys, in a dialog. @param {HTMLElement} opener */
export function createHelp(opener) {
  const close = button("", () => dialog.close(), "tool icon-only");
  close.append(icon("close"));
  close.setAttribute("aria-label", "Close");
  const list = element("dl");
  for (const [keys, words] of KEYS) {
    const caps = keys.map((key) => element("kbd", "", key));
    list.append(element("dt", "", ...caps), element("dd", "", words));
  }
  const head = element("div", "help-head", element("h2", "", "Keys"), close);
  const dialog = element("dialog", "help", head, list);
  dialog.setAttribute("aria-label", "Keys");
  document.body.append(dialog);
  const open = () => dialog.showModal();
  opener.addEventListener("click", open);
  return { open };
}
