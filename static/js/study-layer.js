/** One indicator on the chart: its lines, on the price or in a pane of its own, and its legend. */

import { lowerBound } from "./candles.js";
import { priceFormat } from "./chart-options.js";
import { element, svg } from "./element.js";
import { HistogramSeries, LineSeries, LineStyle, LineType } from "./library.js";
import { formatCompact, formatFixed, formatPercent, UNKNOWN } from "./numbers.js";
import { mix } from "./palette.js";
import { wordsShare } from "./pane-heights.js";
import { priceText } from "./price.js";
import { STUDIES, titleOf } from "./studies/catalogue.js";
import { StudyRun } from "./studies/run.js";
import { ToldRun } from "./told-run.js";

/** @import { IPaneApi, ISeriesApi, LineWidth, Time, UTCTimestamp } from "./library.js" */

/** @import { DashboardParts, Layer, Palette, PanePlace, StudyChoice, Subject } from "./types.js" */

const SHAPE = {
  lineWidth: /** @type {LineWidth} */ (1),
  lastValueVisible: false,
  priceLineVisible: false,
  crosshairMarkerVisible: false,
  baseLineVisible: false,
};
/** How lines on the price are told apart without a hue; the legend's keys are drawn alike. */
const LOOKS = /** @type {const} */ ([
  ["ink2", LineStyle.Solid],
  ["ink2", LineStyle.Dashed],
  ["ink3", LineStyle.Solid],
  ["ink3", LineStyle.Dashed],
  ["ink2", LineStyle.Dotted],
  ["ink3", LineStyle.Dotted],
  ["ink", LineStyle.Solid],
  ["ink", LineStyle.Dashed],
]);
/** Up to so many changed values are updated one by one. */
const FEW = 5;
const TOP = 6;

/** @implements {Layer} */
export class StudyLayer {
  #view;
  #study;
  #run;
  #look = 0;
  /** @type {IPaneApi<Time> | null} */
  #pane;
  /** @type {ISeriesApi<"Line" | "Histogram">[]} */
  #series;
  /** @type {Subject | null} */
  #subject = null;
  #drawn = 0;
  /** Its words; those on the price stand in the order of the choices. */
  legend;
  #values;
  #key = svg("svg", { class: "study-key", viewBox: "0 0 14 2", "aria-hidden": "true" });
  #decimals = -1;

