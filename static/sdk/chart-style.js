/** How `<appliance-chart>` looks. Pages set the `--chart-…` properties and the element's size. */

/** What a page may set, and what holds if it does not: light, dark. */
const COLOURS = {
  screen: ["#fdfcfa", "#0d1011"],
  raised: ["#ffffff", "#1e2324"],
  line: ["#dddbd3", "#272d2e"],
  outline: ["#a9a79d", "#454e4f"],
  grid: ["#f2f1ec", "#161a1b"],
  ink: ["#171a1a", "#eceae3"],
  ink2: ["#515857", "#a6adaa"],
  ink3: ["#646b69", "#858d8b"],
  up: ["#08786a", "#3fbfa6"],
  down: ["#b3301f", "#e0614e"],
  warn: ["#8a5200", "#f2b45a"],
  error: ["#b3261e", "#ff7a6b"],
};
const COLOUR_BLIND = { up: ["#1b62ae", "#5aa9f0"], down: ["#b04a12", "#e87b35"] };

/** @param {Record<string, string[]>} colours */
function tokens(colours) {
  return Object.entries(colours)
    .map(([name, [light, dark]]) => `--${name}:var(--chart-${name},light-dark(${light},${dark}));`)
    .join("");
}

const RULES = `
:host {
  ${tokens(COLOURS)}
  --accent: var(--chart-accent, var(--ink));
  display: block;
  height: 400px;
  min-width: 160px;
  contain: content;
  font: 400 12px/20px var(--chart-font, "IBM Plex Sans Variable", system-ui, sans-serif);
  color: var(--ink2);
  background: var(--screen);
}
:host([hidden]) { display: none; }
:host([theme="dark"]) { color-scheme: dark; }
:host([theme="light"]) { color-scheme: light; }
:host([theme="system"]) { color-scheme: light dark; }
:host([palette="colourblind"]) { ${tokens(COLOUR_BLIND)} }
* { box-sizing: border-box; margin: 0; }
.frame { display: grid; grid-template-rows: auto auto 1fr auto; height: 100%; overflow: hidden; }
.head, .legend, .foot { display: flex; column-gap: 13px; padding: 0 16px; white-space: nowrap; overflow: hidden; }
.head { align-items: baseline; height: 32px; padding-top: 8px; font-size: 15px; line-height: 24px; color: var(--ink); }
.head .symbol { font-weight: 600; overflow: hidden; text-overflow: ellipsis; }
.head .interval, .head .change { font-size: 12px; }
.head .interval { color: var(--ink2); }
.legend { flex-wrap: wrap; height: 20px; margin-bottom: 4px; }
.legend .words { display: contents; }
.legend span { line-height: 20px; }
.legend b { margin-left: 5px; font-weight: 400; color: var(--ink); }
:is(.symbol, .price, .change, .interval):empty { display: none; }
.frame:not([data-state="ready"]) .legend { visibility: hidden; }
.up { color: var(--up); }
.down { color: var(--down); }
.tag { padding: 0 4px; border: 1px solid var(--outline); border-radius: 3px; font-size: 11px; }
.legend .tag { align-self: center; line-height: 15px; }
.tag:is([data-certainty="forming"], [data-certainty="provisional"]) { border-style: dashed; }
.body { position: relative; min-height: 0; }
.canvas { position: absolute; inset: 0; }
.canvas:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
.state { position: absolute; inset: 0; z-index: 4; display: flex; align-items: center; justify-content: center; padding: 16px; background: var(--screen); }
.state[hidden] { display: none; }
.state > div { max-width: 440px; overflow-wrap: anywhere; }
.state .title { font-size: 13px; font-weight: 600; line-height: 20px; color: var(--ink); }
.state[data-kind="error"] .title { color: var(--error); }
.state[data-kind="loading"] > div { animation: appear 1ms 150ms both; }
@keyframes appear { from { visibility: hidden; } }
button { height: 28px; margin-top: 12px; padding: 0 10px; border: 1px solid var(--outline); border-radius: 4px; background: none; color: var(--ink); font: inherit; cursor: pointer; }
button:hover { background: var(--raised); }
button:focus-visible, a:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
.foot { height: 24px; align-items: center; justify-content: space-between; border-top: 1px solid var(--line); font-size: 11px; line-height: 16px; }
.foot a { color: inherit; }
.status[data-kind="stale"] { color: var(--warn); }
.status b { font-weight: 400; color: var(--ink); }
.status[data-kind="stale"] b { color: inherit; }
.probe { position: absolute; visibility: hidden; color: var(--up); background: var(--screen); border-color: var(--ink); outline-color: var(--down); transition: color 1ms, background-color 1ms, border-color 1ms, outline-color 1ms; }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (pointer: coarse) { button { height: 44px; } }
`;

/** @type {CSSStyleSheet | undefined} */
let sheet;

/** One sheet for all charts of a page. No policy of a page refuses it, as it is no inline style. */
export function chartSheet() {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(RULES);
  }
  return sheet;
}

/** @type {Promise<unknown> | undefined} */
let font;

/**
 * The dashboard's font, which a shadow tree cannot declare. Of a page whose policy forbids it, or
 * that brings its own, the text shows in another.
 * @param {string} home
 */
export function loadFont(home) {
  if (!font) {
    const source = `url("${home}static/vendor/ibm-plex-sans.woff2") format("woff2")`;
    const face = new FontFace("IBM Plex Sans Variable", source, { weight: "100 700" });
    document.fonts.add(face);
    font = face.load().catch(() => null);
  }
  return font;
}
