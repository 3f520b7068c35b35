/**
 * The page's entry: waits for the font, which canvas text cannot swap later, shows what the page
 * came with, and only then loads what makes it live.
 */

import { Dashboard } from "./dashboard.js";
import { byId } from "./element.js";

/** A font that does not come must not keep the candles away. */
const PATIENCE_MS = 300;

const fonts = Promise.all(
  ["400", "600"].map((weight) => document.fonts.load(`${weight} 12px "IBM Plex Sans Variable"`)),
);
await Promise.race([fonts, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);

const dashboard = new Dashboard(JSON.parse(byId("bootstrap").textContent ?? ""));
window.__chart = dashboard.inspect();
await dashboard.show();
await dashboard.comeAlive();
