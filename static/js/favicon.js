/** The price in the tab: which way the day went, and as many digits as fit. */

/** @import { Market } from "./types.js" */

const SIZE = 64;
const EVERY_MS = 1000;

/**
 * As many characters as an icon can show: 2.4k, 98k, .812, 1.23µ has no place and is shown as 0.
 * @param {number} price
 */
export function shortPrice(price) {
  if (!Number.isFinite(price) || price <= 0) return "";
  if (price >= 1e6) return scaled(price / 1e6, "M");
  if (price >= 1e4) return scaled(price / 1e3, "k");
  if (price >= 100) return price.toFixed(0);
  if (price >= 10) return price.toFixed(1);
  if (price >= 1) return price.toFixed(2);
  if (price >= 0.001) return price.toFixed(3).slice(1);
  return "≈0";
}

/**
 * @param {number} value
 * @param {string} unit
 */
function scaled(value, unit) {
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 0 : 1)}${unit}`;
}

export class Favicon {
  #link = /** @type {HTMLLinkElement} */ (document.querySelector("link[rel=icon]"));
  #canvas = document.createElement("canvas");
  #shown = "";
  #drawnMs = -EVERY_MS;

  constructor() {
    this.#canvas.width = SIZE;
    this.#canvas.height = SIZE;
  }

  /**
   * @param {number} price
   * @param {Market | undefined} market
   */
  show(price, market) {
    const change = market?.price_change_percent_24h ?? 0;
    const key = `${shortPrice(price)} ${Math.sign(change)}`;
    if (key === this.#shown || performance.now() - this.#drawnMs < EVERY_MS) return;
    this.#shown = key;
    this.#drawnMs = performance.now();
    this.#draw(shortPrice(price), change);
    this.#link.type = "image/png";
    this.#link.href = this.#canvas.toDataURL("image/png");
  }

  /**
   * @param {string} text
   * @param {number} change
   */
  #draw(text, change) {
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    const style = getComputedStyle(document.documentElement);
    const [plate, ink] = [style.backgroundColor, style.color];
    context.fillStyle = plate;
    context.fillRect(0, 0, SIZE, SIZE);
    context.fillStyle = change === 0 ? ink : colourOf(change > 0 ? "up" : "down");
    drawDirection(context, change);
    context.fillStyle = ink;
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    context.font = `600 30px ${style.fontFamily}`;
    context.fillText(text, SIZE / 2, SIZE - 6, SIZE - 2);
  }
}

/** @param {string} token */
function colourOf(token) {
  const probe = document.createElement("i");
  probe.className = token;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} change
 */
function drawDirection(context, change) {
  const [tip, foot] = change >= 0 ? [4, 26] : [26, 4];
  context.beginPath();
  if (change === 0) context.rect(14, 12, 36, 6);
  else {
    context.moveTo(32, tip);
    context.lineTo(50, foot);
    context.lineTo(14, foot);
  }
  context.closePath();
  context.fill();
}
