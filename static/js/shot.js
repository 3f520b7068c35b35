/**
 * The chart's picture. In lightweight-charts 5.2.1 `takeScreenshot` never returns while the next
 * frame is to move the time scale and redraw everything, as after a change of market: it adds that
 * to itself, and goes through what it adds. A forced resize does what is due first.
 */

/** @import { IChartApi } from "./library.js" */

/**
 * @param {IChartApi} chart
 * @param {boolean} [withTop] also what lies over the bars
 */
export function pictureOf(chart, withTop = true) {
  const { width, height } = chart.chartElement().getBoundingClientRect();
  const { autoSize } = chart.options();
  // A chart that sizes itself ignores what it is told.
  chart.applyOptions({ autoSize: false });
  try {
    // The size that it has already would do nothing.
    chart.resize(width, height + 1, true);
    chart.resize(width, height, true);
    return chart.takeScreenshot(withTop);
  } finally {
    chart.applyOptions({ autoSize });
  }
}
