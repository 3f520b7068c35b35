/** The integrator's panel: what to copy to have this chart and its data elsewhere, and live answers. */

import { copyButton } from "./copying.js";
import { element } from "./element.js";
import { frameBuilder } from "./frame-builder.js";
import { formatFixed, THIN } from "./numbers.js";
import { candleStream, compactSymbol } from "./protocol.js";
import { sidePanel } from "./side-panel.js";

/** @import { Companion, DashboardParts, Snippet } from "./types.js" */

const NAME = "integrate";
const RATE_OVER_S = 10;
const TRY_AGAIN_MS = 10_000;

/** @param {DashboardParts} parts */
export function toggleIntegrate(parts) {
  const panel = sidePanel();
  if (panel.name === NAME) return panel.close();
  new Integrate(parts).open();
}

/** @implements {Companion} */
class Integrate {
  #parts;
  #rate = element("span", "snippet-live", "WebSocket");
  #tries = element("tbody");
  /** Moments of messages, in milliseconds. @type {number[]} */
  #heard = [];
  /** @type {ReturnType<typeof setInterval>[]} */
  #timers = [];

  /** @param {DashboardParts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  open() {
    const { session } = this.#parts;
    session.join(this);
    this.#timers = [
      setInterval(() => this.#showRate(), 1000),
      setInterval(() => document.hidden || this.#try(), TRY_AGAIN_MS),
    ];
    this.#draw();
  }

  #close() {
    this.#parts.session.leave(this);
    this.#timers.forEach(clearInterval);
  }

  /** Another market: everything that is copied names it. */
  opened() {
    if (sidePanel().name === NAME) this.#draw();
  }

  #draw() {
    const { symbol, interval } = this.#parts.session.feed;
    const server = location.origin;
    sidePanel().open(NAME, {
      title: "Use this chart and its data",
      subtitle: `${symbol}, ${interval}. Every snippet runs as it is.`,
      content: [
        ...snippets(server, symbol, interval).map((snippet) => this.#section(snippet)),
        frameBuilder(server, symbol, interval),
        this.#trySection(),
      ],
      onClose: () => this.#close(),
    });
    void this.#try();
  }

  /** @param {Snippet} snippet */
  #section({ title, hint, code }) {
    const isLive = hint === "";
    const words = isLive ? this.#rate : element("span", "snippet-hint", hint);
    const text = code.map(([text]) => text).join("");
    const head = element("div", "snippet-head", element("h3", "", title), words);
    head.append(copyButton(title.toLowerCase(), () => text));
    return element("section", "snippet", head, codeNode(code));
  }

  /** @param {import("./types.js").StreamEvent} event */
  received(event) {
    const { symbol, interval } = this.#parts.session.feed;
    const isOurs = event.type === "candle" && event.interval === interval;
    if (isOurs && event.symbol === compactSymbol(symbol)) this.#heard.push(performance.now());
  }

  #showRate() {
    const since = performance.now() - RATE_OVER_S * 1000;
    this.#heard = this.#heard.filter((at) => at >= since);
    const rate = this.#heard.length / RATE_OVER_S;
    this.#rate.textContent = `WebSocket, ${formatFixed(rate, rate < 10 ? 1 : 0)} messages/s`;
    this.#rate.toggleAttribute("data-heard", rate > 0);
  }

  #trySection() {
    const head = element("div", "snippet-head", element("h3", "", "Try it"));
    head.append(element("span", "snippet-hint", "answers from this server"));
    const table = element("table", "data-table tries", this.#tries);
    table.setAttribute("aria-label", "Answers: path, status, time, size");
    return element("section", "snippet", head, table);
  }

  async #try() {
    const { symbol, interval } = this.#parts.session.feed;
    const rows = await Promise.all(paths(symbol, interval).map((path) => tried(path)));
    this.#tries.replaceChildren(...rows);
  }
}

/**
 * @param {string} symbol
 * @param {string} interval
 */
function paths(symbol, interval) {
  const asked = encodeURIComponent(symbol);
  const plain = compactSymbol(symbol).toUpperCase();
  return [
    "/api/tradingview/config",
    `/api/lightweight/ohlcv?symbol=${asked}&timeframe=${interval}`,
    `/api/v3/klines?symbol=${encodeURIComponent(plain)}&interval=${interval}`,
    "/api/lightweight/markets",
  ];
}

/** @param {string} path */
async function tried(path) {
  const began = performance.now();
  const answer = await fetch(path).catch(() => null);
  const body = await answer?.arrayBuffer().catch(() => null);
  const ms = performance.now() - began;
  const link = element("a", "", path.split("?")[0]);
  link.href = path;
  link.target = "_blank";
  const size = body ? `${formatFixed(body.byteLength / 1000, 1)}${THIN}kB` : "—";
  const status = element("td", answer?.ok ? "" : "failed", answer ? String(answer.status) : "—");
  return element(
    "tr",
    "",
    element("td", "text", link),
    status,
    element("td", "", `${Math.max(1, Math.round(ms))}${THIN}ms`),
    element("td", "", size),
  );
}

/**
 * Text in ink is what one would change.
 * @param {Snippet["code"]} code
 */
export function codeNode(code) {
  const node = element("pre", "code");
  for (const [text, isOwn] of code) node.append(isOwn ? element("b", "", text) : text);
  node.tabIndex = 0;
  return node;
}

/**
 * @param {string} server
 * @param {string} symbol
 * @param {string} interval
 * @returns {Snippet[]}
 */
function snippets(server, symbol, interval) {
  const socket = `${server.replace(/^http/, "ws")}/ws`;
  return [
    {
      title: "TradingView widget",
      hint: "datafeed URL",
      code: [[`${server}/api/tradingview`, true]],
    },
    {
      title: "Datafeed module",
      hint: "live bars for the widget",
      code: [
        ["import { Datafeed } from\n  "],
        [`"${server}/sdk/datafeed.js"`, true],
        [";\nnew TradingView.widget({\n  datafeed: new Datafeed(),\n  symbol: "],
        [`"${symbol}"`, true],
        [", container,\n});"],
      ],
    },
    {
      title: "Chart on your page",
      hint: "ES module",
      code: [
        ['<script type="module"\n  src="'],
        [`${server}/sdk/chart.js`, true],
        ['">\n</script>\n<appliance-chart '],
        [`symbol="${symbol}" interval="${interval}"`, true],
        [">\n</appliance-chart>"],
      ],
    },
    {
      title: "Live bars",
      hint: "",
      code: [
        ["const ws = new WebSocket(\n  "],
        [`"${socket}"`, true],
        [");\nws.onopen = () => ws.send(JSON.stringify({\n  "],
        ['method: "SUBSCRIBE", id: 1,', true],
        ["\n  "],
        [`params: ["${candleStream(symbol, interval)}"] }));`, true],
      ],
    },
  ];
}
