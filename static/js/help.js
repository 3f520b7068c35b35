/** The keys, in a dialog. */

import { button, element, icon } from "./element.js";
import { FAVOURITES } from "./intervals.js";

const KEYS = /** @type {const} */ ([
  [["/", "a–z"], "search markets"],
  [["1–7"], `interval: ${FAVOURITES.join(", ")}`],
  [["[", "]"], "fold the market list, the trades"],
  [["←", "→"], "on the chart: walk the bars"],
  [["Home", "End"], "on the chart: oldest bar in sight, newest bar"],
  [["Esc", "?"], "leave what is open, show this"],
]);

/** @param {HTMLElement} opener */
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
