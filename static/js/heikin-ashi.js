/** Heikin-Ashi: averaged bars, each of which opens in the middle of the averaged bar before. */

/** @import { Candle } from "./types.js" */

/**
 * Makes what averages bars. Of its last answer it keeps what has not changed.
 * @returns {(bars: readonly Candle[], from: number) => readonly Candle[]}
 */
export function createHeikinAshi() {
  /** @type {Candle[]} */
  let averaged = [];
  return (bars, from) => {
    const isSame = bars[0]?.time === averaged[0]?.time;
    averaged = averaged.slice(0, isSame ? from : 0);
    for (let index = averaged.length; index < bars.length; index++) {
      averaged.push(average(bars[index], averaged[index - 1]));
    }
    return averaged;
  };
}

/**
 * @param {Candle} bar
 * @param {Candle | undefined} before averaged
 * @returns {Candle}
 */
function average(bar, before) {
  const close = (bar.open + bar.high + bar.low + bar.close) / 4;
  const open = before ? (before.open + before.close) / 2 : (bar.open + bar.close) / 2;
  return {
    ...bar,
    open,
    high: Math.max(bar.high, open, close),
    low: Math.min(bar.low, open, close),
    close,
  };
}
