/** On small screens one view at a time; the tabs choose it. */

/** @param {HTMLElement} root */
export function bindTabs(root) {
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
    if (name) show(name);
  });
  return { show };
}
