/** The indicators' panel: what is on the chart with its numbers, what can be added, and events. */

import { button, element, icon } from "./element.js";
import { EVENT_NAMES } from "./event-names.js";
import { bindPopover } from "./popover.js";
import { STUDIES } from "./studies/catalogue.js";
import { MOST_STUDIES, studiesOf } from "./studies.js";

/** @import { DashboardParts, EventKind, StudyChoice, StudyInput } from "./types.js" */

/**
 * Opens below its button, from now on.
 * @param {HTMLElement} opener
 * @param {DashboardParts} parts
 */
export function bindStudiesPanel(opener, parts) {
  const panel = new StudiesPanel(parts);
  bindPopover(opener, panel.root, () => panel.draw());
}

class StudiesPanel {
  #parts;
  #studies;
  root = element("div", "popover studies");

  /** @param {DashboardParts} parts */
  constructor(parts) {
    this.#parts = parts;
    this.#studies = studiesOf(parts);
    this.root.setAttribute("role", "dialog");
    this.root.setAttribute("aria-label", "Indicators");
  }

  draw() {
    const { choices } = this.#studies;
    const rows = choices.map((choice, index) => this.#row(choice, index));
    const kinds = Object.entries(STUDIES)
      .filter(([, { told }]) => !told || this.#parts.session.market?.[told.needs] !== undefined)
      .map(([kind, { name, words }]) => this.#addButton(kind, name, words));
    this.root.replaceChildren(
      heading("On the chart"),
      ...(rows.length ? rows : [element("p", "popover-none", "Nothing but the bars.")]),
      heading("Add"),
      ...kinds,
      heading("Compare, in percent"),
      this.#compareRow(),
      heading("Events"),
      ...this.#eventBoxes(),
    );
  }

  /**
   * @param {StudyChoice} choice
   * @param {number} index
   */
  #row(choice, index) {
    const { name, inputs } = STUDIES[choice.kind];
    const remove = button("", () => this.#change(index, null), "tool icon-only");
    remove.append(icon("close"));
    remove.setAttribute("aria-label", `Remove ${name} ${choice.values.join(" ")}`.trim());
    const fields = inputs.map((input, place) =>
      numberField(`${name}, ${input.label.toLowerCase()}`, input, choice.values[place], (value) => {
        this.#change(index, { ...choice, values: choice.values.with(place, value) });
      }),
    );
    return element("div", "study-row", element("span", "study-name", name), ...fields, remove);
  }

  /**
   * @param {number} index
   * @param {StudyChoice | null} choice null removes it
   */
  #change(index, choice) {
    const { choices } = this.#studies;
    const next = choice ? choices.with(index, choice) : choices.toSpliced(index, 1);
    this.#studies.set(next);
    if (choice) return;
    this.draw();
    this.root.querySelector("button")?.focus();
  }

  /**
   * @param {string} kind
   * @param {string} name
   * @param {string} words
   */
  #addButton(kind, name, words) {
    const node = button("", () => this.#add(kind), "popover-item");
    node.append(element("span", "study-name", name), element("span", "menu-hint", words));
    node.disabled = this.#studies.choices.length >= MOST_STUDIES;
    return node;
  }

  /** @param {string} kind */
  #add(kind) {
    const plain = STUDIES[kind].inputs.map((input) => input.plain);
    const same = this.#studies.choices.filter((choice) => choice.kind === kind);
    // A second one of a kind begins where the first one does not stand.
    const values =
      same.length && plain.length ? plain.with(0, plain[0] * (same.length + 1)) : plain;
    this.#studies.set([...this.#studies.choices, { kind, values }]);
    this.draw();
    const added = this.root.querySelectorAll(".study-row");
    /** @type {HTMLElement | null} */ (
      added[added.length - 1]?.querySelector("input, button")
    )?.focus();
  }

  #compareRow() {
    const { compare } = this.#parts;
    if (!compare) {
      const node = button("", () => void this.#chooseCompared(), "popover-item");
      node.append(element("span", "study-name", "Another market…"));
      return node;
    }
    const remove = button("", () => this.#removeCompared(), "tool icon-only");
    remove.append(icon("close"));
    remove.setAttribute("aria-label", `Remove ${compare.symbol}`);
    return element("div", "study-row", element("span", "study-name", compare.symbol), remove);
  }

  #removeCompared() {
    this.#parts.compare?.remove();
    this.#parts.compare = undefined;
    this.draw();
    this.root.querySelector("button")?.focus();
  }

  async #chooseCompared() {
    this.root.hidePopover();
    const { chooseCompared } = await import("./compare-choice.js");
    chooseCompared(this.#parts);
  }

  #eventBoxes() {
    const { settings } = this.#parts;
    return EVENT_NAMES.map(([kind, label]) => {
      const box = element("input");
      box.type = "checkbox";
      box.checked = settings.value.events.includes(kind);
      box.addEventListener("change", () => this.#toggleEvent(kind, box.checked));
      return element("label", "popover-item", box, label);
    });
  }

  /**
   * @param {EventKind} kind
   * @param {boolean} isOn
   */
  #toggleEvent(kind, isOn) {
    const { settings, events } = this.#parts;
    const others = settings.value.events.filter((name) => name !== kind);
    settings.set({ events: isOn ? [...others, kind] : others });
    events?.show(settings.value.events);
  }
}

/** @param {string} text */
function heading(text) {
  return element("h3", "popover-head", text);
}

/**
 * @param {string} label
 * @param {StudyInput} input
 * @param {number} value
 * @param {(value: number) => void} onChange
 */
function numberField(label, { least, most, step }, value, onChange) {
  const field = element("input", "field");
  field.type = "number";
  field.min = String(least);
  field.max = String(most);
  field.step = String(step);
  field.value = String(value);
  field.setAttribute("aria-label", label);
  field.addEventListener("change", () => {
    const given = field.valueAsNumber;
    const sound = Number.isFinite(given) ? Math.min(most, Math.max(least, given)) : value;
    field.value = String(sound);
    onChange(sound);
  });
  return field;
}
