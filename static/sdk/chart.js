/**
 * `<appliance-chart symbol="GOLD" interval="1m" theme="dark" api="https://…">`: a live chart for
 * any page. Load this module from the appliance; where its data comes from follows from that.
 */

// What others import late, and the largest, begins to load with the first.
import "../js/library.js";
import "../js/chart-view.js";
import "../js/feed.js";
import { bindBarWalk } from "../js/bar-walk.js";
import { normalInterval } from "../js/intervals.js";
import { ChartPanel } from "./chart-panel.js";
import { ChartSession } from "./chart-session.js";
import { loadFont } from "./chart-style.js";
import { HOME, serverAddress } from "./home.js";

/** @import * as Public from "./types/chart.js" */
/** @import { PanelState, SessionState } from "./parts.js" */

const NAME = "appliance-chart";
const DEFAULT_INTERVAL = "1m";
/** Servers that render pages know no elements, and need none. */
const Base = globalThis.HTMLElement ?? /** @type {typeof HTMLElement} */ (class {});

export class ApplianceChart extends Base {
  static {
    /** The checker sees to it that chart.d.ts tells pages the truth. @type {typeof Public.ApplianceChart} */
    const declared = ApplianceChart;
    void declared;
  }

  static observedAttributes = ["symbol", "interval", "theme", "palette", "api"];

  /** @type {ChartPanel | null} */
  #panel = null;
  /** @type {ChartSession | null} */
  #session = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** The server's clock less the viewer's. */
  #aheadMs = 0;
  #isAsked = false;
  /** @type {Public.ChartState} */
  #state = "loading";

  get symbol() {
    return this.getAttribute("symbol") ?? "";
  }
  set symbol(value) {
    this.setAttribute("symbol", value);
  }

  get interval() {
    return this.getAttribute("interval") ?? DEFAULT_INTERVAL;
  }
  set interval(value) {
    this.setAttribute("interval", value);
  }

  get theme() {
    return this.getAttribute("theme") ?? "";
  }
  set theme(value) {
    this.setAttribute("theme", value);
  }

  get palette() {
    return this.getAttribute("palette") ?? "";
  }
  set palette(value) {
    this.setAttribute("palette", value);
  }

  get api() {
    return this.getAttribute("api") ?? "";
  }
  set api(value) {
    this.setAttribute("api", value);
  }

  get state() {
    return this.#state;
  }

  /** Copies: what is drawn stays ours. */
  get bars() {
    return (this.#session?.feed.store.all ?? []).map(publicBar);
  }

  get chart() {
    return this.#panel?.chart ?? null;
  }

  connectedCallback() {
    if (this.#panel) return; // it was only moved
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    this.#panel = new ChartPanel({
      root,
      now_s: () => (Date.now() + this.#aheadMs) / 1000,
      onRange: (range) => void this.#session?.readOlder(range),
    });
    this.#bindKeys(this.#panel);
    this.#timer = setInterval(() => document.hidden || this.#session?.tick(), 1000);
    void loadFont(HOME).then(() => this.#panel?.recolour());
    this.#open();
  }

  disconnectedCallback() {
    // Pages and frameworks take elements out to put them in elsewhere.
    queueMicrotask(() => this.isConnected || this.#close());
  }

  /** @param {string} name @param {string | null} before @param {string | null} after */
  attributeChangedCallback(name, before, after) {
    if (!this.#panel || before === after) return;
    if (name === "theme" || name === "palette") return this.#panel.recolour();
    if (this.#isAsked) return;
    // Several attributes change at once as a rule.
    this.#isAsked = true;
    queueMicrotask(() => {
      this.#isAsked = false;
      if (this.#panel) this.#open();
    });
  }

  #open() {
    this.#session?.close();
    this.#session = null;
    const panel = /** @type {ChartPanel} */ (this.#panel);
    panel.showPlace(this.symbol, this.interval);
    try {
      this.#session = this.#createSession(panel);
    } catch (error) {
      const fact = error instanceof Error ? error.message : String(error);
      return this.#show("error", { title: "No chart", fact });
    }
    void this.#session.open();
    this.#session.tick();
  }

  /** @param {ChartPanel} panel */
  #createSession(panel) {
    const interval = normalInterval(this.interval);
    if (!this.symbol) throw new TypeError(`symbol must be given, as in <${NAME} symbol="GOLD">`);
    if (!interval) throw new RangeError(`interval must be like 1m or 4h, was '${this.interval}'`);
    const session = new ChartSession({
      server: serverAddress(this.api),
      symbol: this.symbol,
      interval,
      panel,
      now_s: () => (Date.now() + this.#aheadMs) / 1000,
      onClock: (sentMs) => {
        if (Number.isFinite(sentMs)) this.#aheadMs = sentMs - Date.now();
      },
      onState: (state, words) => session === this.#session && this.#show(state, words),
      onConnection: (kind) => {
        this.dataset.connection = kind;
      },
      onBar: (bar) => {
        const detail = bar ? publicBar(bar) : null;
        this.dispatchEvent(new CustomEvent("bar", { detail }));
      },
    });
    return session;
  }

  /** @param {SessionState} state @param {{title: string, fact: string}} [words] */
  #show(state, words) {
    this.#state = state;
    this.dataset.state = state;
    this.#panel?.showState(this.#words(state, words));
    const detail = { state, message: words ? `${words.title}: ${words.fact}` : "" };
    this.dispatchEvent(new CustomEvent("statechange", { detail }));
  }

  /** @param {SessionState} state @param {{title: string, fact: string}} [words] @returns {PanelState | null} */
  #words(state, words) {
    if (state === "ready") return null;
    if (state === "loading") return { kind: state, title: "Loading", fact: "" };
    const fact = `The first trade in ${this.symbol} draws the first bar.`;
    if (state === "empty") return { kind: state, title: "No trades yet", fact };
    const retry = this.#session ? () => this.#session?.retryNow() : undefined;
    return { kind: state, title: "No chart", fact: "", ...words, ...(retry && { retry }) };
  }

  /** @param {ChartPanel} panel */
  #bindKeys(panel) {
    bindBarWalk(panel.canvas, {
      bars: () => this.#session?.feed.store.all ?? [],
      visible: () => panel.chart.timeScale().getVisibleLogicalRange(),
      onBar: (bar) => panel.pointAt(bar),
      onLeave: () => panel.chart.clearCrosshairPosition(),
    });
  }

  #close() {
    clearInterval(this.#timer);
    this.#session?.close();
    this.#panel?.close();
    this.#session = null;
    this.#panel = null;
  }
}

/** @param {import("../js/types.js").Candle} candle @returns {Public.Bar} */
function publicBar({ time, open, high, low, close, volume, final }) {
  return { time, open, high, low, close, volume, final };
}

// A page may load this module twice, by two addresses.
if (globalThis.customElements && !customElements.get(NAME)) {
  customElements.define(NAME, ApplianceChart);
}