  /**
   * @param {Pick<DashboardParts, "chart" | "api" | "session">} parts
   * @param {StudyChoice} choice
   * @param {HTMLElement} root of words in panes
   */
  constructor({ chart: view, api, session }, choice, root) {
    this.#view = view;
    this.#study = STUDIES[choice.kind];
    const { make, told } = this.#study;
    const onChange = () => this.#subject && this.draw(this.#subject, 0);
    this.#run = make
      ? new StudyRun(() => make(choice.values))
      : new ToldRun(told?.route ?? "", { api, session, onChange });
    this.#pane = this.#study.pane ? view.chart.addPane() : null;
    this.#series = this.#study.lines.map(({ look }) => {
      const definition = look === "columns" ? HistogramSeries : LineSeries;
      return this.#pane
        ? this.#pane.addSeries(definition, SHAPE)
        : view.chart.addSeries(definition, SHAPE, 0);
    });
    this.#values = this.#study.lines.map(() => element("b"));
    this.legend = this.#createLegend(titleOf(choice), root);
    this.#shape();
    this.recolour();
    view.layers.add(this);
  }

  /**
   * @param {string} title
   * @param {HTMLElement} root
   */
  #createLegend(title, root) {
    const parts = this.#study.lines.map(({ label }, index) =>
      element("span", "", label ? `${label} ` : "", this.#values[index]),
    );
    const name = element("span", "", title);
    const legend = element(
      "p",
      this.#pane ? "legend legend-pane" : "study",
      ...(this.#pane ? [] : [this.#key]),
      name,
      ...parts,
    );
    if (this.#pane) root.append(legend);
    return legend;
  }

  /** What of a pane of its own does not change. */
  #shape() {
    const { pane } = this.#study;
    if (!pane || !this.#pane) return;
    const [first] = this.#series;
    const { range } = pane;
    if (range) {
      const [minValue, maxValue] = range;
      const autoscaleInfoProvider = () => ({ priceRange: { minValue, maxValue } });
      for (const series of this.#series) series.applyOptions({ autoscaleInfoProvider });
    }
    first.priceScale().applyOptions({ tickMarkDensity: 2.2, entireTextOnly: true });
  }

  /** @param {number} look which of the looks its lines have, on the price */
  setLook(look) {
    this.#look = look % LOOKS.length;
    const [token, style] = LOOKS[this.#look];
    const dash = { [LineStyle.Dashed]: "4 2", [LineStyle.Dotted]: "1 2" };
    this.#key.replaceChildren(
      svg("path", {
        d: "M0 1h14",
        class: `key-${token}`,
        "stroke-dasharray": /** @type {Record<number, string>} */ (dash)[style] ?? "none",
      }),
    );
    this.recolour();
  }

  recolour() {
    const { palette } = this.#view;
    const [token, lineStyle] = LOOKS[this.#look];
    this.#study.lines.forEach(({ look }, index) => {
      const color = look === "faint" ? palette.ink3 : palette[token];
      this.#series[index].applyOptions({
        color,
        lineStyle: look === "faint" ? LineStyle.Dashed : lineStyle,
        lineType: look === "steps" ? LineType.WithSteps : LineType.Simple,
      });
    });
    this.#drawLevels(palette);
    if (this.#subject) this.draw(this.#subject, 0);
  }

  /** @param {Palette} palette */
  #drawLevels(palette) {
    const first = this.#series[0];
    for (const line of first.priceLines()) first.removePriceLine(line);
    for (const price of this.#study.pane?.levels ?? []) {
      const look = {
        color: palette.outline,
        lineWidth: SHAPE.lineWidth,
        lineStyle: LineStyle.Dotted,
      };
      first.createPriceLine({ price, ...look, axisLabelVisible: false, title: "" });
    }
  }

  /**
   * @param {Subject} subject
   * @param {number} from
   */
  draw(subject, from) {
    this.#subject = subject;
    const bars = subject.store.all;
    if (subject.decimals !== this.#decimals) this.#setDecimals(subject.decimals);
    const changed = this.#run.update(bars, from);
    const isFew = from > 0 && bars.length - changed <= FEW && this.#drawn >= changed;
    this.#series.forEach((series, line) => {
      if (!isFew) series.setData(bars.map((_, index) => this.#item(subject, index, line)));
      else this.#update(series, line, changed);
    });
    this.#drawn = bars.length;
    this.point(null);
  }

  /**
   * @param {ISeriesApi<"Line" | "Histogram">} series
   * @param {number} line
   * @param {number} from
   */
  #update(series, line, from) {
    const subject = /** @type {Subject} */ (this.#subject);
    for (let index = from; index < subject.store.length; index++) {
      series.update(this.#item(subject, index, line), index < this.#drawn - 1);
    }
  }

  /**
   * Where there is no value the bar's time stays: lines have as many places as there are bars.
   * @param {Subject} subject
   * @param {number} index
   * @param {number} line
   */
  #item({ store }, index, line) {
    const time = /** @type {UTCTimestamp} */ (store.all[index].time);
    const value = this.#run.values[index][line];
    if (value === null) return { time };
    if (this.#study.lines[line].look !== "columns") return { time, value };
    const { up, down, screen } = this.#view.palette;
    return { time, value, color: mix(value >= 0 ? up : down, screen, 0.7) };
  }

  /** @param {number} decimals of the market */
  #setDecimals(decimals) {
    this.#decimals = decimals;
    const own = this.#study.pane?.decimals ?? decimals;
    const format = priceFormat(this.#study.pane?.unit ? 6 : own);
    const [least, most] = this.#study.pane?.range ?? [-Infinity, Infinity];
    // The axis goes on beyond what the figure can be; its labels do not.
    const isOwn = this.#study.pane?.unit !== undefined;
    const formatter = (/** @type {number} */ value) => {
      if (value < least || value > most) return "";
      return isOwn ? this.#text(value) : format.formatter(value);
    };
    for (const series of this.#series) {
      series.applyOptions({ priceFormat: { ...format, formatter } });
    }
  }

  /** @param {number | null} time_s */
  point(time_s) {
    const all = this.#subject?.store.all ?? [];
    const index = time_s === null ? all.length - 1 : lowerBound(all, time_s);
    const values = this.#run.values[index] ?? [];
    this.#values.forEach((node, line) => {
      node.textContent = this.#text(values[line] ?? null);
    });
  }

  /** @param {number | null} value */
  #text(value) {
    if (value === null) return UNKNOWN;
    const { decimals, unit } = this.#study.pane ?? {};
    if (unit === "percent") return formatPercent(value * 100, decimals);
    if (unit === "compact") return formatCompact(value);
    if (decimals !== undefined) return formatFixed(value, decimals);
    return priceText(value, this.#decimals);
  }

  /** @param {PanePlace[]} panes */
  placed(panes) {
    if (!this.#pane) return;
    const place = panes[this.#pane.paneIndex()];
    this.legend.style.setProperty("--pane-top", `${(place?.top ?? 0) + TOP}px`);
    const scaleMargins = { top: wordsShare(place), bottom: 0.08 };
    this.#series[0].priceScale().applyOptions({ scaleMargins });
  }

  remove() {
    this.#view.layers.remove(this);
    if (this.#run instanceof ToldRun) this.#run.end();
    const { chart } = this.#view;
    for (const series of this.#series) chart.removeSeries(series);
    if (this.#pane && chart.panes().includes(this.#pane)) chart.removePane(this.#pane.paneIndex());
    this.legend.remove();
  }
}
