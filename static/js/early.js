// Runs before the first paint, as a classic script: remembered choices must not flash.
// A browser that refuses storage gets the defaults.
(() => {
  const root = document.documentElement;
  /** @param {string} key */
  const remembered = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  // The page around a frame decides how it looks.
  if ("embed" in root.dataset) return;
  const theme = remembered("theme");
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  if (remembered("palette") === "colourblind") root.dataset.palette = "colourblind";
  const isNarrow = innerWidth < 900;
  root.dataset.left = isNarrow ? "folded" : (remembered("left") ?? "open");
  root.dataset.right = innerWidth < 1200 ? "folded" : (remembered("right") ?? "open");
})();
