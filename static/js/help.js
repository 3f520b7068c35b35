/** The keys, in a dialog. */

import { button, byId, element, icon } from "./element.js";
import { FAVOURITES } from "./intervals.js";

const KEYS = /** @type {const} */ ([
  [["/", "a–z"], "search markets"],
  [["1–7"], `interval: ${FAVOURITES.join(", ")}`],
  [["[", "]"], "fold the market list, the trades"],
  [["←", "→"], "on the chart: walk the bars"],
  [["Home", "End"], "on the chart: oldest bar in sight, newest bar"],
  [["Enter"], "on the chart: the trades of the bar"],
  [["Shift", "drag"], "on the chart: measure"],
  [["Esc", "?"], "leave what is open, show this"],
]);

/** @type {HTMLDialogElement | undefined} */
let dialog;

export function showHelp() {
  dialog ??= createDialog();
  if (!dialog.open) dialog.showModal();
}

function createDialog() {
  const close = button("", () => dialog?.close(), "tool icon-only");
  close.append(icon("close"));
  close.setAttribute("aria-label", "Close");
  const list = element("dl");
  for (const [keys, words] of KEYS) {
    const caps = keys.map((key) => element("kbd", "", key));
    list.append(element("dt", "", ...caps), element("dd", "", words));
  }
  const head = element("div", "help-head", element("h2", "", "Keys"), close);
  const version = element("p", "help-foot", `Version ${byId("help-button").dataset.version}`);
  const made = element("dialog", "help", head, list, version);
  made.setAttribute("aria-label", "Keys");
  document.body.append(made);
  return made;
}
