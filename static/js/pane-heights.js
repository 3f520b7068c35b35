/** How high each pane is: the small ones have a fixed height, and the bars get all that is left. */

/** @import { IChartApi } from "./library.js" */

const HEIGHT = 104;
const HEIGHT_SMALL = 66;
/** Bars never get less than this share. */
const LEAST_SHARE = 0.4;
const SEPARATOR = 1;

export class PaneHeights {
  #chart;
  #root;

  /**
   * @param {IChartApi} chart
   * @param {HTMLElement} root
   */
  constructor(chart, root) {
    this.#chart = chart;
    this.#root = root;
  }

  /** Gives each pane its height, and then says where they begin. @param {(tops: number[]) => void} onPlaced */
  layOut(onPlaced) {
    const panes = this.#chart.panes();
    const { clientHeight: height, clientWidth: width } = this.#root;
    const isSmall = height < 420 || width < 600;
    const room = height - this.#chart.timeScale().height() - SEPARATOR * (panes.length - 1);
    const others = panes.length - 1;
    const wanted = isSmall || others > 3 ? HEIGHT_SMALL : HEIGHT;
    const each = Math.floor(Math.min(wanted, ((1 - LEAST_SHARE) * room) / Math.max(1, others)));
    panes.forEach((pane, index) => {
      pane.setStretchFactor(index === 0 ? Math.max(1, room - others * each) : each);
    });
    // The library lays out with its own next frame.
    requestAnimationFrame(() => requestAnimationFrame(() => onPlaced(this.#tops())));
  }

  #tops() {
    let top = 0;
    return this.#chart.panes().map((pane) => {
      const own = top;
      top += pane.getHeight() + SEPARATOR;
      return own;
    });
  }
}
