/**
 * One widget's live bars. A widget takes a change of its last bar or a bar after it, in order, and
 * nothing else; whatever else changes is a reason to read its history anew.
 */

import { candleStream } from "../js/protocol.js";
import { intervalOf } from "./resolutions.js";

/** @import { CandleEvent, ResetEvent, StreamEvent } from "../js/types.js" */
/** @import { Bar } from "./types/datafeed.js" */
/** @import { LiveBarsOptions } from "./parts.js" */

/** So many of the last bars are compared with what comes again. */
const REMEMBERED = 50;
/** So many bars are read with the last and compared: more than end while a stream begins. */
const COMPARED = 30;
/** Later than any bar, whatever the time on the viewer's clock. */
const FAR_S = 4_000_000_000;
/** REST and stream round a sum of many sizes differently in its last digits. */
const ROUNDING = 1e-9;

export class LiveBars {
  #options;
  /** The last bars that the widget has, ascending, by time in milliseconds. */
  /** @type {Map<number, Bar>} */
  #known = new Map();
  #last = Number.NEGATIVE_INFINITY;
  /** What comes while history is read waits for it. */
  /** @type {Map<number, Bar> | null} */
  #waiting = null;
  #isBehind = false;
  #isOpen = true;
  #leave;

  /** @param {LiveBarsOptions} options */
  constructor(options) {
    this.#options = options;
    this.#know(options.bars);
    const stream = candleStream(options.symbol, intervalOf(options.resolution));
    this.#leave = options.hub.follow([stream], {
      onEvent: (event) => this.#happened(event),
      onMissed: (isFresh) => {
        // That they are gone since may be among what was missed.
        this.#waiting?.clear();
        if (!isFresh) options.onResetNeeded();
        void this.#catchUp();
      },
    });
  }

  /** The widget has read its history again: these are its last bars now. @param {Bar[]} bars ascending */
  restart(bars) {
    this.#know(bars);
    void this.#catchUp();
  }

  close() {
    this.#isOpen = false;
    this.#leave();
  }

  /** @param {Bar[]} bars */
  #know(bars) {
    this.#known = new Map(bars.slice(-REMEMBERED).map((bar) => [bar.time, { ...bar }]));
    this.#last = bars.at(-1)?.time ?? Number.NEGATIVE_INFINITY;
  }

  /** @param {StreamEvent} event */
  #happened(event) {
    if (event.type === "candle") this.#take(barOf(event));
    else if (event.type === "reset") this.#revised(event);
  }

  /** Of bars that the widget does not have yet it need not know. @param {ResetEvent} event */
  #revised({ from, to }) {
    for (const time of this.#waiting?.keys() ?? []) {
      if (time >= from * 1000 && time < to * 1000) this.#waiting?.delete(time);
    }
    if (from * 1000 <= this.#last) this.#options.onResetNeeded();
    void this.#catchUp();
  }

  /** @param {Bar} bar */
  #take(bar) {
    const known = this.#known.get(bar.time);
    if (this.#waiting) this.#waiting.set(bar.time, bar);
    else if (known && isEqual(known, bar)) return;
    else if (bar.time >= this.#last) this.#give(bar);
    // A bar that we do not remember comes again because it is final now.
    else if (known) this.#options.onResetNeeded();
  }

  /** @param {Bar} bar */
  #give(bar) {
    this.#known.set(bar.time, bar);
    const [oldest] = this.#known.keys();
    if (this.#known.size > REMEMBERED && oldest) this.#known.delete(oldest);
    this.#last = bar.time;
    // Widgets keep and change what they are given.
    this.#options.onBar({ ...bar });
  }

  /** Reads what came since the last bar; what the stream brings meanwhile is newer. */
  async #catchUp() {
    this.#isBehind = true;
    if (this.#waiting) return;
    this.#waiting = new Map();
    let bars = /** @type {Bar[]} */ ([]);
    while (this.#isBehind && this.#isOpen) {
      this.#isBehind = false;
      bars = await this.#readTail();
    }
    const waited = this.#waiting;
    this.#waiting = null;
    if (!this.#isOpen) return;
    if (this.#last === Number.NEGATIVE_INFINITY) this.#know(bars.slice(0, -1));
    const newest = new Map(bars.map((bar) => [bar.time, bar]));
    const oldest = bars[0]?.time ?? Number.POSITIVE_INFINITY;
    const isGone = (/** @type {number} */ time) => time >= oldest && !newest.has(time);
    if ([...this.#known.keys()].some(isGone)) this.#options.onResetNeeded();
    for (const [time, bar] of waited) newest.set(time, bar);
    for (const bar of [...newest.values()].sort((a, b) => a.time - b.time)) this.#take(bar);
  }

  async #readTail() {
    const { udf, symbol, resolution } = this.#options;
    const from = Number.isFinite(this.#last) ? this.#last / 1000 : FAR_S;
    try {
      return (await udf.bars({ symbol, resolution, from, to: FAR_S, countback: COMPARED })).bars;
    } catch {
      // The server does not answer for minutes, or refuses: who looks at it must read all anew.
      this.#options.onResetNeeded();
      return [];
    }
  }
}

/** @param {CandleEvent} event @returns {Bar} */
function barOf({ candle: { time, open, high, low, close, volume } }) {
  return { time: time * 1000, open, high, low, close, volume };
}

/** @param {Bar} one @param {Bar} other */
function isEqual(one, other) {
  const names = /** @type {const} */ (["open", "high", "low", "close", "volume"]);
  return names.every((name) => {
    const [a = 0, b = 0] = [one[name], other[name]];
    return Math.abs(a - b) <= ROUNDING * Math.max(Math.abs(a), Math.abs(b));
  });
}
