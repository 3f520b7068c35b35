/** Candles, the kind of bar that the page starts with; chart-types.js has the others. */

import { CandlestickSeries, LineStyle } from "./library.js";

/** @import { BarTone, BarType, Candle, Palette } from "./types.js" */

/** @import { UTCTimestamp } from "./library.js" */

/** What every kind of main series has in common: the needle says the last price. */
export const MAIN_SHAPE = {
  lastValueVisible: false,
  priceLineVisible: false,
  baseLineStyle: LineStyle.Dotted,
};

/** @type {BarType} */
export const CANDLES = {
  definition: CandlestickSeries,
  options: candleOptions,
  item: candleItem,
};

/** @param {Palette} palette */
export function candleOptions({ outline, bars: { up, down } }) {
  return {
    ...MAIN_SHAPE,
    baseLineColor: outline,
    upColor: up.final.body,
    downColor: down.final.body,
    borderUpColor: up.final.edge,
    borderDownColor: down.final.edge,
    wickUpColor: up.final.edge,
    wickDownColor: down.final.edge,
  };
}

/**
 * The library keeps and changes what it is given: always a fresh literal.
 * @param {Candle} bar
 * @param {BarTone} tone
 */
export function candleItem({ time, open, high, low, close }, { body, edge, isPlain }) {
  const item = { time: /** @type {UTCTimestamp} */ (time), open, high, low, close };
  return isPlain ? item : { ...item, color: body, borderColor: edge, wickColor: edge };
}
