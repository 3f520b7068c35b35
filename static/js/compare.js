/** Another market over this one, both in percent of where they stand at the left edge. */

import { alignCloses } from "./alignment.js";
import { byId, element, setText, svg } from "./element.js";
import { Feed } from "./feed.js";
import { LineSeries, LineStyle } from "./library.js";
import { decimalsOf } from "./market-row.js";
import { priceText } from "./price.js";
import { candleStream } from "./protocol.js";

/** @import { UTCTimestamp } from "./library.js" */

/** @import { Companion, DashboardParts, Layer, Market, Subject } from "./types.js" */

const SHAPE = {
  baseLineVisible: false,
  lastValueVisible: false,
  priceLineVisible: false,
  crosshairMarkerVisible: false,
};
const WIDTH = /** @type {const} */ (2);

/**
 * @implements {Companion}
 * @implements {Layer}
 */
export class Compare {
  #parts;
  #market;
  #feed;
  #series;
  #price = element("b");
  #legend;
  /** @type {Subject | null} */
  #subject = null;
  /** @type {(number | null)[]} */
  #closes = [];

  /**
   * @param {DashboardParts} parts
   * @param {Market} market
   */
  constructor(parts, market) {
    this.#parts = parts;
    this.#market = market;
    const redraw = () => this.#subject && this.draw(this.#subject, 0);
    this.#feed = new Feed({ api: parts.api, onBar: redraw, onReset: redraw });
    this.#series = parts.chart.chart.addSeries(LineSeries, { ...SHAPE, lineWidth: WIDTH }, 0);
    const key = svg("svg", { class: "study-key", viewBox: "0 0 14 2", "aria-hidden": "true" });
    key.append(svg("path", { d: "M0 1h14", class: "key-ink" }));
    this.#legend = element("p", "study", key, element("span", "", market.symbol), this.#price);
    byId("legend-rows").append(this.#legend);
    this.recolour();
    parts.chart.setScale("percent");
    parts.session.join(this);
    parts.chart.layers.add(this);
    void this.opened();
  }

  get symbol() {
    return this.#market.symbol;
  }

  streams() {
    return [candleStream(this.#market.symbol, this.#parts.session.feed.interval)];
  }

  /** @param {import("./types.js").StreamEvent} event */
  received(event) {
    if (event.type === "candle") this.#feed.receive(event);
    else if (event.type === "reset") void this.#feed.revise(event);
  }

  async opened() {
    const { interval, store } = this.#parts.session.feed;
    const from = store.first?.time ?? this.#parts.now_s();
    const isThere = await this.#feed.open(this.#market.symbol, interval, from).catch(() => false);
    if (isThere && this.#subject) this.draw(this.#subject, 0);
    if (!isThere) setText(this.#price, "did not load");
  }

  async grown() {
    const first = this.#parts.session.feed.store.first?.time ?? 0;
    while ((this.#feed.store.first?.time ?? 0) > first) {
      if (!(await this.#feed.older().catch(() => 0))) return;
    }
  }

  async missed() {
    await this.#feed.catchUp();
  }

  /**
   * A line has as many places as there are bars, whenever the other market traded.
   * @param {Subject} subject
   * @param {number} _from
   */
  draw(subject, _from) {
    this.#subject = subject;
    const bars = subject.store.all;
    this.#closes = alignCloses(bars, this.#feed.store.all);
    this.#series.setData(
      bars.map(({ time }, index) => {
        const value = this.#closes[index];
        const at = /** @type {UTCTimestamp} */ (time);
        return value === null ? { time: at } : { time: at, value };
      }),
    );
    setText(this.#price, priceText(this.#closes.at(-1) ?? undefined, decimalsOf(this.#market)));
  }

  recolour() {
    const { ink } = this.#parts.chart.palette;
    this.#series.applyOptions({ color: ink, lineStyle: LineStyle.Solid });
  }

  remove() {
    const { chart, session, settings, figures } = this.#parts;
    session.leave(this);
    this.#feed.close();
    chart.layers.remove(this);
    chart.chart.removeSeries(this.#series);
    this.#legend.remove();
    chart.setScale(settings.value.scale);
    figures.layOut();
  }
}
