/**
 * The shapes that travel between modules, for the checker only: browsers never fetch this file.
 * Times are unix seconds (UTC) unless a name says otherwise (`…Ms`). What the server does not
 * know is absent, never zero.
 */

import type { Api } from "./api.js";
import type { Banner } from "./banner.js";
import type { CandleStore } from "./candles.js";
import type { ChartState } from "./chart-state.js";
import type { ChartView } from "./chart-view.js";
import type { Compare } from "./compare.js";
import type { Figures } from "./figures.js";
import type { BarClock, IntervalBar } from "./interval-bar.js";
import type {
  IChartApi,
  SeriesDataItemTypeMap,
  SeriesDefinition,
  SeriesType,
  Time,
} from "./library.js";
import type { MarketList } from "./market-list.js";
import type { Navigation } from "./navigation.js";
import type { Session } from "./session.js";
import type { Settings } from "./settings.js";
import type { Stream } from "./stream.js";
import type { Studies } from "./studies.js";
import type { Tape } from "./tape.js";

// Data.

export interface Candle {
  /** Start of the bucket. */
  time: number;
  open: number;
  high: number;
  low: number;
  close: number;
  /** In base units. */
  volume: number;
  /** False while a reorg may still change it. */
  final: boolean;
  /** The server has said so; otherwise the clock decides. */
  closed?: boolean;
}

export type Certainty = "forming" | "provisional" | "final";

export interface CandleColumns {
  time: number[];
  open: number[];
  high: number[];
  low: number[];
  close: number[];
  volume: number[];
  final?: boolean[];
}

export interface Market {
  market_id?: number | string;
  symbol: string;
  name?: string;
  exchange?: string;
  base?: string;
  quote?: string;
  current_price?: number;
  price_change_24h?: number;
  price_change_percent_24h?: number;
  high_24h?: number;
  low_24h?: number;
  volume_24h?: number;
  quote_volume_24h?: number;
  trades_24h?: number;
  mark_price?: number;
  funding_rate?: number;
  /** Quote units of all open positions. */
  open_interest?: number;
  chain_id?: number;
  price_decimals?: number;
  /** Hourly closes, oldest first. */
  sparkline?: number[];
}

export interface Trade {
  time: number;
  /** Absent where a trade adds volume only. */
  price?: number;
  size: number;
  side: "buy" | "sell" | null;
  kind: string;
  sequence: string;
  final?: boolean;
  block_number?: number;
  chain_id?: number;
  transaction_hash?: string;
}

/** What a quote tells, in the words of its dialect. */
export interface Quote {
  lp?: number;
  ch?: number;
  chp?: number;
  high_price?: number;
  low_price?: number;
}

export interface Part {
  name: string;
  state: string;
  progress?: number;
  reason?: string | null;
  /** Of a chain: the newest processed block, and the newest there is. */
  block?: number;
  head?: number;
  behind?: number;
  chain_id?: number;
  /** No block up to this one can be replaced. */
  final?: number;
  /** Of the newest processed block. */
  time?: number;
  blocks_per_second?: number;
}

/** What of the open market's chain can no longer be replaced. */
export interface Finality {
  block: number;
}

/** What comparing all candles with their trades came to. */
export interface Verified {
  at: number;
  equal: boolean;
  /** From the first day compared to the last. */
  days: number;
  /** Candles that are not equal. */
  differences: number;
}

export interface Health {
  status: "ready" | "not_ready";
  demo?: boolean;
  trades_stored?: number;
  trades_per_second?: number;
  readers?: number;
  parts?: Part[];
  /** Null when nothing was ever verified. */
  verify?: Verified | null;
}

export interface Bootstrap {
  symbol: string | null;
  interval: string;
  /** What the address asked for, and the same where no market is called so. */
  asked: string;
  unknown: string | null;
  /** Why there is nothing to show yet. */
  failure: string | null;
  /** The open market, which may not be among the first ones. */
  market: Market | null;
  /** The busiest ones. */
  markets: Market[];
  markets_total: number;
  candles: CandleColumns;
  trades: Trade[];
  status: Health;
  intervals: string[];
  version: string;
  /** Most bars of one answer. */
  history_max_bars: number;
  /** Where transactions can be read, with `{hash}`; "" where the operator names no such place. */
  explorer: string;
  /** Server clock in milliseconds. */
  time: number;
}

// What the page shows, and where.

export interface Place {
  symbol: string;
  interval: string;
}

