/** Log and percent: each button turns its scale on, and off again. */

/** @import { ScaleMode } from "./types.js" */

/**
 * @param {HTMLElement} root
 * @param {ScaleMode} first
 * @param {(mode: ScaleMode) => void} onChange
 */
export function bindScaleModes(root, first, onChange) {
  const buttons = [...root.querySelectorAll("button")];
  for (const node of buttons)
    node.setAttribute("aria-pressed", String(node.dataset.mode === first));
  root.addEventListener("click", ({ target }) => {
    const pressed = buttons.find((node) => node.contains(/** @type {Node} */ (target)));
    if (!pressed) return;
    const isOn = pressed.getAttribute("aria-pressed") !== "true";
    for (const node of buttons) node.setAttribute("aria-pressed", String(isOn && node === pressed));
    onChange(isOn ? /** @type {ScaleMode} */ (pressed.dataset.mode) : "normal");
  });
}
