/** The library's options, in the words of the visual guide. */

import { ColorType, CrosshairMode, LineStyle, TickMarkType } from "./library.js";
import { formatCompact, formatPrice } from "./numbers.js";
import {
  formatClock,
  formatDate,
  formatDay,
  formatMinute,
  formatMonth,
  formatYear,
} from "./times.js";

/** @import { Palette } from "./types.js" */

/**
 * @import { ChartOptions, DeepPartial, CandlestickSeriesPartialOptions, HistogramSeriesPartialOptions, Time } from "./library.js"
 */

export const RIGHT_MARGIN_BARS = 9;
const DAY_S = 86_400;

/**
 * @param {Palette} palette
 * @returns {DeepPartial<ChartOptions>}
 */
export function chartColours(palette) {
  const line = {
    width: /** @type {const} */ (1),
    style: LineStyle.Solid,
    color: palette.crosshair,
    labelBackgroundColor: palette.line,
  };
  return {
    layout: {
      background: { type: ColorType.Solid, color: palette.screen },
      textColor: palette.ink2,
      fontFamily: palette.font,
      panes: { separatorColor: palette.line, separatorHoverColor: palette.raised },
    },
    grid: { vertLines: { color: palette.grid }, horzLines: { color: palette.grid } },
    crosshair: { vertLine: line, horzLine: line },
    rightPriceScale: { borderColor: palette.line },
    timeScale: { borderColor: palette.line },
  };
}

/** @returns {DeepPartial<ChartOptions>} */
export function chartShape() {
  return {
    autoSize: true,
    layout: { fontSize: 11, attributionLogo: false },
    crosshair: { mode: CrosshairMode.Normal },
    rightPriceScale: {
      ticksVisible: true,
      minimumWidth: 72,
      tickMarkDensity: 3.6,
      scaleMargins: { top: 0.14, bottom: 0.08 },
    },
    timeScale: {
      timeVisible: true,
      ticksVisible: true,
      barSpacing: 8,
      rightOffset: RIGHT_MARGIN_BARS,
      minimumHeight: 26,
      enableConflation: true,
      tickMarkFormatter: tickLabel,
    },
  };
}

/**
 * The crosshair's time label, as exact as the interval.
 * @param {number} interval_s
 * @returns {(time: Time) => string}
 */
export function crosshairTime(interval_s) {
  return (time) => {
    const time_s = Number(time);
    if (interval_s >= DAY_S) return formatDate(time_s);
    const clock = interval_s < 60 ? formatClock(time_s) : formatMinute(time_s);
    return `${formatDay(time_s)}, ${clock}`;
  };
}

/** @type {Record<number, (time_s: number) => string>} */
const TICK_LABELS = {
  [TickMarkType.Year]: formatYear,
  [TickMarkType.Month]: formatMonth,
  [TickMarkType.DayOfMonth]: formatDay,
  [TickMarkType.Time]: formatMinute,
  [TickMarkType.TimeWithSeconds]: formatClock,
};

/**
 * @param {Time} time
 * @param {TickMarkType} type
 */
function tickLabel(time, type) {
  return TICK_LABELS[type]?.(Number(time)) ?? null;
}

/**
 * @param {Palette} palette
 * @returns {CandlestickSeriesPartialOptions}
 */
export function candleColours({ outline, bars: { up, down } }) {
  return {
    baseLineColor: outline,
    upColor: up.final.body,
    downColor: down.final.body,
    borderUpColor: up.final.edge,
    borderDownColor: down.final.edge,
    wickUpColor: up.final.edge,
    wickDownColor: down.final.edge,
  };
}

/** @type {CandlestickSeriesPartialOptions} */
export const CANDLE_SHAPE = { lastValueVisible: false, priceLineVisible: false };

/** @type {HistogramSeriesPartialOptions} */
export const VOLUME_SHAPE = {
  lastValueVisible: false,
  priceLineVisible: false,
  priceFormat: { type: "custom", minMove: 0.0001, formatter: formatVolume },
};

export const VOLUME_SCALE = { scaleMargins: { top: 0.3, bottom: 0 }, tickMarkDensity: 2.2 };

/** The axis repeats 0 at its foot, which says nothing. @param {number} volume */
function formatVolume(volume) {
  return volume === 0 ? "" : formatCompact(volume);
}

/**
 * `type: "price"` loses digits of tiny prices; a custom format with the market's base does not.
 * @param {number} decimals
 */
export function priceFormat(decimals) {
  return {
    type: /** @type {const} */ ("custom"),
    base: 10 ** decimals,
    minMove: 10 ** -decimals,
    formatter: (/** @type {number} */ price) => formatPrice(price, decimals),
  };
}