/** What should stay in sight. */
export interface View {
  /** Left edge. */
  from: number;
  /** Right edge, or null when it follows the newest bar. */
  to: number | null;
}

/** Bar numbers, possibly fractional, possibly beyond either end. */
export interface BarRange {
  from: number;
  to: number;
}

/** What the chart shows. */
export interface Subject {
  store: CandleStore;
  interval: string;
  decimals: number;
}

export type Side = "left" | "right";
export type ScaleMode = "normal" | "log" | "percent";
export type BarTypeName = "candles" | "bars" | "line" | "area" | "baseline" | "heikin-ashi";
export type EventKind = "liquidation" | "large_trade" | "funding";
export type TradeFilter = "all" | "medium" | "heavy" | "liquidation";

/** Something worth a mark, as the server tells it. */
export interface ChartEvent {
  kind: EventKind;
  time: number;
  sequence: string;
  /** What was paid in quote units, or the funding rate. */
  value?: number;
  side?: "buy" | "sell" | null;
}

/** The events of one bar. */
export interface EventPlace {
  /** Bar number. */
  index: number;
  events: ChartEvent[];
  /** The one that says most. */
  foremost: ChartEvent;
}

export interface Span {
  from: number;
  /** Exclusive. */
  to: number;
  limit: number;
}

export interface StudyChoice {
  kind: string;
  /** Periods and factors, in the order of the kind's own table. */
  values: number[];
}

/** An indicator's figures, one bar after the other. */
export interface Running {
  /** A value for each line, null while there is none. */
  next: (bar: Candle) => readonly (number | null)[];
  clone: () => Running;
}

export interface StudyInput {
  label: string;
  least: number;
  most: number;
  step: number;
  plain: number;
}

export interface StudyLine {
  /** Beside the value in the legend; "" where the study's name says it. */
  label: string;
  look?: "faint" | "columns" | "steps";
}

/** A figure at a time, from the server. */
export interface Point {
  time: number;
  value: number;
}

/** A kind of indicator. */
export interface Study {
  name: string;
  words: string;
  inputs: StudyInput[];
  lines: StudyLine[];
  /** Absent where it is drawn on the price. */
  pane?: {
    decimals?: number;
    unit?: "percent" | "compact";
    range?: [number, number];
    levels?: number[];
  };
  /** Absent where the server tells it. */
  make?: (values: number[]) => Running;
  /** The route that tells it, and the market's figure without which there is none. */
  told?: { route: string; needs: "funding_rate" | "open_interest" };
}

export interface SettingsValue {
  type: BarTypeName;
  scale: ScaleMode;
  studies: StudyChoice[];
  events: EventKind[];
  /** IANA's name, "UTC" or "local". */
  zone: string;
}

export type Weight = "light" | "medium" | "heavy";
export type SortKey = "symbol" | "change" | "price";
/** Null keeps the server's order. */
export type Sort = { key: SortKey; descending: boolean } | null;

export interface PriceParts {
  /** Everything before the folded zeros, or the whole number. */
  lead: string;
  /** How many zeros are folded, "" when none. */
  zeros: string;
  rest: string;
}

export interface Sparkline {
  path: string;
  /** y of the value 24 h ago. */
  baseline: number;
  end: { x: number; y: number };
}

// Requests and the stream.

export interface MarketPage {
  markets: Market[];
  total: number;
}

export interface Page {
  candles: Candle[];
  /** Where older bars end, null when there are none. */
  olderTo: number | null;
}

export interface PageRequest extends Place {
  to?: number;
  limit: number;
}

/** `u` counts, by stream, the events of which none may be missed. Old servers do not send it. */
export interface Counted {
  u?: number;
}

export interface CandleEvent extends Counted {
  type: "candle";
  symbol: string;
  interval: string;
  candle: Candle;
  sentMs: number;
}

export interface TradeEvent extends Counted {
  type: "trade";
  symbol: string;
  trade: Trade;
  sentMs: number;
}

/** The bars from `from` to before `to` were revised: they are to be read again. */
export interface ResetEvent extends Place, Counted {
  type: "reset";
  from: number;
  to: number;
}

