/** What is open: sides that fold away, and on small screens one tab at a time. */

import { remember } from "./settings.js";

/** @import { Side } from "./types.js" */

const root = document.documentElement;
/** The widths at which a side is open unless it was folded by hand. */
const ROOM = { left: matchMedia("(min-width: 900px)"), right: matchMedia("(min-width: 1200px)") };

/** @param {HTMLElement} tapeToggle */
export function createFolds(tapeToggle) {
  const say = () => tapeToggle.setAttribute("aria-expanded", String(isOpen("right")));

  /** @param {Side} side */
  const isOpen = (side) => root.dataset[side] !== "folded";

  /**
   * @param {Side} side
   * @param {boolean} open
   */
  const set = (side, open) => {
    root.dataset[side] = open ? "open" : "folded";
    say();
  };

  /** @param {Side} side */
  const toggle = (side) => {
    set(side, !isOpen(side));
    // Where there is no room, open is a passing state.
    if (ROOM[side].matches) remember(side, root.dataset[side] ?? null);
  };

  for (const side of /** @type {const} */ (["left", "right"])) {
    ROOM[side].addEventListener("change", ({ matches }) => set(side, matches));
  }
  tapeToggle.addEventListener("click", () => toggle("right"));
  say();
  return {
    toggle,
    open: (/** @type {Side} */ side) => set(side, true),
    /** A list that lies over the chart makes way once a market is chosen. */
    closeOverlay: () => ROOM.left.matches || set("left", false),
  };
}

/**
 * On small screens one view at a time; the tabs choose it.
 * @param {HTMLElement} root
 * @param {(name: string) => void} onShow
 */
export function bindTabs(root, onShow) {
  const buttons = [...root.querySelectorAll("button")];
  /** @param {string} name */
  const show = (name) => {
    document.body.dataset.tab = name;
    for (const node of buttons) {
      if (node.dataset.tab === name) node.setAttribute("aria-current", "page");
      else node.removeAttribute("aria-current");
    }
  };
  root.addEventListener("click", ({ target }) => {
    const name = target instanceof Element && target.closest("button")?.dataset.tab;
    if (!name) return;
    show(name);
    onShow(name);
  });
  return { show };
}
