/** The bars as a table, newest first, for reading and for screen readers. */

import { certainty } from "./candles.js";
import { button, byId, element } from "./element.js";
import { intervalSeconds } from "./intervals.js";
import { formatChange, formatCompact, formatCount } from "./numbers.js";
import { direction, showPrice } from "./price.js";
import { formatWhole, zoneName } from "./times.js";

/** @import { Candle, DashboardParts, Layer, Subject } from "./types.js" */

const PAGE = 100;
const HEADS = ["Time", "Open", "High", "Low", "Close", "Change", "Volume", "State"];
const TEXT = new Set(["Time", "State"]);

/** @implements {Layer} */
export class TableView {
  #parts;
  #root = byId("table-view");
  #opener;
  #body = element("tbody");
  #older = button("", () => this.#more(), "button");
  #shown = PAGE;
  /** @type {Subject | null} */
  #subject = null;

  /**
   * @param {DashboardParts} parts
   * @param {HTMLElement} opener
   */
  constructor(parts, opener) {
    this.#parts = parts;
    this.#opener = opener;
    const heads = HEADS.map((name) => {
      const head = element("th", TEXT.has(name) ? "text" : "", name);
      head.scope = "col";
      return head;
    });
    const caption = element("caption", "visually-hidden", "Bars, the newest first");
    const head = element("thead", "", element("tr", "", ...heads));
    this.#root.append(element("table", "data-table", caption, head, this.#body), this.#older);
  }

  toggle() {
    const isOpen = this.#root.hidden === true;
    this.#root.hidden = !isOpen;
    this.#opener.setAttribute("aria-pressed", String(isOpen));
    byId("chart").toggleAttribute("data-table", isOpen);
    if (!isOpen) return this.#parts.chart.layers.remove(this);
    this.#shown = PAGE;
    this.#parts.chart.layers.add(this);
    this.#root.focus();
  }

  /**
   * @param {Subject} subject
   * @param {number} from
   */
  draw(subject, from) {
    const isOther = this.#subject?.store !== subject.store || from === 0;
    this.#subject = subject;
    const { all } = subject.store;
    const rows = this.#body.rows;
    const newest = Number(rows[0]?.dataset.time);
    const fresh = all.length - 1 - from;
    // A forming bar is one row; reading on is not disturbed by drawing the others again.
    if (isOther || fresh > 3 || !(newest >= all[from]?.time)) return this.#drawAll();
    for (const bar of all.slice(from)) this.#place(bar);
    this.#sayRest();
  }

  /** @param {Candle} bar */
  #place(bar) {
    const rows = [...this.#body.rows];
    const known = rows.find((row) => row.dataset.time === String(bar.time));
    const row = this.#row(bar);
    if (known) known.replaceWith(row);
    else this.#body.prepend(row);
  }

  #drawAll() {
    const bars = this.#subject?.store.all.slice(-this.#shown) ?? [];
    this.#body.replaceChildren(...bars.map((bar) => this.#row(bar)).reverse());
    this.#sayRest();
  }

  /** @param {Candle} bar */
  #row(bar) {
    const { store, interval, decimals } = /** @type {Subject} */ (this.#subject);
    const change = bar.close - (store.before(bar.time)?.close ?? bar.open);
    const prices = [bar.open, bar.high, bar.low, bar.close].map((value) => {
      const cell = element("td");
      showPrice(cell, value, decimals);
      return cell;
    });
    const row = element(
      "tr",
      "",
      element("th", "text", formatWhole(bar.time, intervalSeconds(interval))),
      ...prices,
      element("td", direction(change), formatChange(change, decimals)),
      element("td", "", formatCompact(bar.volume)),
      element("td", "text", certainty(bar, interval, this.#parts.now_s())),
    );
    row.cells[0].setAttribute("scope", "row");
    row.dataset.time = String(bar.time);
    return row;
  }

  #sayRest() {
    const all = this.#subject?.store.length ?? 0;
    const zone = zoneName(this.#parts.now_s());
    this.#root.setAttribute("aria-label", `Bars as a table, times in ${zone}`);
    const rest = all - this.#body.rows.length;
    this.#older.textContent =
      rest > 0 ? `Show older bars (${formatCount(rest)} are here)` : "Read older bars";
  }

  async #more() {
    const { session } = this.#parts;
    this.#shown += PAGE;
    if (this.#shown > session.feed.store.length) await session.readOlder({ from: 0 });
    this.#drawAll();
  }
}
