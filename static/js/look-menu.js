/** Theme, palette and time zone: chosen here, remembered, applied before the first paint. */

import { bindMenu } from "./menu.js";
import { remember } from "./settings.js";
import { isZone, useZone } from "./times.js";

/** @import { DashboardParts } from "./types.js" */

const THEMES = /** @type {const} */ ([
  ["dark", "Dark"],
  ["light", "Light"],
  ["system", "As the system"],
]);

const root = document.documentElement;

/**
 * @param {HTMLElement} opener
 * @param {DashboardParts} parts
 */
export function bindLookMenu(opener, parts) {
  const { chart } = parts;
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", () => chart.recolour());
  bindMenu(opener, "Look and time", () => [
    ...THEMES.map(([name, label]) => ({
      label,
      kind: /** @type {const} */ ("radio"),
      isChecked: () => (root.dataset.theme ?? "system") === name,
      choose: () => {
        set("theme", name === "system" ? null : name);
        chart.recolour();
      },
    })),
    null,
    {
      label: "Colour-blind palette",
      kind: /** @type {const} */ ("checkbox"),
      isChecked: () => root.dataset.palette === "colourblind",
      choose: () => {
        set("palette", root.dataset.palette ? null : "colourblind");
        chart.recolour();
      },
    },
    null,
    ...zoneItems(parts),
  ]);
}

/**
 * @param {"theme" | "palette"} name
 * @param {string | null} value
 */
function set(name, value) {
  if (value === null) delete root.dataset[name];
  else root.dataset[name] = value;
  remember(name, value);
}

/** @param {DashboardParts} parts */
function zoneItems(parts) {
  const { settings } = parts;
  const { zone } = settings.value;
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const others = zone === "UTC" || zone === "local" ? [] : [[zone, spoken(zone), ""]];
  const zones = [["UTC", "UTC", ""], ["local", "Time of this device", spoken(own)], ...others];
  return [
    ...zones.map(([name, label, hint]) => ({
      label,
      hint,
      kind: /** @type {const} */ ("radio"),
      isChecked: () => settings.value.zone === name,
      choose: () => setZone(parts, name),
    })),
    { label: "Another time zone…", choose: () => void chooseZone(parts) },
  ];
}

/** @param {string} zone */
const spoken = (zone) => zone.replaceAll("_", " ");

/**
 * @param {DashboardParts} parts
 * @param {string} zone
 */
function setZone({ settings, chart, figures, session }, zone) {
  if (!isZone(zone)) return;
  settings.set({ zone });
  useZone(zone);
  // The library asks for its labels again only when it is given another way to make them.
  chart.relabel();
  figures.tick();
  figures.barsChanged();
  void session.loadTrades();
}

/** @param {DashboardParts} parts */
async function chooseZone(parts) {
  const { openChooser } = await import("./chooser.js");
  const { zoneOffset } = await import("./zones.js");
  const now_ms = parts.now_s() * 1000;
  openChooser({
    title: "Time zone",
    placeholder: "Search time zones",
    find: (query) =>
      zonesLike(query.replaceAll(" ", "_")).map((name) => ({
        label: spoken(name),
        hint: zoneOffset(name, now_ms),
        value: name,
      })),
    choose: (zone) => setZone(parts, zone),
  });
}

/** Browsers list one name of each zone and know several. @param {string} query */
function zonesLike(query) {
  const wanted = query.toLowerCase();
  const listed = Intl.supportedValuesOf("timeZone").filter((name) =>
    name.toLowerCase().includes(wanted),
  );
  return listed.length || !query || !isZone(query) ? listed : [query];
}
