/** Events in words. */

import { formatCompact, formatPercent } from "./numbers.js";

/** @import { ChartEvent } from "./types.js" */

const LIQUIDATED = { sell: "Long liquidated", buy: "Short liquidated", "": "Liquidated" };
const LARGE = { buy: "Large buy", sell: "Large sell", "": "Large trade" };

/** @param {ChartEvent} event */
export function eventWords({ kind, value, side }) {
  if (kind === "funding") return `Funding ${formatPercent((value ?? 0) * 100, 4)}`;
  const words = (kind === "liquidation" ? LIQUIDATED : LARGE)[side ?? ""];
  return value === undefined ? words : `${words}, ${formatCompact(value)}`;
}
