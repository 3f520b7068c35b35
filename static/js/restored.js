/** The reader's earlier choice of bars and indicators, in place before the first picture. */

import { BAR_TYPES } from "./chart-types.js";
import { studiesOf } from "./studies.js";

/** @import { DashboardParts } from "./types.js" */

/** @param {DashboardParts} parts */
export function restore(parts) {
  const { chart, settings } = parts;
  const type = BAR_TYPES[settings.value.type];
  if (type && settings.value.type !== "candles") chart.setType(type);
  studiesOf(parts);
}
