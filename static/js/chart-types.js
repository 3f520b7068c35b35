/**
 * The kinds of bars that a chart can be drawn with. A line has no body to leave empty; where it
 * is provisional it is faint instead.
 */

import { CANDLES, candleItem, candleOptions, MAIN_SHAPE } from "./candle-type.js";
import { createHeikinAshi } from "./heikin-ashi.js";
import { AreaSeries, BarSeries, BaselineSeries, CandlestickSeries, LineSeries } from "./library.js";
import { fade, mix } from "./palette.js";

/** @import { UTCTimestamp } from "./library.js" */

/** @import { BarTone, BarType, BarTypeName, Candle, Palette } from "./types.js" */

const LINE_WIDTH = /** @type {const} */ (2);
const FAINT = 0.45;
const FILL = 0.1;

/** @type {Record<BarTypeName, BarType>} */
export const BAR_TYPES = {
  candles: CANDLES,
  bars: {
    definition: BarSeries,
    options: ({ bars: { up, down } }) => ({
      ...MAIN_SHAPE,
      thinBars: false,
      upColor: up.final.edge,
      downColor: down.final.edge,
    }),
    item: ({ time, open, high, low, close }, { edge, isPlain }) => {
      const item = { time: /** @type {UTCTimestamp} */ (time), open, high, low, close };
      return isPlain ? item : { ...item, color: edge };
    },
  },
  line: {
    definition: LineSeries,
    options: ({ ink }) => ({ ...MAIN_SHAPE, ...lineShape, color: ink }),
    item: (bar, tone, { ink, screen }) =>
      valueItem(bar, tone, () => ({ color: mix(ink, screen, FAINT) })),
  },
  area: {
    definition: AreaSeries,
    options: ({ ink }) => ({ ...MAIN_SHAPE, ...lineShape, ...areaColours(ink, FILL) }),
    item: (bar, tone, { ink, screen }) =>
      valueItem(bar, tone, () => areaColours(mix(ink, screen, FAINT), FILL)),
  },
  baseline: {
    definition: BaselineSeries,
    options: ({ up, down }) => ({ ...MAIN_SHAPE, ...lineShape, ...baselineColours(up, down) }),
    item: (bar, tone, { up, down, screen }) =>
      valueItem(bar, tone, () => baselineColours(mix(up, screen, FAINT), mix(down, screen, FAINT))),
    // It divides what is above the first bar in sight from what is below.
    base: (bar) => ({ baseValue: { type: "price", price: bar.close } }),
  },
  "heikin-ashi": {
    definition: CandlestickSeries,
    options: candleOptions,
    item: candleItem,
    derivation: createHeikinAshi,
  },
};

const lineShape = { lineWidth: LINE_WIDTH, crosshairMarkerVisible: false };

/**
 * @param {string} line
 * @param {number} fill
 */
function areaColours(line, fill) {
  const ground = fade(line, fill);
  return { lineColor: line, topColor: ground, bottomColor: ground };
}

/**
 * @param {string} up
 * @param {string} down
 */
function baselineColours(up, down) {
  return {
    topLineColor: up,
    topFillColor1: fade(up, FILL),
    topFillColor2: fade(up, FILL),
    bottomLineColor: down,
    bottomFillColor1: fade(down, FILL),
    bottomFillColor2: fade(down, FILL),
  };
}

/**
 * @param {Candle} bar
 * @param {BarTone} tone
 * @param {() => object} provisional colours
 */
function valueItem({ time, close }, { isFinal }, provisional) {
  const item = { time: /** @type {UTCTimestamp} */ (time), value: close };
  return isFinal ? item : { ...item, ...provisional() };
}
