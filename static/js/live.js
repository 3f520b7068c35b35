/**
 * What makes the first picture live: the stream, the server's status, keys, menus, and the list's
 * search. Loaded once candles are on screen; what few readers open is loaded when they open it.
 */

import { attend } from "./attention.js";
import { Banner } from "./banner.js";
import { bindBarClick } from "./bar-click.js";
import { bindBarWalk } from "./bar-walk.js";
import { byId } from "./element.js";
import { eventSockets } from "./event-socket.js";
import { Favicon } from "./favicon.js";
import { FAVOURITES } from "./intervals.js";
import { bindKeyboard } from "./keyboard.js";
import { bindTabs, createFolds } from "./layout.js";
import { bindLookMenu } from "./look-menu.js";
import { MarketPoll } from "./market-poll.js";
import { MarketSearch } from "./market-search.js";
import { MarketWatch } from "./market-watch.js";
import { bindMenu } from "./menu.js";
import { bindScaleModes } from "./scale-modes.js";
import { Status } from "./status.js";
import { StatusPanels } from "./status-panels.js";
import { Stream } from "./stream.js";
import { bindTools, closePanel, openBar, openIntegrate } from "./tools.js";
import { bindTypeMenu } from "./type-menu.js";

/** @import { DashboardParts, Market } from "./types.js" */

export class Live {
  #parts;
  #folds = createFolds(byId("tape-toggle"));
  #tabs = bindTabs(byId("tabs"), (name) => this.#showTab(name));
  #stream;
  #status;
  #poll;
  #search;

  /** @param {DashboardParts} parts */
  constructor(parts) {
    this.#parts = parts;
    this.#stream = this.#createStream();
    this.#status = this.#createStatus();
    this.#poll = this.#createPoll();
    this.#search = new MarketSearch({
      input: /** @type {HTMLInputElement} */ (byId("search")),
      sorts: byId("market-sorts"),
      list: parts.list,
      isWhole: () => this.#poll.isWhole,
      ask: async (query) => (await parts.api.fetchMarkets({ query, limit: 100 })).markets,
    });
  }

  start() {
    const { bootstrap, session, navigation, open } = this.#parts;
    this.#search.count(bootstrap.markets_total);
    session.connect((streams) => this.#stream.want(streams));
    navigation.listen((place) => void open(place));
    this.#bindControls();
    this.#bindPage();
    new MarketWatch(this.#parts);
    void restore(this.#parts);
    this.#stream.start();
    this.#poll.start();
    setInterval(() => this.#tick(), 1000);
    this.#tick();
  }

  #createStream() {
    const { session } = this.#parts;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    return new Stream({
      openSocket: () => new WebSocket(`${scheme}//${location.host}/ws`),
      openInstead: eventSockets(location.origin),
      onEvent: (event) => session.receive(event),
      onState: (state) => this.#status?.setStream(state),
      onMissed: (streams, isFresh) => void session.missed(streams, isFresh),
      onLatency: (ms) => this.#status.setLatency(ms),
    });
  }

  #createStatus() {
    const { api, bootstrap, chart, figures, tape, announce, session, now_s } = this.#parts;
    const panels = new StatusPanels({
      ...{ chart, figures, tape, announce, session, now_s },
      banner: new Banner(byId("banner"), () => this.#tryNow()),
    });
    return new Status({
      api,
      health: bootstrap.status,
      stream: () => this.#stream,
      onHealth: (health) => panels.showHealth(health),
      onStatus: (status) => panels.showStatus(status),
    });
  }

  #createPoll() {
    const { api, bootstrap, list } = this.#parts;
    return new MarketPoll(api, {
      total: bootstrap.markets_total,
      drawn: () => list.drawn,
      held: () => list.markets,
      onMarkets: (markets, total) => this.#showMarkets(markets, total),
    });
  }

  /**
   * @param {Market[]} markets
   * @param {number} total
   */
  #showMarkets(markets, total) {
    const { session, navigation, open, bootstrap } = this.#parts;
    session.showMarkets(markets);
    this.#search.count(total);
    const first = markets[0];
    // The first market of a store that was empty opens by itself, and what could not be read.
    if (!first || session.feed.symbol || bootstrap.unknown) return;
    navigation.place = { ...navigation.place, symbol: bootstrap.asked || first.symbol };
    void open(navigation.place);
  }

  #bindControls() {
    const { list, chart, intervals, settings, go } = this.#parts;
    const openSearch = (/** @type {string} */ letter) => {
      this.#folds.open("left");
      this.#tabs.show("markets");
      list.focusSearch(letter);
    };
    this.#parts.onGo = () => {
      this.#tabs.show("chart");
      this.#folds.closeOverlay();
      if (matchMedia("(max-width: 599px)").matches) void closePanel();
    };
    byId("picker").addEventListener("click", () => openSearch(""));
    byId("help-button").addEventListener("click", openHelp);
    bindMenu(intervals.more, "More intervals", () => intervals.items());
    bindTypeMenu(byId("type-button"), this.#parts);
    bindLookMenu(byId("theme-button"), this.#parts);
    bindTools(this.#parts);
    bindScaleModes(byId("scale-modes"), settings.value.scale, (scale) => {
      settings.set({ scale });
      chart.setScale(scale);
    });
    bindKeyboard({
      search: openSearch,
      fold: (side) => this.#folds.toggle(side),
      favourite: (index) => FAVOURITES[index] && go({ interval: FAVOURITES[index] }),
      help: openHelp,
    });
    this.#bindWalk();
  }

  #bindWalk() {
    const { chart, session, figures, announce } = this.#parts;
    bindBarWalk(byId("chart-canvas"), {
      bars: () => session.feed.store.all,
      visible: () => chart.chart.timeScale().getVisibleLogicalRange(),
      onBar: (bar) => {
        chart.pointAt(bar);
        announce(figures.sentence());
      },
      onLeave: () => chart.clearPointer(),
      onEnter: (bar) => void openBar(this.#parts, bar),
    });
  }

  #bindPage() {
    const { chart, session, figures } = this.#parts;
    chart.onRange((range) => session.readOlder(range));
    chart.onCrosshair((time_s) => figures.point(time_s));
    bindBarClick(chart, (bar) => void openBar(this.#parts, bar));
    addEventListener("panelclose", () => {
      if (document.body.dataset.tab === "integrate") this.#tabs.show("chart");
    });
    const favicon = new Favicon();
    figures.onPrice = (price, market) => favicon.show(price, market);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return session.feed.pause();
      void session.catchUp();
      void this.#poll.poll();
      void this.#status.poll();
    });
    // Title and icon show the price of a page out of sight, too: its stream does not rest.
    attend(this.#stream);
  }

  /** @param {string} name */
  #showTab(name) {
    if (name === "integrate") void openIntegrate(this.#parts);
    else void closePanel();
  }

  #tryNow() {
    this.#stream.retryNow();
    void this.#status.poll();
    void this.#parts.session.catchUp();
  }

  #tick() {
    if (document.hidden) return;
    this.#parts.figures.tick();
    this.#status.show();
  }
}

/** What most readers see, but candles need not wait for. @param {DashboardParts} parts */
async function restore(parts) {
  const { studiesOf } = await import("./studies.js");
  studiesOf(parts);
  const { Events } = await import("./events.js");
  parts.events = new Events(parts);
}

async function openHelp() {
  const { showHelp } = await import("./help.js");
  showHelp();
}
