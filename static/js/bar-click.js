/** Clicks on bars and on their events; beside them nothing is meant. */

/** @import { ChartView } from "./chart-view.js" */

/** @import { Candle } from "./types.js" */

/** A click this near to a bar means it. */
const REACH = 8;

/**
 * @param {ChartView} view
 * @param {(bar: Candle) => void} onBar
 */
export function bindBarClick(view, onBar) {
  view.chart.subscribeClick(({ time, point, hoveredObjectId }) => {
    const bar = view.subject?.store.at(Number(time));
    if (!bar || !point) return;
    const top = view.main.priceToCoordinate(bar.high);
    const bottom = view.main.priceToCoordinate(bar.low);
    if (top === null || bottom === null) return;
    const isOn = point.y >= top - REACH && point.y <= bottom + REACH;
    if (isOn || hoveredObjectId !== undefined) onBar(bar);
  });
}
