/** Every indicator that there is: its words, its numbers, its lines, and what computes it. */

import { SimpleAverage } from "./average.js";
import {
  Bollinger,
  Convergence,
  exponentialMoving,
  RelativeStrength,
  simpleMoving,
  VolumeWeighted,
} from "./running.js";

/** @import { Candle, Study, StudyChoice } from "../types.js" */

const LENGTH = { label: "Length", least: 1, most: 500, step: 1 };

/** @type {Record<string, Study>} */
export const STUDIES = {
  sma: {
    name: "SMA",
    words: "Simple moving average",
    inputs: [{ ...LENGTH, plain: 20 }],
    lines: [{ label: "" }],
    make: ([length]) => simpleMoving(length),
  },
  ema: {
    name: "EMA",
    words: "Exponential moving average",
    inputs: [{ ...LENGTH, plain: 50 }],
    lines: [{ label: "" }],
    make: ([length]) => exponentialMoving(length),
  },
  bollinger: {
    name: "Bollinger",
    words: "Bollinger bands",
    inputs: [
      { ...LENGTH, plain: 20 },
      { label: "Deviations", least: 0.1, most: 10, step: 0.1, plain: 2 },
    ],
    lines: [{ label: "upper" }, { label: "mean", look: "faint" }, { label: "lower" }],
    make: ([length, width]) => new Bollinger(new SimpleAverage(length), width),
  },
  vwap: {
    name: "VWAP",
    words: "Mean price by volume since 00:00 UTC",
    inputs: [],
    lines: [{ label: "" }],
    make: () => new VolumeWeighted(),
  },
  rsi: {
    name: "RSI",
    words: "Relative strength index",
    inputs: [{ ...LENGTH, plain: 14 }],
    lines: [{ label: "" }],
    pane: { decimals: 1, range: [0, 100], levels: [30, 70] },
    make: ([length]) => new RelativeStrength(length),
  },
  macd: {
    name: "MACD",
    words: "Convergence of moving averages",
    inputs: [
      { ...LENGTH, label: "Fast", plain: 12 },
      { ...LENGTH, label: "Slow", plain: 26 },
      { ...LENGTH, label: "Signal", plain: 9 },
    ],
    lines: [
      { label: "" },
      { label: "signal", look: "faint" },
      { label: "difference", look: "columns" },
    ],
    pane: { levels: [0] },
    make: ([fast, slow, signal]) => new Convergence(fast, slow, signal),
  },
  funding: {
    name: "Funding",
    words: "Rate between longs and shorts",
    inputs: [],
    lines: [{ label: "", look: "steps" }],
    pane: { decimals: 4, unit: "percent", levels: [0] },
    told: { route: "funding", needs: "funding_rate" },
  },
  interest: {
    name: "Open interest",
    words: "Worth of all open positions",
    inputs: [],
    lines: [{ label: "", look: "steps" }],
    pane: { unit: "compact" },
    told: { route: "open-interest", needs: "open_interest" },
  },
};

/**
 * A choice as it may be drawn: of a kind that exists, each number within its bounds; else null.
 * @param {StudyChoice} choice
 */
export function soundChoice({ kind, values }) {
  const study = STUDIES[kind];
  if (!study || !Array.isArray(values)) return null;
  const sound = study.inputs.map(({ least, most, step, plain }, index) => {
    const value = Number(values[index]);
    if (!Number.isFinite(value)) return plain;
    const steps = Math.round(Math.min(most, Math.max(least, value)) / step);
    return Number((steps * step).toFixed(2));
  });
  return { kind, values: sound };
}

/** "EMA 50", "MACD 12 26 9". @param {StudyChoice} choice */
export function titleOf({ kind, values }) {
  return [STUDIES[kind].name, ...values].join(" ");
}
