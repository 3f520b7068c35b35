/** The indicators that are drawn: made from the reader's choice, and kept in step with it. */

import { byId } from "./element.js";
import { STUDIES, soundChoice } from "./studies/catalogue.js";
import { StudyLayer } from "./study-layer.js";

/** @import { DashboardParts, StudyChoice } from "./types.js" */

/** More than these cannot be told apart. */
export const MOST_STUDIES = 8;

export class Studies {
  #parts;
  /** @type {Map<string, StudyLayer>} */
  #layers = new Map();
  /** @type {StudyChoice[]} */
  choices = [];

  /** @param {Pick<DashboardParts, "chart" | "figures" | "settings" | "api" | "session">} parts */
  constructor(parts) {
    this.#parts = parts;
    this.#apply(parts.settings.value.studies);
  }

  /** @param {StudyChoice[]} choices */
  set(choices) {
    this.#apply(choices);
    this.#parts.settings.set({ studies: this.choices });
  }

  /** @param {StudyChoice[]} wanted */
  #apply(wanted) {
    const { figures } = this.#parts;
    const sound = wanted.map((choice) => soundChoice(choice)).filter((choice) => choice !== null);
    const unique = new Map(sound.map((choice) => [JSON.stringify(choice), choice]));
    this.choices = [...unique.values()].slice(0, MOST_STUDIES);
    for (const [key, layer] of this.#layers) {
      if (unique.has(key)) continue;
      layer.remove();
      this.#layers.delete(key);
    }
    let look = 0;
    for (const choice of this.choices) {
      const key = JSON.stringify(choice);
      const isOnPrice = !STUDIES[choice.kind].pane;
      const layer = this.#layers.get(key) ?? new StudyLayer(this.#parts, choice, byId("chart"));
      layer.setLook(isOnPrice ? look++ : 0);
      if (isOnPrice) byId("legend-rows").append(layer.legend);
      this.#layers.set(key, layer);
    }
    figures.layOut();
  }
}

/**
 * The one set of indicators of the page.
 * @param {DashboardParts} parts
 */
export function studiesOf(parts) {
  parts.studies ??= new Studies(parts);
  return parts.studies;
}
