/** The shapes inside the modules of /sdk, for the checker only; pages use datafeed.d.ts and chart.d.ts. */

import type { LogicalRange } from "../js/library.js";
import type {
  Candle,
  ConnectionKind,
  StreamEvent,
  StreamOptions,
  StreamState,
} from "../js/types.js";
import type { ChartPanel } from "./chart-panel.js";
import type { Hub } from "./hub.js";
import type { Bar, Quote } from "./types/datafeed.js";
import type { Udf } from "./udf.js";

/** Who is told of streams. */
export interface Follower {
  onEvent: (event: StreamEvent) => void;
  /** Events may be missing up to now: by a moment if fresh, else anything may have changed. */
  onMissed: (isFresh: boolean) => void;
  onState?: (state: StreamState) => void;
}

export interface Topic {
  /** Nobody, while it lingers. */
  followers: Set<Follower>;
  /** The server has taken it up. */
  isUnderWay: boolean;
  /** Ends its lingering. */
  keep: () => void;
}

export interface HubOptions
  extends Omit<StreamOptions, "onEvent" | "onMissed" | "onState" | "onLatency"> {
  page?: Document;
}

// The datafeed.

export type Schedule = (work: () => void, ms: number) => () => void;

export interface UdfOptions {
  fetch?: (address: string, init: { signal: AbortSignal }) => Promise<Response>;
  schedule?: Schedule;
  /** Milliseconds. */
  now?: () => number;
}

export interface BarsQuestion {
  symbol: string;
  resolution: string;
  /** Unix seconds. */
  from: number;
  to: number;
  countback: number;
}

export interface BarsAnswer {
  bars: Bar[];
  /** Where the next older bar starts, in seconds, if that is known. */
  nextTime: number | null;
}

export type History =
  | {
      s: "ok";
      t: number[];
      o: number[];
      h: number[];
      l: number[];
      c: number[];
      v: number[];
    }
  | { s: "no_data"; nextTime?: number };

export interface LiveBarsOptions {
  udf: Pick<Udf, "bars">;
  hub: Pick<Hub, "follow">;
  symbol: string;
  resolution: string;
  /** The last ones that the widget has, ascending. */
  bars: Bar[];
  onBar: (bar: Bar) => void;
  /** Bars before the last one have changed. */
  onResetNeeded: () => void;
}

export interface LiveQuotesOptions {
  udf: Pick<Udf, "quotes">;
  hub: Pick<Hub, "follow">;
  /** Out of sight, and in sight. */
  symbols: string[];
  fastSymbols: string[];
  onQuotes: (quotes: Quote[]) => void;
  schedule?: Schedule;
}

// The chart.

export type SessionState = "loading" | "ready" | "empty" | "error";

export interface PanelOptions {
  root: ShadowRoot;
  now_s: () => number;
  onRange: (range: LogicalRange | null) => void;
}

export interface PanelState {
  kind: string;
  title: string;
  fact: string;
  retry?: () => void;
}

export interface SessionOptions {
  server: string;
  symbol: string;
  interval: string;
  panel: ChartPanel;
  now_s: () => number;
  /** The server's clock, in milliseconds, as events tell it. */
  onClock: (sentMs: number) => void;
  onState: (state: SessionState, words?: { title: string; fact: string }) => void;
  onConnection: (kind: ConnectionKind) => void;
  onBar: (last: Candle | undefined) => void;
}
