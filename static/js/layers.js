/** What is drawn along with the bars, such as indicators: each is told when to draw. */

/** @import { Layer, PanePlace, Subject } from "./types.js" */

export class Layers {
  /** @type {Set<Layer>} */
  #all = new Set();
  /** @type {Subject | null} */
  #subject = null;

  /** @param {Layer} layer */
  add(layer) {
    this.#all.add(layer);
    if (this.#subject) layer.draw(this.#subject, 0);
  }

  /** @param {Layer} layer */
  remove(layer) {
    this.#all.delete(layer);
  }

  /**
   * @param {Subject} subject
   * @param {number} from the first bar that has changed; 0 may mean other bars altogether
   */
  draw(subject, from) {
    this.#subject = subject;
    for (const layer of this.#all) layer.draw(subject, from);
  }

  /** @param {number | null} time_s of the bar under the crosshair */
  point(time_s) {
    for (const layer of this.#all) layer.point?.(time_s);
  }

  /** @param {PanePlace[]} panes */
  placed(panes) {
    for (const layer of this.#all) layer.placed?.(panes);
  }

  recolour() {
    for (const layer of this.#all) layer.recolour?.();
  }
}
