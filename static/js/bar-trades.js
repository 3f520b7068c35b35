/** The trades of one bar, each with its block and its transaction. */

import { transactionAddress } from "./chain-part.js";
import { button, element } from "./element.js";
import { eventWords } from "./event-words.js";
import { bucketEnd, intervalSeconds } from "./intervals.js";
import { formatCompact, formatCount, formatFixed, formatSize, UNKNOWN } from "./numbers.js";
import { showPrice } from "./price.js";
import { sidePanel } from "./side-panel.js";
import { formatClock, formatWhole } from "./times.js";

/** @import { Candle, DashboardParts, Trade } from "./types.js" */

const NAME = "bar";
const MOST = 1000;
const TONES = { buy: "up", sell: "down" };

/**
 * @param {DashboardParts} parts
 * @param {Candle} bar
 */
export async function showBarTrades(parts, bar) {
  const { api, session, announce } = parts;
  const { symbol, interval } = session.feed;
  const panel = sidePanel();
  const title = `Trades of ${formatWhole(bar.time, intervalSeconds(interval))}`;
  const ghosts = Array.from({ length: 4 }, () => element("div", "ghost-row"));
  panel.open(NAME, { title, subtitle: `${symbol}, ${interval}`, content: ghosts });
  const span = { from: bar.time, to: bucketEnd(interval, bar.time), limit: MOST };
  try {
    const trades = await api.fetchTradesBetween(symbol, span);
    if (panel.name !== NAME) return;
    const words = summary(trades, symbol, interval);
    panel.say(words);
    panel.fill(trades.length ? tradesTable(parts, trades) : nothing());
    announce(`${title}: ${words}`);
  } catch (error) {
    const fact = error instanceof Error ? error.message : String(error);
    panel.fill(failure(fact, () => void showBarTrades(parts, bar)));
  }
}

/**
 * @param {Trade[]} trades
 * @param {string} symbol
 * @param {string} interval
 */
function summary(trades, symbol, interval) {
  const size = trades.reduce((sum, trade) => sum + trade.size, 0);
  const count =
    trades.length === MOST ? `the newest ${formatCount(MOST)}` : formatCount(trades.length);
  return `${symbol}, ${interval}: ${count} trades, ${formatCompact(size)} in all`;
}

function nothing() {
  const fact = "Its raw trades are not kept any more, or its price moved without one.";
  return element("div", "panel-state", element("h3", "", "No trades here"), element("p", "", fact));
}

/**
 * @param {string} fact
 * @param {() => void} retry
 */
function failure(fact, retry) {
  const node = element("div", "panel-state", element("h3", "", "Trades did not load"));
  node.append(element("p", "", `${fact} Bars are not affected.`), button("Try again", retry));
  node.dataset.kind = "error";
  return node;
}

const HEADS = ["Time", "Price", "Size", "Block", "Transaction"];

/**
 * @param {DashboardParts} parts
 * @param {Trade[]} trades
 */
function tradesTable(parts, trades) {
  const heads = HEADS.map((name) => {
    const head = element("th", name === "Time" || name === "Transaction" ? "text" : "", name);
    head.scope = "col";
    return head;
  });
  const rows = trades.map((trade) => tradeRow(parts, trade));
  return element(
    "table",
    "data-table",
    element("thead", "", element("tr", "", ...heads)),
    element("tbody", "", ...rows),
  );
}

/**
 * @param {DashboardParts} parts
 * @param {Trade} trade
 */
function tradeRow({ session, bootstrap }, trade) {
  const price = element("td", trade.side ? TONES[trade.side] : "");
  showPrice(price, trade.price, session.subject.decimals);
  const block = trade.block_number === undefined ? UNKNOWN : formatFixed(trade.block_number, 0);
  const row = element(
    "tr",
    "",
    element("td", "text", formatClock(trade.time)),
    price,
    element("td", "", formatSize(trade.size)),
    element("td", "", block),
    element(
      "td",
      "text",
      transactionNode(trade, transactionAddress(trade, session.market, bootstrap.explorer)),
    ),
  );
  if (trade.kind === "liquidation") {
    row.dataset.liquidation = "";
    row.title = eventWords({
      ...trade,
      kind: "liquidation",
      value: trade.size * (trade.price ?? 0),
    });
  }
  return row;
}

/**
 * @param {Trade} trade
 * @param {string | null} address
 */
function transactionNode({ transaction_hash: hash }, address) {
  if (!hash) return UNKNOWN;
  const short = `${hash.slice(0, 6)}…${hash.slice(-4)}`;
  if (!address) {
    const node = element("span", "", short);
    node.title = hash;
    return node;
  }
  const link = element("a", "", short);
  link.href = address;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  link.title = hash;
  return link;
}
