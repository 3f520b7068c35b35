/** The entry of /embed: the same chart without anything around it, for other people's pages. */

import { Api } from "./api.js";
import { ChartState } from "./chart-state.js";
import { ChartView } from "./chart-view.js";
import { byId } from "./element.js";
import { EmbedFigures } from "./embed-figures.js";
import { Session } from "./session.js";
import { Status } from "./status.js";
import { Stream } from "./stream.js";

/** @import { Bootstrap } from "./types.js" */

const PATIENCE_MS = 300;

/** @param {Bootstrap} bootstrap */
async function start(bootstrap) {
  const ahead = bootstrap.time - Date.now();
  const now_s = () => (Date.now() + ahead) / 1000;
  const api = new Api();
  const chart = new ChartView(byId("chart-canvas"), now_s);
  const state = new ChartState(byId("chart"), byId("chart-state"));
  /** @type {Session} */
  const session = new Session({ api, now_s, panels: () => ({ chart, state, figures }) });
  const figures = new EmbedFigures({ session, chart, now_s });
  await restyle(chart);
  session.adopt(bootstrap);
  figures.layOut();
  performance.mark("first-candles");
  new ResizeObserver(() => figures.layOut()).observe(byId("chart"));
  chart.onRange((range) => session.readOlder(range));
  chart.onCrosshair((time_s) => figures.point(time_s));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.recolour());
  connect({ api, session, figures, bootstrap });
  setInterval(() => document.hidden || figures.tick(), 1000);
  figures.tick();
  window.__chart = { chart: chart.chart, candles: () => session.feed.store.all };
}

/** Kinds of bars are asked for in the address. @param {ChartView} chart */
async function restyle(chart) {
  const name = new URLSearchParams(location.search).get("type");
  if (!name || name === "candles") return;
  const { BAR_TYPES } = await import("./chart-types.js");
  if (Object.hasOwn(BAR_TYPES, name)) {
    chart.setType(BAR_TYPES[/** @type {import("./types.js").BarTypeName} */ (name)]);
  }
}

/**
 * @param {{api: Api, session: Session, figures: EmbedFigures, bootstrap: Bootstrap}} parts
 */
function connect({ api, session, figures, bootstrap }) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  /** @type {Status} */
  let status;
  const stream = new Stream({
    openSocket: () => new WebSocket(`${scheme}//${location.host}/ws`),
    onEvent: (event) => session.receive(event),
    onState: (state) => status.setStream(state),
    onMissed: (streams, isFresh) => void session.missed(streams, isFresh),
  });
  status = new Status({
    api,
    health: bootstrap.status,
    stream: () => stream,
    onHealth: () => {},
    onStatus: ({ connection, lostFor_s }) => figures.showConnection(connection, lostFor_s),
  });
  session.connect((streams) => stream.want(streams));
  stream.start();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return session.feed.pause();
    void session.catchUp();
  });
}

const font = document.fonts.load('400 12px "IBM Plex Sans Variable"');
await Promise.race([font, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
await start(JSON.parse(byId("bootstrap").textContent ?? ""));
