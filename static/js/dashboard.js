/**
 * The composition root of the first picture: builds what the page shows before its first request,
 * and then hands all of it to live.js.
 */

import { createAnnouncer } from "./announcer.js";
import { Api } from "./api.js";
import { finalityOf, transactionAddress } from "./chain-part.js";
import { ChartState } from "./chart-state.js";
import { ChartView } from "./chart-view.js";
import { byId } from "./element.js";
import { Figures } from "./figures.js";
import { BarClock, IntervalBar } from "./interval-bar.js";
import { MarketList } from "./market-list.js";
import { Navigation } from "./navigation.js";
import { compactSymbol } from "./protocol.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { Tape } from "./tape.js";
import { isZone, useZone } from "./times.js";

/** @import { Bootstrap, DashboardParts, Inspection, Place } from "./types.js" */

export class Dashboard {
  /** @type {DashboardParts} */
  #parts;

  /** @param {Bootstrap} bootstrap */
  constructor(bootstrap) {
    const ahead = bootstrap.time - answeredMs();
    const now_s = () => (Date.now() + ahead) / 1000;
    const api = new Api();
    const settings = new Settings();
    const navigation = new Navigation({
      symbol: bootstrap.symbol ?? "",
      interval: bootstrap.interval,
    });
    const choose = (/** @type {Partial<Place>} */ change) => this.go(change);
    const chart = new ChartView(byId("chart-canvas"), now_s);
    const state = new ChartState(byId("chart"), byId("chart-state"));
    const tape = new Tape(byId("tape-rows"), byId("tape-state"));
    const list = new MarketList(
      byId("market-rows"),
      (symbol) => choose({ symbol }),
      (symbol) => navigation.addressOf({ ...navigation.place, symbol }),
    );
    const clock = new BarClock();
    const intervals = new IntervalBar(
      byId("intervals"),
      bootstrap.intervals,
      clock.node,
      (interval) => choose({ interval }),
    );
    const announce = createAnnouncer(byId("announcer"));
    const session = new Session({ api, now_s, panels: () => panels });
    const figures = new Figures({ session, chart, clock, list, now_s });
    const panels = { chart, state, list, tape, figures, intervals, announce };
    /** @type {(place: Place) => Promise<void>} */
    const open = (place) => this.#open(place);
    const parts = { bootstrap, settings, api, navigation, clock, session, now_s };
    this.#parts = { ...panels, ...parts, go: choose, open };
  }

  /** Shows what the page came with, as the reader has chosen to see it. */
  async show() {
    const { bootstrap, settings, list, tape, session, figures, chart } = this.#parts;
    useZone(isZone(settings.value.zone) ? settings.value.zone : "UTC");
    chart.setScale(settings.value.scale);
    tape.linkBy((trade) => transactionAddress(trade, session.market, bootstrap.explorer));
    tape.setFinality(finalityOf(bootstrap.status, bootstrap.market ?? undefined));
    // What was chosen before is there from the first picture on, even if it costs a request.
    if (!settings.isPlain) await (await import("./restored.js")).restore(this.#parts);
    list.show(bootstrap.markets);
    session.adopt(bootstrap);
    figures.tick();
    figures.layOut();
    new ResizeObserver(() => figures.layOut()).observe(byId("chart"));
    performance.mark("first-candles");
  }

  async comeAlive() {
    const { Live } = await import("./live.js");
    new Live(this.#parts).start();
  }

  /** What `window.__chart` shows. @returns {Inspection} */
  inspect() {
    const { chart, session } = this.#parts;
    return { chart: chart.chart, candles: () => session.feed.store.all };
  }

  /** Another market or interval, as a step in the browser's history. @param {Partial<Place>} change */
  go(change) {
    const { navigation, session, onGo } = this.#parts;
    const place = { ...navigation.place, ...change };
    onGo?.();
    const { symbol, interval } = session.feed;
    if (!place.symbol || (place.symbol === symbol && place.interval === interval)) return;
    navigation.go(place);
    void this.#open(place);
  }

  /** @param {Place} place */
  #open(place) {
    const { list, session } = this.#parts;
    // Addresses are written by people: any case, with or without punctuation.
    const wanted = compactSymbol(place.symbol);
    const market = list.markets.find(({ symbol }) => compactSymbol(symbol) === wanted);
    return session.open({ ...place, symbol: market?.symbol ?? place.symbol });
  }
}

/**
 * When the page's answer came, by our clock. Bars close by the server's clock, ours may be wrong,
 * and the time the scripts took to load must not count as a difference.
 */
function answeredMs() {
  const [page] = performance.getEntriesByType("navigation");
  const arrived = page instanceof PerformanceNavigationTiming ? page.responseStart : 0;
  return arrived ? performance.timeOrigin + arrived : Date.now();
}
