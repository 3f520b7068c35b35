/**
 * The bars of one market and resolution that widgets have read, and who keeps them up. Widgets are
 * told apart by their market objects; those that hand over copies of theirs count as one.
 */

/** @import { BarsQuestion } from "./parts.js" */
/** @import { LiveBars } from "./live-bars.js" */
/** @import { Bar } from "./types/datafeed.js" */
/** @typedef {{tail: Bar[], question: BarsQuestion}} Reading */

/** How many last bars of a history are compared with what comes live. */
const TAIL = 50;

export class BarHistory {
  /** By what stands for the widget. */
  /** @type {WeakMap<object, Reading>} */
  #readings = new WeakMap();
  /** @type {Reading | undefined} */
  #newest;
  /** Who is kept up, and for which widget. */
  /** @type {Map<LiveBars, object>} */
  #live = new Map();
  #known;

  /** @param {WeakSet<object>} known market objects that were handed out */
  constructor(known) {
    this.#known = known;
  }

  /** @param {object} market */
  #widget(market) {
    return this.#known.has(market) ? market : this;
  }

  /** The widget asks for its first bars. @param {object} market @param {BarsQuestion} question */
  ask(market, question) {
    const widget = this.#widget(market);
    this.#newest = { tail: this.#readings.get(widget)?.tail ?? [], question };
    this.#readings.set(widget, this.#newest);
  }

  /** @param {object} market @param {BarsQuestion} question @param {Bar[]} bars */
  answer(market, question, bars) {
    const widget = this.#widget(market);
    const reading = this.#readings.get(widget);
    // The answer to a question before the last is not what the widget shows.
    if (reading?.question !== question) return;
    reading.tail = bars.slice(-TAIL);
    for (const [live, owner] of this.#live) {
      if (owner === widget || owner === this) live.restart(reading.tail);
    }
  }

  /** The last bars that the widget has. @param {object} market @returns {Bar[]} */
  tail(market) {
    return (this.#readings.get(this.#widget(market)) ?? this.#newest)?.tail ?? [];
  }

  /** @param {object} market @param {LiveBars} live */
  add(market, live) {
    this.#live.set(live, this.#widget(market));
  }

  /** @param {LiveBars} live */
  delete(live) {
    this.#live.delete(live);
  }
}
