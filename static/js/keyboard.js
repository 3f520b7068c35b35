/** Keys for the whole page; a field that is being typed in keeps its own. */

/** @import { KeyActions } from "./types.js" */

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
