/**
 * The composition root: builds every part once, hands each what it needs, and starts them.
 */

import { createAnnouncer } from "./announcer.js";
import { Api } from "./api.js";
import { attend } from "./attention.js";
import { Banner } from "./banner.js";
import { bindBarWalk } from "./bar-walk.js";
import { ChartState } from "./chart-state.js";
import { ChartView } from "./chart-view.js";
import { byId } from "./element.js";
import { Figures } from "./figures.js";
import { BarClock, IntervalBar } from "./interval-bar.js";
import { FAVOURITES } from "./intervals.js";
import { bindKeyboard, createHelp } from "./keyboard.js";
import { bindTabs, createFolds } from "./layout.js";
import { MarketList } from "./market-list.js";
import { Navigation } from "./navigation.js";
import { compactSymbol } from "./protocol.js";
import { bindScaleModes } from "./scale-modes.js";
import { Session } from "./session.js";
import { Status } from "./status.js";
import { StatusPanels } from "./status-panels.js";
import { Stream } from "./stream.js";
import { Tape } from "./tape.js";
import { bindTheme } from "./theme.js";

/** @import { Bootstrap, Inspection, Panels, Place } from "./types.js" */

const MARKETS_EVERY_MS = 5_000;

export class Dashboard {
  #bootstrap;
  #api = new Api();
  #announce = createAnnouncer(byId("announcer"));
  #folds = createFolds(byId("tape-toggle"));
  #tabs = bindTabs(byId("tabs"));
  #clock = new BarClock();
  #state = new ChartState(byId("chart"), byId("chart-state"));
  #tape = new Tape(byId("tape-rows"), byId("tape-state"));
  #chart;
  #list;
  #intervals;
  #navigation;
  #stream;
  #status;
  #session;
  #figures;
  #now_s;

