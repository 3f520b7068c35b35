/**
 * Events on the chart: liquidations, large trades and funding as diamonds below their bars. Those
 * that say most are shown as far as there is room, and the newest one in words.
 */

import { placeEvents, roomyPlaces } from "./event-places.js";
import { eventWords } from "./event-words.js";

/** @import { ChartEvent, Companion, DashboardParts, Draw, EventKind, EventPlace, HitTest, Layer, Palette, Scene, Subject } from "./types.js" */

const EVERY_MS = 15_000;
const LIMIT = 1000;
const ROOM = 64;
const HALF = 4;
const GAP = 11;
const REACH = 9;
const WORDS_GAP = 15;
const PREFIX = "event:";

/**
 * @implements {Companion}
 * @implements {Layer}
 */
export class Events {
  #parts;
  /** @type {EventKind[]} */
  #kinds;
  /** @type {ChartEvent[]} ascending */
  #events = [];
  /** @type {EventPlace[]} */
  #places = [];
  /** @type {Subject | null} */
  #subject = null;
  /** The bar whose events are below the pointer. */
  #hovered = -1;
  /** What was asked last; answers to earlier questions are dropped. */
  #asked = 0;

  /** @param {Pick<DashboardParts, "api" | "chart" | "session" | "settings" | "tape" | "now_s">} parts */
  constructor(parts) {
    this.#parts = parts;
    this.#kinds = parts.settings.value.events;
    const { chart, session } = parts;
    chart.overlay.add(this.#draw, "top", this.#hitTest);
    chart.layers.add(this);
    chart.chart.subscribeCrosshairMove(({ hoveredObjectId: id }) => this.#hover(id));
    session.join(this);
    setInterval(() => document.hidden || this.#read(this.#since), EVERY_MS);
    this.opened();
  }

  /** @param {EventKind[]} kinds */
  show(kinds) {
    this.#kinds = kinds;
    this.#place();
  }

  opened() {
    this.#events = [];
    this.#place();
    return this.#read(null);
  }

  grown() {
    return this.#read(null);
  }

  missed() {
    return this.#read(this.#since);
  }

  /** What was told last may have been told in part. */
  get #since() {
    return Math.floor(this.#events.at(-1)?.time ?? 0) || null;
  }

  /** @param {number | null} since_s null reads as far back as there are bars */
  async #read(since_s) {
    const { api, session, now_s } = this.#parts;
    const { symbol, store } = session.feed;
    if (!symbol || !store.first) return;
    const asked = ++this.#asked;
    const span = { from: since_s ?? store.first.time, to: Math.ceil(now_s()) + 1, limit: LIMIT };
    const read = await api.fetchMarks(symbol, span).catch(() => null);
    if (!read || asked !== this.#asked || symbol !== session.feed.symbol) return;
    const known = since_s === null ? [] : this.#events.filter(({ time }) => time < since_s);
    this.#events = [...known, ...read];
    const ended = read.filter(({ kind }) => kind === "liquidation");
    this.#parts.tape.markLiquidations(new Set(ended.map(({ sequence }) => sequence)));
    this.#place();
  }

  /**
   * @param {Subject} subject
   * @param {number} from
   */
  draw(subject, from) {
    this.#subject = subject;
    if (from === 0) this.#place();
  }

  #place() {
    const bars = this.#subject?.store.all ?? [];
    this.#places = placeEvents(this.#events, bars, this.#kinds);
    this.#parts.chart.overlay.redraw();
  }

  /** @param {unknown} id */
  #hover(id) {
    const text = String(id ?? "");
    const index = text.startsWith(PREFIX) ? Number(text.slice(PREFIX.length)) : -1;
    if (index === this.#hovered) return;
    this.#hovered = index;
    this.#parts.chart.overlay.redraw();
  }

  /** @param {Scene} scene */
  #shown({ width, xOf }) {
    return roomyPlaces(this.#places, xOf, width, ROOM);
  }

  /** @param {number} index @param {Scene} scene */
  #yOf(index, { yOf }) {
    const bar = this.#subject?.store.all[index];
    const y = bar ? yOf(bar.low) : null;
    return y === null ? null : y + GAP;
  }

  /** @type {Draw} */
  #draw = (context, { palette }, scene) => {
    const shown = this.#shown(scene);
    const told = this.#hovered >= 0 ? this.#hovered : shown.at(-1)?.place.index;
    for (const { place, x } of shown) {
      const y = this.#yOf(place.index, scene);
      if (y === null) continue;
      const isFunding = place.foremost.kind === "funding";
      const colour = isFunding ? palette.ink2 : palette.warn;
      drawDiamond(context, {
        x: Math.round(x),
        y,
        colour,
        isSolid: place.foremost.kind !== "large_trade",
      });
      if (place.index !== told) continue;
      this.#write(context, palette, eventWords(place.foremost), { x, y: y + WORDS_GAP }, scene);
    }
  };

  /**
   * Words stand where no bar is; what the pointer asks for stands there anyway, on its own ground.
   * @param {CanvasRenderingContext2D} context
   * @param {Palette} palette
   * @param {string} words
   * @param {{x: number, y: number}} at
   * @param {Scene} scene
   */
  #write(context, palette, words, { x, y }, scene) {
    context.font = `400 11px ${palette.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const half = context.measureText(words).width / 2 + 4;
    const middle = Math.min(Math.max(x, half), scene.width - half);
    if (this.#hovered >= 0) {
      context.fillStyle = palette.screen;
      context.fillRect(middle - half, y - 8, 2 * half, 16);
    } else if (!this.#isFree(middle - half, middle + half, y - 7, scene)) return;
    context.fillStyle = palette.ink2;
    context.fillText(words, middle, y);
  }

  /**
   * Whether all bars between two places end above a height.
   * @param {number} left
   * @param {number} right
   * @param {number} top
   * @param {Scene} scene
   */
  #isFree(left, right, top, { xOf, yOf, height }) {
    const bars = this.#subject?.store.all ?? [];
    const first = bars.length ? Math.floor(spot(left, xOf)) : 0;
    const last = Math.ceil(spot(right, xOf));
    const lows = bars.slice(Math.max(0, first), Math.max(0, last + 1)).map(({ low }) => yOf(low));
    return top + 14 < height && lows.every((y) => y !== null && y < top);
  }

  /** @type {HitTest} */
  #hitTest = (x, y, scene) => {
    const at = this.#places.find(({ index }) => {
      const [left, top] = [scene.xOf(index), this.#yOf(index, scene)];
      if (left === null || top === null) return false;
      return Math.abs(left - x) <= REACH && Math.abs(top - y) <= REACH;
    });
    return at ? PREFIX + at.index : null;
  };
}

/** The bar number at a place. @param {number} x @param {Scene["xOf"]} xOf */
function spot(x, xOf) {
  const [first, second] = [xOf(0) ?? 0, xOf(1) ?? 1];
  return (x - first) / (second - first);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number, colour: string, isSolid: boolean}} look
 */
function drawDiamond(context, { x, y, colour, isSolid }) {
  context.beginPath();
  context.moveTo(x, y - HALF);
  context.lineTo(x + HALF, y);
  context.lineTo(x, y + HALF);
  context.lineTo(x - HALF, y);
  context.closePath();
  context.fillStyle = colour;
  context.strokeStyle = colour;
  context.lineWidth = 1.2;
  if (isSolid) context.fill();
  else context.stroke();
}
