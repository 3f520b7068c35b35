/** The events that can be marked on the chart. */

/** @import { EventKind } from "./types.js" */

/** @type {[EventKind, string][]} */
export const EVENT_NAMES = [
  ["liquidation", "Liquidations"],
  ["large_trade", "Large trades"],
  ["funding", "Funding"],
];
