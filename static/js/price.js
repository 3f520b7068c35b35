/** A price as elements: folded zeros are a `<sub>`, and the title holds every digit. */

import { element } from "./element.js";
import { formatFullPrice, formatPrice, priceParts, UNKNOWN } from "./numbers.js";

/**
 * @param {HTMLElement} node
 * @param {number | undefined} value
 * @param {number} decimals
 */
export function showPrice(node, value, decimals) {
  if (value === undefined) {
    node.replaceChildren(UNKNOWN);
    return;
  }
  const { lead, zeros, rest } = priceParts(value, decimals);
  if (zeros) {
    node.replaceChildren(lead, element("sub", "", zeros), rest);
    node.title = formatFullPrice(value, decimals);
  } else if (node.childElementCount || node.textContent !== lead) {
    node.replaceChildren(lead);
    node.removeAttribute("title");
  }
}

/**
 * A price where only text fits.
 * @param {number | undefined} value
 * @param {number} decimals
 */
export function priceText(value, decimals) {
  return value === undefined ? UNKNOWN : formatPrice(value, decimals);
}

/** A percentage that reads 0.00 has no colour either. @param {number | undefined} percent */
export function percentTone(percent) {
  return direction(percent === undefined ? undefined : Number(percent.toFixed(2)));
}

/** The class that colours a change. @param {number | undefined} change */
export function direction(change) {
  if (!change) return "";
  return change > 0 ? "up" : "down";
}
