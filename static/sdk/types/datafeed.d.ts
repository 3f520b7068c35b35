/**
 * Types of /sdk/datafeed.js, for projects in TypeScript: keep a copy among your sources and let
 * `paths` in tsconfig.json lead from the module's address to it, as docs/sdk.md shows.
 */

export interface DatafeedOptions {
  /** The appliance's address, if it is not the one this module came from. */
  api?: string | null;
}

export interface DatafeedConfiguration {
  supported_resolutions: string[];
  supports_search: boolean;
  supports_group_request: boolean;
  supports_marks: boolean;
  supports_timescale_marks: boolean;
  supports_time: boolean;
  exchanges: { value: string; name: string; desc: string }[];
  symbols_types: { name: string; value: string }[];
}

/** What a chart must know of a market; all times are UTC, sessions around the clock. */
export interface SymbolInfo {
  name: string;
  ticker?: string;
  description: string;
  type: string;
  exchange: string;
  listed_exchange: string;
  session: string;
  timezone: string;
  format: string;
  minmov: number;
  pricescale: number;
}

export interface SymbolResult {
  symbol: string;
  full_name?: string;
  description: string;
  exchange: string;
  ticker?: string;
  type: string;
}

/** `time` is the bar's start in milliseconds. */
export interface Bar {
  time: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume?: number;
}

/** `from` (inclusive) and `to` (exclusive) in seconds. */
export interface PeriodParams {
  from: number;
  to: number;
  countBack?: number;
  firstDataRequest?: boolean;
}

/** `nextTime`, in milliseconds, is where the next older bar starts. */
export interface HistoryMetadata {
  noData?: boolean;
  nextTime?: number;
}

export interface Mark {
  id: string | number;
  time: number;
  color: string;
  text: string;
  label: string;
  labelFontColor: string;
  minSize: number;
}

export interface TimescaleMark {
  id: string | number;
  time: number;
  color: string;
  label: string;
  tooltip: string[];
}

/** Of the last 24 hours; what is not known is absent. `n` is the symbol as it was asked for. */
export interface QuoteValues {
  short_name?: string;
  exchange?: string;
  description?: string;
  lp?: number;
  ch?: number;
  chp?: number;
  bid?: number;
  ask?: number;
  spread?: number;
  open_price?: number;
  high_price?: number;
  low_price?: number;
  prev_close_price?: number;
  volume?: number;
}

export type Quote =
  | { s: "ok"; n: string; v: QuoteValues }
  | { s: "error"; n: string; v: Record<string, never> };

/** TradingView's Datafeed API, for its charting library and its trading platform. */
export class Datafeed {
  /**
   * Fetches nothing before it is asked to.
   * @throws TypeError where `api` is no address
   */
  constructor(options?: DatafeedOptions);

  onReady(callback: (configuration: DatafeedConfiguration) => void): void;
  searchSymbols(
    userInput: string,
    exchange: string,
    symbolType: string,
    onResult: (items: SymbolResult[]) => void,
  ): void;
  resolveSymbol(
    symbolName: string,
    onResolve: (symbolInfo: SymbolInfo) => void,
    onError: (reason: string) => void,
  ): void;
  getBars(
    symbolInfo: Pick<SymbolInfo, "name" | "ticker">,
    resolution: string,
    periodParams: PeriodParams,
    onResult: (bars: Bar[], meta: HistoryMetadata) => void,
    onError: (reason: string) => void,
  ): void;
  subscribeBars(
    symbolInfo: Pick<SymbolInfo, "name" | "ticker">,
    resolution: string,
    onTick: (bar: Bar) => void,
    listenerGuid: string,
    onResetCacheNeededCallback: () => void,
  ): void;
  unsubscribeBars(listenerGuid: string): void;
  getMarks(
    symbolInfo: Pick<SymbolInfo, "name" | "ticker">,
    from: number,
    to: number,
    onDataCallback: (marks: Mark[]) => void,
    resolution: string,
  ): void;
  getTimescaleMarks(
    symbolInfo: Pick<SymbolInfo, "name" | "ticker">,
    from: number,
    to: number,
    onDataCallback: (marks: TimescaleMark[]) => void,
    resolution: string,
  ): void;
  getServerTime(callback: (unixTime: number) => void): void;
  getQuotes(
    symbols: string[],
    onDataCallback: (quotes: Quote[]) => void,
    onErrorCallback: (reason: string) => void,
  ): void;
  subscribeQuotes(
    symbols: string[],
    fastSymbols: string[],
    onRealtimeCallback: (quotes: Quote[]) => void,
    listenerGUID: string,
  ): void;
  unsubscribeQuotes(listenerGUID: string): void;

  /**
   * History that was read already has changed, and every widget's cache was told to forget it: call
   * `resetData()` of the charts now. Returns what ends it.
   */
  onReset(listener: () => void): () => void;

  /** Ends all subscriptions, as when the widget is removed. */
  close(): void;
}