/** The last 24 hours of a market. */
export interface TickerEvent extends Counted {
  type: "ticker";
  symbol: string;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

export type StreamEvent = CandleEvent | TradeEvent | ResetEvent | TickerEvent;

export interface Answer {
  type: "answer";
  id: number;
  error: string | null;
  result: unknown;
}

export type Message = StreamEvent | Answer | { type: "other" };

/** How far a stream was heard, in the numbers of one epoch of the server. */
export interface Position {
  stream: string;
  epoch: string;
  u: number;
}

export type StreamState = "connecting" | "live" | "reconnecting";

/** The part of WebSocket that is used. */
export interface Socket {
  send: (data: string) => void;
  close: (code?: number) => void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
}

export interface StreamOptions {
  openSocket: () => Socket;
  /** Opened in turn with the others while none of them has brought anything. */
  openInstead?: () => Socket;
  onEvent: (event: StreamEvent) => void;
  onState: (state: StreamState) => void;
  /**
   * From now on every event of these streams comes. Of fresh ones those may be missing that came
   * since a page was read; of others anything may have changed.
   */
  onMissed: (streams: string[], isFresh: boolean) => void;
  onLatency?: (ms: number) => void;
  /** Milliseconds. */
  now?: () => number;
  random?: () => number;
  /** Returns its cancellation. */
  schedule?: (work: () => void, ms: number) => () => void;
}

export interface FeedOptions {
  api: Pick<Api, "fetchCandles">;
  /** Most bars that the server answers at once. */
  mostInPage?: () => number;
  /** Bars from this index on have changed. */
  onBar: (firstIndex: number) => void;
  /** All bars may have changed; those of these times have, though they were closed. */
  onReset: (revised?: Set<number>) => void;
  /** Returns its cancellation. */
  schedule?: (work: () => void, ms: number) => () => void;
}

// Status.

export type ConnectionKind = "connecting" | "live" | "reconnecting" | "syncing" | "stale" | "demo";

export interface Connection {
  kind: ConnectionKind;
  word: string;
  detail: string;
}

export interface ConnectionFacts {
  stream: StreamState;
  /** Null when the server did not answer. */
  health: Health | null;
  /** Since when the socket is lost, 0 while it is not. */
  lostMs: number;
  nextAttemptMs: number;
  latencyMs: number | null;
  nowMs: number;
}

export interface StatusFacts {
  connection: Connection;
  health: Health | null;
  lostFor_s: number;
}

export interface BannerFacts extends StatusFacts {
  /** Age of the newest block. */
  lag_s: number | null;
}

/** Why nothing new comes. */
export interface Silence {
  kind: "stale" | "syncing";
  since_s: number;
}

export interface StatusPanelsParts {
  chart: ChartView;
  figures: Figures;
  tape: Tape;
  session: Session;
  banner: Banner;
  announce: (sentence: string) => void;
  now_s: () => number;
}

/** One figure of the strip; text null where it changes with the clock. */
export interface Fact {
  label: string;
  text: string | null;
}

export interface StatusOptions {
  api: Api;
  /** As the page came with it. */
  health: Health;
  stream: () => Stream;
  onStatus: (facts: StatusFacts) => void;
  onHealth: (health: Health) => void;
}

// Drawing.

export interface BarColours {
  body: string;
  edge: string;
  volume: string;
}

export interface BarTone extends BarColours {
  isFinal: boolean;
  /** As the series draws it anyway. */
  isPlain: boolean;
}

/** A bar as the library takes it, in the shape of its series. */
export type BarItem = SeriesDataItemTypeMap<Time>[SeriesType];

/** A kind of main series. */
export interface BarType {
  definition: SeriesDefinition<SeriesType>;
  options: (palette: Palette) => object;
  item: (bar: Candle, tone: BarTone, palette: Palette) => BarItem;
  /** Options that follow the first bar in sight. */
  base?: (bar: Candle) => object;
  /** Makes what turns bars of the store into bars as they are drawn, from the first changed one on. */
  derivation?: () => (bars: readonly Candle[], from: number) => readonly Candle[];
}

/** Where a pane is in the chart, in pixels. */
export interface PanePlace {
  top: number;
  height: number;
}

/** What is drawn along with the bars. */
export interface Layer {
  /** Bars from this one on have changed. */
  draw: (subject: Subject, from: number) => void;
  /** The crosshair is on the bar of this time, or nowhere. */
  point?: (time_s: number | null) => void;
  placed?: (panes: PanePlace[]) => void;
  recolour?: () => void;
}

export type Token =
  | ("screen" | "raised" | "line" | "outline" | "grid")
  | ("ink" | "ink2" | "ink3" | "up" | "down" | "warn" | "accent");

export interface Palette extends Record<Token, string> {
  font: string;
  crosshair: string;
  faint: string;
  bars: Record<"up" | "down", Record<"final" | "open", BarColours>>;
  revised: BarColours;
}

export interface OverlayState {
  palette: Palette;
  /** Of the needle. */
  price: number | null;
  label: string;
  /** Below the label: the countdown, or "no data". */
  note: string;
  isStale: boolean;
  /** Bar number of the first bar that is closed but not final. */
  boundary: number | null;
  gap: Gap | null;
  watermark: string;
}

/** Bar numbers without data; `to` null goes on to the edge. */
export interface Gap {
  from: number;
  to: number | null;
  words?: string;
}

/** The name of what is drawn at a place, null for nothing. */
export type HitTest = (x: number, y: number, scene: Scene) => string | null;

/** Where things are on a canvas, in media pixels. */
export interface Scene {
  width: number;
  height: number;
  yOf: (price: number) => number | null;
  xOf: (logical: number) => number | null;
}

export type Draw = (context: CanvasRenderingContext2D, state: OverlayState, scene: Scene) => void;

// Parts of the page and what they are given.

/** What the integrator's panel offers to copy. */
export interface Snippet {
  title: string;
  /** "" where it says how many messages come. */
  hint: string;
  /** Texts, and whether each is what one would change. */
  code: [text: string, isOwn?: boolean][];
}

export interface Measured {
  change: number;
  percent: number;
  bars: number;
  seconds: number;
}

export interface Choice {
  label: string;
  hint: string;
  value: string;
}

export interface ChooserOptions {
  title: string;
  placeholder: string;
  find: (query: string) => Choice[] | Promise<Choice[]>;
  choose: (value: string) => void;
}

export type Child = Node | string | null | undefined | false;

export interface MenuItem {
  label: string;
  hint?: string;
  /** Absent where it does something once. */
  kind?: "radio" | "checkbox";
  isChecked?: () => boolean;
  choose: () => void;
}

export interface Stat {
  label: string;
  textOf: (market: Market, decimals: number) => string | null;
  /** Shown as unknown rather than left out. */
  always?: boolean;
}

export interface MarketSearchParts {
  input: HTMLInputElement;
  sorts: HTMLElement;
  list: MarketList;
  /** Whether all markets of the server are in the list. */
  isWhole: () => boolean;
  ask: (query: string) => Promise<Market[]>;
}

export interface KeyActions {
  search: (letter: string) => void;
  fold: (side: Side) => void;
  favourite: (index: number) => void;
  help: () => void;
}

export interface WalkOptions {
  bars: () => readonly Candle[];
  /** Bar numbers in sight. */
  visible: () => BarRange | null;
  onBar: (bar: Candle) => void;
  onLeave: () => void;
  onEnter?: (bar: Candle) => void;
}

export interface FiguresParts {
  session: Session;
  chart: ChartView;
  clock: BarClock;
  list: MarketList;
  now_s: () => number;
}

/** The numbers around a chart. */
export interface FiguresPanel {
  showPlace: (place: Place, market: Market | undefined) => void;
  /** Everything that follows the last price. */
  show: () => void;
  barsChanged: () => void;
}

/** What a session may show; a chart in a frame has neither list nor tape. */
export interface Panels {
  chart: ChartView;
  state: ChartState;
  figures: FiguresPanel;
  list?: MarketList;
  tape?: Tape;
  intervals?: IntervalBar;
  announce?: (sentence: string) => void;
}

/** Told of everything that happens to the open market. */
export interface Companion {
  /** What it needs of the stream. */
  streams?: () => string[];
  received?: (event: StreamEvent) => void;
  /** Another market or interval is on screen. */
  opened?: (change: { isOther: boolean }) => void;
  /** Older bars have joined. */
  grown?: () => void;
  /** Events may have been missed. */
  missed?: (streams?: string[]) => Promise<void> | void;
}

/** The parts of the page, as its composition root hands them on. */
export interface DashboardParts extends Required<Panels> {
  figures: Figures;
  bootstrap: Bootstrap;
  settings: Settings;
  api: Api;
  navigation: Navigation;
  clock: BarClock;
  session: Session;
  now_s: () => number;
  go: (change: Partial<Place>) => void;
  open: (place: Place) => Promise<void>;
  /** Loaded late. */
  studies?: Studies;
  compare?: Compare;
  events?: { show: (kinds: EventKind[]) => void };
  /** What makes way when the reader goes somewhere else. */
  onGo?: () => void;
}

/** What the page puts on `window.__chart`, for tests and for the curious. */
export interface Inspection {
  chart: IChartApi;
  candles: () => Candle[];
}

declare global {
  interface Window {
    __chart: Inspection;
  }
}
