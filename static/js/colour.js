/** Colours for the canvas, which needs them opaque and resolved. */

/** @param {string} css as computed styles give it: `rgb(1, 2, 3)` @returns {[number, number, number]} */
export function parseRgb(css) {
  const found = css.match(/[\d.]+/g)?.map(Number) ?? [];
  return [found[0] ?? 0, found[1] ?? 0, found[2] ?? 0];
}

/**
 * `share` of the first over the second, as one opaque colour.
 * @param {string} top
 * @param {string} ground
 * @param {number} share 0…1
 */
export function mix(top, ground, share) {
  const above = parseRgb(top);
  const below = parseRgb(ground);
  const parts = above.map((value, index) =>
    Math.round(value * share + (below[index] ?? 0) * (1 - share)),
  );
  return `rgb(${parts.join(", ")})`;
}

/**
 * @param {string} css
 * @param {number} alpha
 */
export function fade(css, alpha) {
  return `rgba(${parseRgb(css).join(", ")}, ${alpha})`;
}
