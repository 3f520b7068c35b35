/**
 * Measuring: from one place of the chart to another. What it comes to stands where the legend is,
 * so that nothing lies over the bars but the measure itself.
 */

import { byId, element, setText } from "./element.js";
import { formatChange, formatPercent } from "./numbers.js";
import { direction } from "./price.js";
import { formatDuration } from "./times.js";
import { timeAt } from "./viewport.js";

/** @import { DashboardParts, Draw, Measured } from "./types.js" */

export class Measure {
  #parts;
  #opener;
  #root = byId("chart-canvas");
  #words = element("p", "legend measure-words");
  #isArmed = false;
  /** @type {{from: Point, to: Point} | null} in bar numbers and prices, so that it moves with them */
  #span = null;
  #isDragging = false;

  /**
   * @param {DashboardParts} parts
   * @param {HTMLElement} opener
   */
  constructor(parts, opener) {
    this.#parts = parts;
    this.#opener = opener;
    this.#words.hidden = true;
    this.#words.setAttribute("role", "status");
    byId("legend").after(this.#words);
    parts.chart.overlay.add(this.#draw, "top");
    const root = this.#root;
    root.addEventListener("pointerdown", (event) => this.#down(event), { capture: true });
    root.addEventListener("pointermove", (event) => this.#move(event), { capture: true });
    addEventListener("pointerup", () => this.#up());
    addEventListener("keydown", ({ key }) => key === "Escape" && this.clear());
  }

  /** The next drag measures. */
  toggle() {
    this.#arm(!this.#isArmed);
    if (!this.#isArmed) this.clear();
  }

  /** @param {boolean} isArmed */
  #arm(isArmed) {
    this.#isArmed = isArmed;
    this.#opener.setAttribute("aria-pressed", String(isArmed));
    this.#root.toggleAttribute("data-measuring", isArmed);
    this.#parts.chart.chart.applyOptions({ handleScroll: !isArmed, handleScale: !isArmed });
  }

  clear() {
    if (!this.#span && !this.#isArmed) return;
    this.#span = null;
    this.#words.hidden = true;
    this.#arm(false);
    this.#parts.chart.overlay.redraw();
    this.#parts.figures.layOut();
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (!this.#isArmed && !event.shiftKey) return this.#span && this.clear();
    if (!this.#isArmed) this.#arm(true);
    const at = this.#at(event);
    if (!at) return;
    this.#isDragging = true;
    this.#span = { from: at, to: at };
    event.preventDefault();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const at = this.#isDragging ? this.#at(event) : null;
    if (!at || !this.#span) return;
    this.#span.to = at;
    this.#say();
    this.#parts.chart.overlay.redraw();
  }

  #up() {
    if (!this.#isDragging) return;
    this.#isDragging = false;
    this.#arm(false);
    this.#parts.figures.layOut();
  }

  /** @param {PointerEvent} event @returns {Point | null} */
  #at({ clientX, clientY }) {
    const { left, top } = this.#root.getBoundingClientRect();
    const { chart, main } = this.#parts.chart;
    const logical = chart.timeScale().coordinateToLogical(clientX - left);
    const price = main.coordinateToPrice(clientY - top);
    return logical === null || price === null ? null : { logical, price };
  }

  #say() {
    const { subject } = this.#parts.session;
    const bars = subject.store.all;
    if (!this.#span || !bars.length) return;
    const measured = measure(this.#span, (logical) =>
      timeAt(bars, logical, this.#parts.session.feed.step_s),
    );
    const change = formatChange(measured.change, subject.decimals);
    this.#words.className = `legend measure-words ${direction(measured.change)}`;
    setText(
      this.#words,
      `${change} (${formatPercent(measured.percent)}) in ${measured.bars} bars, ${formatDuration(measured.seconds)}`,
    );
    this.#words.hidden = false;
  }

  /** @type {Draw} */
  #draw = (context, { palette }, { xOf, yOf }) => {
    if (!this.#span) return;
    const { from, to } = this.#span;
    const [x1, x2] = [xOf(from.logical), xOf(to.logical)];
    const [y1, y2] = [yOf(from.price), yOf(to.price)];
    if (x1 === null || x2 === null || y1 === null || y2 === null) return;
    context.strokeStyle = palette.ink;
    context.lineWidth = 1;
    context.setLineDash([4, 3]);
    context.strokeRect(
      Math.round(Math.min(x1, x2)) + 0.5,
      Math.round(Math.min(y1, y2)) + 0.5,
      Math.round(Math.abs(x2 - x1)),
      Math.round(Math.abs(y2 - y1)),
    );
    context.setLineDash([]);
  };
}

/** @typedef {{logical: number, price: number}} Point */

/**
 * @param {{from: Point, to: Point}} span
 * @param {(logical: number) => number} timeOf
 * @returns {Measured}
 */
export function measure({ from, to }, timeOf) {
  const change = to.price - from.price;
  const [first, last] = [Math.round(from.logical), Math.round(to.logical)];
  return {
    change,
    percent: from.price ? (change / from.price) * 100 : 0,
    bars: Math.abs(last - first),
    seconds: Math.abs(timeOf(last) - timeOf(first)),
  };
}
