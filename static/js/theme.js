/** Theme and palette: chosen here, remembered, applied before the first paint by early.js. */

import { bindMenu } from "./menu.js";
import { remember } from "./settings.js";

const THEMES = /** @type {const} */ ([
  ["dark", "Dark"],
  ["light", "Light"],
  ["system", "As the system"],
]);

const root = document.documentElement;

/**
 * @param {HTMLElement} opener
 * @param {() => void} onChange colours have changed
 */
export function bindTheme(opener, onChange) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", onChange);
  bindMenu(opener, "Theme and colours", () => [
    ...THEMES.map(([name, label]) => ({
      label,
      kind: /** @type {const} */ ("radio"),
      isChecked: () => (root.dataset.theme ?? "system") === name,
      choose: () => {
        set("theme", name === "system" ? null : name);
        onChange();
      },
    })),
    null,
    {
      label: "Colour-blind palette",
      kind: "checkbox",
      isChecked: () => root.dataset.palette === "colourblind",
      choose: () => {
        set("palette", root.dataset.palette ? null : "colourblind");
        onChange();
      },
    },
  ]);
}

/**
 * @param {"theme" | "palette"} name
 * @param {string | null} value
 */
function set(name, value) {
  if (value === null) delete root.dataset[name];
  else root.dataset[name] = value;
  remember(name, value);
}
