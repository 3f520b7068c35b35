/**
 * Types of /sdk/chart.js, for projects in TypeScript: keep a copy among your sources and let `paths`
 * in tsconfig.json lead from the module's address to it, as docs/sdk.md shows.
 */

export type ChartState = "loading" | "ready" | "empty" | "error";

/** `time` is the bar's start in unix seconds; `final` is false while a reorg may still change it. */
export interface Bar {
  time: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  final: boolean;
}

/** `<appliance-chart>`. Its properties are its attributes. */
export class ApplianceChart extends HTMLElement {
  /** As the appliance names the market; any case, also `EXCHANGE:SYMBOL` or a contract's address. */
  symbol: string;
  /** `<n><s|m|h|d|w|M>`, such as `15m`. Default `1m`. */
  interval: string;
  /** `dark`, `light`, or `system`; default: what the page around it has (`color-scheme`). */
  theme: string;
  /** `colourblind` for blue and orange. */
  palette: string;
  /** The appliance's address, if it is not the one this module came from. */
  api: string;
  readonly state: ChartState;
  /** Copies of the bars that are drawn, ascending. */
  readonly bars: Bar[];
  /** The chart of lightweight-charts (`IChartApi`), for what attributes do not offer; null off the page. */
  readonly chart: object | null;
}

/** `bar`: the last bar is another one now; null where there is none. */
export type BarEvent = CustomEvent<Bar | null>;
/** `statechange`: with what the chart says about it, if it is an error. */
export type StateEvent = CustomEvent<{ state: ChartState; message: string }>;

declare global {
  interface HTMLElementTagNameMap {
    "appliance-chart": ApplianceChart;
  }
}
