/** The library's options, in the words of the visual guide. */

import { ColorType, CrosshairMode, LineStyle, TickMarkType } from "./library.js";
import { formatCompact, formatPrice } from "./numbers.js";
import { formatClock, formatDay, formatMinute, formatTick, formatWhole } from "./times.js";

/** @import { Palette } from "./types.js" */

/**
 * @import { ChartOptions, DeepPartial, HistogramSeriesPartialOptions, Time } from "./library.js"
 */

export const RIGHT_MARGIN_BARS = 9;
/** Of the price pane above the bars; more where the words there need it. */
const TOP_SHARE = 0.14;
const TOP_SHARE_MOST = 0.45;
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
      entireTextOnly: true,
      minimumWidth: 72,
      tickMarkDensity: 3.6,
      scaleMargins: { top: TOP_SHARE, bottom: 0.08 },
    },
    timeScale: {
      timeVisible: true,
      ticksVisible: true,
      barSpacing: 8,
      rightOffset: RIGHT_MARGIN_BARS,
      minimumHeight: 26,
      enableConflation: true,
    },
  };
}

/**
 * @param {number} words height of the words at the top of the pane
 * @param {number} pane its height
 */
export function topMargin(words, pane) {
  return pane ? Math.min(TOP_SHARE_MOST, Math.max(TOP_SHARE, words / pane)) : TOP_SHARE;
}

/**
 * The crosshair's time label, as exact as the interval.
 * @param {number} interval_s
 * @returns {(time: Time) => string}
 */
export function crosshairTime(interval_s) {
  return (time) => {
    const time_s = Number(time);
    if (interval_s >= DAY_S) return formatWhole(time_s, interval_s);
    const clock = interval_s < 60 ? formatClock(time_s) : formatMinute(time_s);
    return `${formatDay(time_s)}, ${clock}`;
  };
}

/** @type {Record<number, "year" | "month" | "day" | "minute" | "second">} */
const WEIGHTS = {
  [TickMarkType.Year]: "year",
  [TickMarkType.Month]: "month",
  [TickMarkType.DayOfMonth]: "day",
  [TickMarkType.Time]: "minute",
  [TickMarkType.TimeWithSeconds]: "second",
};

/**
 * @param {number} interval_s
 * @returns {(time: Time, type: TickMarkType) => string}
 */
export function tickLabel(interval_s) {
  return (time, type) => formatTick(Number(time), WEIGHTS[type], interval_s);
}

/** @type {HistogramSeriesPartialOptions} */
export const VOLUME_SHAPE = {
  lastValueVisible: false,
  priceLineVisible: false,
  priceFormat: { type: "custom", minMove: 0.0001, formatter: formatVolume },
};

export const VOLUME_SCALE = {
  scaleMargins: { top: 0.3, bottom: 0 },
  tickMarkDensity: 2.2,
  entireTextOnly: true,
};

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
