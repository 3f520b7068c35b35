/** Choosing the kind of bars: the button says which one it is. */

import { byId } from "./element.js";
import { bindMenu } from "./menu.js";

/** @import { BarTypeName, DashboardParts } from "./types.js" */

/** @type {[BarTypeName, string][]} */
const NAMES = [
  ["candles", "Candles"],
  ["bars", "Bars"],
  ["heikin-ashi", "Heikin-Ashi"],
  ["line", "Line"],
  ["area", "Area"],
  ["baseline", "Baseline"],
];

/**
 * @param {HTMLElement} opener
 * @param {Pick<DashboardParts, "chart" | "settings">} parts
 */
export function bindTypeMenu(opener, { chart, settings }) {
  const say = () => {
    const name = NAMES.find(([name]) => name === settings.value.type)?.[1] ?? "";
    byId("type-name").textContent = name;
    opener.setAttribute("aria-label", `Kind of bars: ${name}`);
  };
  /** @param {BarTypeName} name */
  const choose = async (name) => {
    settings.set({ type: name });
    say();
    const { BAR_TYPES } = await import("./chart-types.js");
    chart.setType(BAR_TYPES[name]);
  };
  bindMenu(opener, "Kind of bars", () =>
    NAMES.map(([name, label]) => ({
      label,
      kind: /** @type {const} */ ("radio"),
      isChecked: () => name === settings.value.type,
      choose: () => void choose(name),
    })),
  );
  say();
}
