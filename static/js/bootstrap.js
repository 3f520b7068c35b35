/** The data the page came with: first bars are on screen before the first request. */

import { byId } from "./element.js";

/** @import { Bootstrap } from "./types.js" */

/** @returns {Bootstrap} */
export function readBootstrap() {
  return JSON.parse(byId("bootstrap").textContent ?? "");
}
