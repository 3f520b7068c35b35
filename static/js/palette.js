/** The tokens, resolved for the canvas under the theme that holds now; it needs them opaque. */

/** @import { Palette, Token } from "./types.js" */

const TOKENS = /** @type {const} */ ([
  "screen",
  "line",
  "outline",
  "grid",
  "ink",
  "ink2",
  "ink3",
  "up",
  "down",
  "warn",
  "accent",
  "raised",
]);

/** @param {HTMLElement} root where the tokens hold @returns {Palette} */
export function readPalette(root) {
  // A custom property reads as written; only a real property resolves light-dark().
  const probe = document.createElement("i");
  root.append(probe);
  const entries = TOKENS.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  const font = getComputedStyle(probe).fontFamily;
  probe.remove();
  const tokens = /** @type {Record<Token, string>} */ (Object.fromEntries(entries));
  return {
    ...tokens,
    font,
    crosshair: fade(tokens.ink3, 0.65),
    faint: mix(tokens.ink, tokens.screen, 0.07),
    bars: {
      up: barColours(tokens.up, tokens.screen),
      down: barColours(tokens.down, tokens.screen),
    },
    revised: barColours(tokens.ink, tokens.screen).final,
  };
}

/**
 * Solid is final, outlined is not yet; opaque, so that the grid does not shine through.
 * @param {string} hue
 * @param {string} screen
 */
function barColours(hue, screen) {
  return {
    final: { body: hue, edge: hue, volume: mix(hue, screen, 0.7) },
    open: {
      body: mix(hue, screen, 0.18),
      edge: mix(hue, screen, 0.76),
      volume: mix(hue, screen, 0.3),
    },
  };
}

/** @param {string} css as computed styles give it: `rgb(1, 2, 3)` @returns {[number, number, number]} */
export function parseRgb(css) {
  const [red = 0, green = 0, blue = 0] = css.match(/[\d.]+/g)?.map(Number) ?? [];
  return [red, green, blue];
}

/**
 * `share` of the first over the second, as one opaque colour.
 * @param {string} top
 * @param {string} ground
 * @param {number} share 0…1
 */
export function mix(top, ground, share) {
  const below = parseRgb(ground);
  const parts = parseRgb(top).map((value, index) =>
    Math.round(value * share + below[index] * (1 - share)),
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
