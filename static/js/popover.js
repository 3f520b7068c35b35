/** What opens below a button: placed within the window, closed by the browser. */

const MARGIN = 8;

/**
 * @param {HTMLElement} opener
 * @param {HTMLElement} popover not in the page yet
 * @param {() => void} fill before it opens
 */
export function bindPopover(opener, popover, fill) {
  popover.popover = "auto";
  document.body.append(popover);
  opener.setAttribute("aria-expanded", "false");
  // As its invoker the button also closes it instead of opening it again.
  /** @type {HTMLButtonElement} */ (opener).popoverTargetElement = popover;
  popover.addEventListener("beforetoggle", (event) => {
    const isOpening = event.newState === "open";
    opener.setAttribute("aria-expanded", String(isOpening));
    if (isOpening) fill();
  });
  popover.addEventListener("toggle", (event) => {
    if (event.newState === "open") place(popover, opener);
  });
}

/**
 * Below its button, as far as the window has room; then focused where it is marked, or first.
 * @param {HTMLElement} popover
 * @param {HTMLElement} opener
 */
export function place(popover, opener) {
  const { left, bottom } = opener.getBoundingClientRect();
  const widest = innerWidth - popover.offsetWidth - MARGIN;
  popover.style.setProperty("--menu-x", `${Math.max(MARGIN, Math.min(left, widest))}px`);
  popover.style.setProperty("--menu-y", `${bottom + 4}px`);
  /** @type {HTMLElement | null} */ (
    popover.querySelector("[aria-checked=true]") ?? popover.querySelector("button, input")
  )?.focus();
}
