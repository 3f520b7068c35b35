/** Copying: a button in a heading that says for a moment that it has. */

import { button, icon } from "./element.js";

const COPIED_MS = 1600;

/**
 * @param {string} what for the ear
 * @param {() => string} textOf
 */
export function copyButton(what, textOf) {
  const label = document.createElement("span");
  const node = button("", () => void copy(), "tool copy");
  const show = (/** @type {string} */ name, /** @type {string} */ words) => {
    label.textContent = words;
    node.replaceChildren(icon(name), label);
  };
  const copy = async () => {
    const isDone = await copied(textOf());
    show(isDone ? "check" : "warn", isDone ? "Copied" : "Refused");
    setTimeout(() => show("copy", "Copy"), COPIED_MS);
  };
  node.setAttribute("aria-label", `Copy ${what}`);
  show("copy", "Copy");
  return node;
}

/** Plain http and some browsers have no clipboard. @param {string} text */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
