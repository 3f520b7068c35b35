/** The frame's snippet, built from what the reader wants of it. */

import { copyButton } from "./copying.js";
import { element } from "./element.js";

/** @import { Snippet } from "./types.js" */

const THEMES = ["system", "dark", "light"];

/**
 * @param {string} server
 * @param {string} symbol
 * @param {string} interval
 */
export function frameBuilder(server, symbol, interval) {
  const width = sizeField("Width", "800");
  const height = sizeField("Height", "450");
  const theme = element("select", "field");
  theme.setAttribute("aria-label", "Theme");
  for (const name of THEMES) theme.append(element("option", "", name));
  const code = element("pre", "code");
  code.tabIndex = 0;
  const address = () => embedAddress(server, { symbol, interval, theme: theme.value });
  const write = () => {
    const parts = frameCode(address(), width.value, height.value);
    code.replaceChildren(...parts.map(([text, isOwn]) => (isOwn ? element("b", "", text) : text)));
  };
  for (const field of [width, height, theme]) field.addEventListener("input", write);
  write();
  const head = element("div", "snippet-head", element("h3", "", "Frame"));
  head.append(
    element("span", "snippet-hint", "/embed"),
    copyButton("frame", () => code.textContent ?? ""),
  );
  const choice = element("div", "frame-choice", width, "×", height, theme);
  return element("section", "snippet", head, choice, code);
}

/**
 * @param {string} label
 * @param {string} value
 */
function sizeField(label, value) {
  const field = element("input", "field");
  field.type = "number";
  field.min = "160";
  field.max = "4000";
  field.value = value;
  field.setAttribute("aria-label", label);
  return field;
}

/**
 * @param {string} server
 * @param {{symbol: string, interval: string, theme: string}} look
 */
export function embedAddress(server, { symbol, interval, theme }) {
  const params = new URLSearchParams({ symbol, interval });
  if (theme !== "system") params.set("theme", theme);
  return `${server}/embed?${params.toString().replaceAll("%2F", "/")}`;
}

/**
 * @param {string} address
 * @param {string} width
 * @param {string} height
 * @returns {Snippet["code"]}
 */
export function frameCode(address, width, height) {
  return [
    [`<iframe width="${Number(width) || 800}" height="${Number(height) || 450}"\n  src="`],
    [address.replaceAll("&", "&amp;"), true],
    ['">\n</iframe>'],
  ];
}
