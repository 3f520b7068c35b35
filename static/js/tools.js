/** The tools of the top bar: what few readers open is loaded when they do. */

import { byId } from "./element.js";
import { bindMenu } from "./menu.js";
import { TAPE_TRADES } from "./session.js";

/** @import { Candle, DashboardParts, TradeFilter } from "./types.js" */

const FILTERED_TRADES = 1000;

/** @param {DashboardParts} parts */
export function bindTools(parts) {
  opensLate("studies-button", async (opener) => {
    const { bindStudiesPanel } = await import("./studies-panel.js");
    bindStudiesPanel(opener, parts);
  });
  opensLate("table-button", async (opener) => {
    const { TableView } = await import("./table-view.js");
    const table = new TableView(parts, opener);
    opener.addEventListener("click", () => table.toggle());
  });
  bindMeasure(parts);
  bindTapeFilter(parts);
  byId("integrate-button").addEventListener("click", () => void openIntegrate(parts));
  bindMenu(byId("save-button"), "Save and share", () => saveItems(parts));
}

/** A drag with Shift measures without the button. @param {DashboardParts} parts */
function bindMeasure(parts) {
  const opener = byId("measure-button");
  /** @type {Promise<import("./measure.js").Measure> | undefined} */
  let loading;
  const load = () => {
    loading ??= import("./measure.js").then(({ Measure }) => new Measure(parts, opener));
    return loading;
  };
  opener.addEventListener("click", async () => (await load()).toggle());
  addEventListener("keydown", ({ key }) => key === "Shift" && void load());
}

/** @type {[TradeFilter, string][]} */
const FILTERS = [
  ["all", "All sizes"],
  ["medium", "Upper half"],
  ["heavy", "Largest 5\u2009%"],
  ["liquidation", "Liquidations"],
];

/** @param {DashboardParts} parts */
function bindTapeFilter({ tape, session }) {
  const opener = byId("tape-filter");
  const label = byId("tape-filter-name");
  bindMenu(opener, "Sizes", () =>
    FILTERS.map(([filter, words]) => ({
      label: words,
      kind: /** @type {const} */ ("radio"),
      isChecked: () => tape.filter === filter,
      choose: () => {
        label.textContent = words;
        tape.setFilter(filter);
        // Few trades pass: there must be many to choose from.
        void session.loadTrades(filter === "all" ? TAPE_TRADES : FILTERED_TRADES);
      },
    })),
  );
}

/** @param {DashboardParts} parts */
export async function openIntegrate(parts) {
  const { toggleIntegrate } = await import("./integrate.js");
  toggleIntegrate(parts);
}

/** What is in the panel makes way. */
export async function closePanel() {
  if (!document.documentElement.dataset.panel) return;
  const { sidePanel } = await import("./side-panel.js");
  sidePanel().close();
}

/**
 * @param {DashboardParts} parts
 * @param {Candle} bar
 */
export async function openBar(parts, bar) {
  const { showBarTrades } = await import("./bar-trades.js");
  await showBarTrades(parts, bar);
}

/** @param {DashboardParts} parts */
function saveItems(parts) {
  const late = (/** @type {keyof typeof import("./picture.js")} */ name) => async () => {
    const module = await import("./picture.js");
    await /** @type {(parts: DashboardParts) => unknown} */ (module[name])(parts);
  };
  return [
    { label: "Save as picture", hint: "PNG", choose: late("savePicture") },
    { label: "Copy as picture", hint: "PNG", choose: late("copyPicture") },
    { label: "Save these bars", hint: "CSV", choose: late("saveRows") },
    null,
    { label: "Copy the link", hint: "", choose: late("copyLink") },
  ];
}

/**
 * @param {string} id
 * @param {(opener: HTMLElement) => Promise<void>} bind from now on it opens at once
 */
function opensLate(id, bind) {
  const opener = byId(id);
  const load = async () => {
    await bind(opener);
    opener.click();
  };
  opener.addEventListener("click", load, { once: true });
}