  /** @param {Bootstrap} bootstrap */
  constructor(bootstrap) {
    this.#bootstrap = bootstrap;
    const ahead = bootstrap.time - answeredMs();
    this.#now_s = () => (Date.now() + ahead) / 1000;
    const home = { symbol: bootstrap.symbol ?? "", interval: bootstrap.interval };
    this.#navigation = new Navigation(home, (place) => this.#open(place));
    this.#chart = new ChartView(byId("chart-canvas"), this.#now_s);
    this.#list = this.#createList();
    this.#intervals = new IntervalBar(
      byId("intervals"),
      bootstrap.intervals,
      this.#clock.node,
      (interval) => this.#go({ interval }),
    );
    this.#stream = this.#createStream();
    this.#session = new Session({
      api: this.#api,
      panels: this.#createPanels(),
      stream: () => this.#stream,
      now_s: this.#now_s,
    });
    this.#figures = new Figures({
      session: this.#session,
      chart: this.#chart,
      clock: this.#clock,
      list: this.#list,
      now_s: this.#now_s,
    });
    this.#status = this.#createStatus();
  }

  start() {
    this.#list.show(this.#bootstrap.markets);
    this.#session.adopt(this.#bootstrap);
    this.#bindControls();
    this.#bindPage();
    this.#stream.start();
    setInterval(() => this.#tick(), 1000);
    setInterval(() => document.hidden || this.#loadMarkets(), MARKETS_EVERY_MS);
    this.#tick();
  }

  /** What `window.__chart` shows. @returns {Inspection} */
  inspect() {
    return { chart: this.#chart.chart, candles: () => this.#session.feed.store.all };
  }

  #createList() {
    return new MarketList(
      {
        rows: byId("market-rows"),
        sorts: byId("market-sorts"),
        search: /** @type {HTMLInputElement} */ (byId("search")),
      },
      (symbol) => this.#go({ symbol }),
      (symbol) => this.#navigation.addressOf({ ...this.#navigation.place, symbol }),
    );
  }

  #createStream() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    return new Stream({
      openSocket: () => new WebSocket(`${scheme}//${location.host}/ws`),
      onEvent: (event) => this.#session.receive(event),
      onState: (state) => this.#status?.setStream(state),
      onMissed: (streams, isFresh) => void this.#session.missed(streams, isFresh),
      onLatency: (ms) => this.#status.setLatency(ms),
    });
  }

  /** @returns {Panels} */
  #createPanels() {
    return {
      chart: this.#chart,
      state: this.#state,
      list: this.#list,
      tape: this.#tape,
      announce: this.#announce,
      showEmptyStore: () => {
        this.#state.emptyStore();
        this.#tape.show([], 2);
        this.#intervals.select(this.#navigation.place.interval);
      },
      showPlace: (place, market) => {
        this.#list.select(place.symbol);
        this.#intervals.select(place.interval);
        this.#figures.showPlace(place, market);
        this.#clock.tick(place.interval, this.#now_s());
      },
      showFigures: () => this.#figures.show(),
      barsChanged: () => this.#figures.barsChanged(),
    };
  }

  #createStatus() {
    const panels = new StatusPanels({
      chart: this.#chart,
      figures: this.#figures,
      announce: this.#announce,
      onSynced: () => void this.#session.reread(),
      banner: new Banner(byId("banner"), () => this.#stream.retryNow()),
    });
    return new Status({
      api: this.#api,
      health: this.#bootstrap.status,
      stream: () => this.#stream,
      onHealth: (health) => panels.showHealth(health),
      onStatus: (status) => panels.showStatus(status),
    });
  }

  /** @param {Partial<Place>} change */
  #go(change) {
    const place = { ...this.#navigation.place, ...change };
    this.#tabs.show("chart");
    this.#folds.closeOverlay();
    const { symbol, interval } = this.#session.feed;
    if (!place.symbol || (place.symbol === symbol && place.interval === interval)) return;
    this.#navigation.go(place);
    void this.#open(place);
  }

  /** @param {Place} place */
  #open(place) {
    // Addresses are written by people: any case, with or without punctuation.
    const wanted = compactSymbol(place.symbol);
    const market = this.#list.markets.find(({ symbol }) => compactSymbol(symbol) === wanted);
    return this.#session.open({ ...place, symbol: market?.symbol ?? place.symbol });
  }

  async #loadMarkets() {
    try {
      const markets = await this.#api.fetchMarkets();
      this.#session.showMarkets(markets);
      const first = markets[0];
      // The first market of a store that was empty opens by itself.
      if (first && !this.#session.feed.symbol) {
        this.#navigation.place = { ...this.#navigation.place, symbol: first.symbol };
        void this.#open(this.#navigation.place);
      }
    } catch {
      // The list keeps its last values; pill and banner say that the server is away.
    }
  }

  #bindControls() {
    const help = createHelp(byId("help-button"));
    const openSearch = (/** @type {string} */ letter) => {
      this.#folds.open("left");
      this.#tabs.show("markets");
      this.#list.focusSearch(letter);
    };
    byId("picker").addEventListener("click", () => openSearch(""));
    bindKeyboard({
      search: openSearch,
      fold: (side) => this.#folds.toggle(side),
      favourite: (index) => FAVOURITES[index] && this.#go({ interval: FAVOURITES[index] }),
      help: help.open,
    });
    bindTheme(byId("theme-button"), () => this.#chart.recolour());
    bindScaleModes(byId("scale-modes"), (mode) => this.#chart.setScale(mode));
    bindBarWalk(byId("chart-canvas"), {
      bars: () => this.#session.feed.store.all,
      visible: () => this.#chart.chart.timeScale().getVisibleLogicalRange(),
      onBar: (bar) => {
        this.#chart.pointAt(bar);
        this.#announce(this.#figures.sentence());
      },
      onLeave: () => this.#chart.clearPointer(),
    });
  }

  #bindPage() {
    this.#chart.onRange((range) => this.#session.readOlder(range));
    this.#chart.onCrosshair((time_s) => this.#figures.point(time_s));
    new ResizeObserver(() => this.#figures.layOut()).observe(byId("chart"));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return this.#session.feed.pause();
      void this.#session.catchUp();
      void this.#loadMarkets();
      void this.#status.poll();
    });
    // Title and icon show the price of a page out of sight, too: its stream does not rest.
    attend(this.#stream);
  }

  #tick() {
    if (document.hidden) return;
    this.#figures.tick();
    this.#status.show();
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
