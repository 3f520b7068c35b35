/** Which events stand at which bar, and which of them there is room for. */

/** @import { ChartEvent, EventKind, EventPlace } from "./types.js" */

/** Events of trades say more than the rest. */
const RANK = { liquidation: 2, large_trade: 1, funding: 0 };

/**
 * An event belongs to the bar it happened in; what happened while there was none, to the one before.
 * @param {readonly ChartEvent[]} events ascending
 * @param {readonly {time: number}[]} bars
 * @param {readonly EventKind[]} kinds that are wanted
 * @returns {EventPlace[]} ascending
 */
export function placeEvents(events, bars, kinds) {
  /** @type {EventPlace[]} */
  const places = [];
  let index = 0;
  for (const event of events) {
    if (!kinds.includes(event.kind) || !bars.length || event.time < bars[0].time) continue;
    while (index + 1 < bars.length && bars[index + 1].time <= event.time) index++;
    const last = places.at(-1);
    if (last?.index !== index) places.push({ index, events: [event], foremost: event });
    else {
      last.events.push(event);
      if (compare(event, last.foremost) >= 0) last.foremost = event;
    }
  }
  return places;
}

/**
 * Above zero where the first says more.
 * @param {ChartEvent} first
 * @param {ChartEvent} second
 */
function compare(first, second) {
  const byKind = RANK[first.kind] - RANK[second.kind];
  return byKind || Math.abs(first.value ?? 0) - Math.abs(second.value ?? 0);
}

/**
 * Of those in sight the ones that say most, each with room for itself.
 * @param {readonly EventPlace[]} places
 * @param {(index: number) => number | null} xOf
 * @param {number} width
 * @param {number} room
 * @returns {{place: EventPlace, x: number}[]} from left to right
 */
export function roomyPlaces(places, xOf, width, room) {
  const inSight = places
    .map((place) => ({ place, x: xOf(place.index) ?? -1 }))
    .filter(({ x }) => x >= 0 && x <= width)
    .sort((a, b) => compare(b.place.foremost, a.place.foremost));
  /** @type {{place: EventPlace, x: number}[]} */
  const kept = [];
  for (const each of inSight) {
    if (kept.every(({ x }) => Math.abs(x - each.x) >= room)) kept.push(each);
  }
  return kept.sort((a, b) => a.x - b.x);
}
