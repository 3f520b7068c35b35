/** How high each pane is: the small ones have a fixed height, and the bars get all that is left. */

/** @import { IChartApi } from "./library.js" */

/** @import { PanePlace } from "./types.js" */

const HEIGHT = 104;
const HEIGHT_SMALL = 66;
/** Bars never get less than this share. */
const LEAST_SHARE = 0.4;
const SEPARATOR = 1;
/** Of the time axis, before it is laid out. */
const AXIS = 28;

/** Of the words at the top of a small pane, with some air. */
const WORDS = 28;

/** The share of a small pane that its words need. @param {PanePlace | undefined} place */
export function wordsShare(place) {
  return place?.height ? Math.min(0.5, WORDS / place.height) : 0.3;
}

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

  /** Gives each pane its height, and then says where they are. @param {(panes: PanePlace[]) => void} onPlaced */
  layOut(onPlaced) {
    const panes = this.#chart.panes();
    const { clientHeight: height, clientWidth: width } = this.#root;
    const isSmall = height < 420 || width < 600;
    const axis = this.#chart.timeScale().height() || AXIS;
    const room = height - axis - SEPARATOR * (panes.length - 1);
    const others = panes.length - 1;
    const wanted = isSmall || others > 3 ? HEIGHT_SMALL : HEIGHT;
    const each = Math.floor(Math.min(wanted, ((1 - LEAST_SHARE) * room) / Math.max(1, others)));
    panes.forEach((pane, index) => {
      pane.setStretchFactor(index === 0 ? Math.max(1, room - others * each) : each);
    });
    // The library lays out with its own next frame.
    requestAnimationFrame(() => requestAnimationFrame(() => onPlaced(this.#places())));
  }

  /** @returns {PanePlace[]} */
  #places() {
    let top = 0;
    return this.#chart.panes().map((pane) => {
      const place = { top, height: pane.getHeight() };
      top += place.height + SEPARATOR;
      return place;
    });
  }
}
