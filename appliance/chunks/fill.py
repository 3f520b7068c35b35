"""Read what a strip lacks: how far, in as few queries as possible.

A query costs about the same for 300 rows as for 1,000. So ends are rounded outwards, to where the
next question with a slightly different `from` or `to` finds them.
"""

from dataclasses import replace
from math import ceil
from typing import Final

from appliance.chunks.chunk import END, ROWS, Chunk
from appliance.chunks.read import NOTHING, Queries, Read, reach, read
from appliance.chunks.strip import Found, Gap, Question, Strip
from appliance.interval import Interval
from appliance.model import Market

_SPARE: Final = 2 * ROWS + 1
"""Rows beyond the limit of a question: its older neighbour, and rounding at both ends."""
AHEAD_MAX: Final = 20
"""Most chunks that are read ahead at a time: as they are used up, twice as many follow."""
_SPARSE: Final = 4
"""Where fewer than one bucket in so many holds a candle, guessing is not worth a query."""


async def fill(
    queries: Queries,
    strip: Strip,
    gap: Gap,
    question: Question,
    step: int,
    now: float,
) -> Read:
    """Return what lies in a gap, at least some of it.

    The first step guesses that every bucket holds a candle. If too few do, the place of the n-th
    older one is looked up, whatever holes lie between; and at once where that was so before.
    """
    interval, market = strip.interval, strip.market
    if gap.at < END and strip.open_tail(gap.at):
        gap = replace(gap, at=END, above=END)
    start, below = gap.start, gap.below
    if gap.count and (step or strip.sparse):
        found = await reach(queries, market, interval, gap.at, gap.count)
        if found is None:
            return Read(below, [Chunk(below, gap.at, NOTHING)], None, 0)
        strip.sparse = found < interval.shift(gap.at, -_SPARSE * gap.count)
        start = min(start, found)
    elif gap.count:
        newest = min(gap.at, interval.ceil(ceil(now)))
        start = min(start, interval.shift(newest, -gap.count))
    ahead = ROWS * min(AHEAD_MAX, strip.joined(gap.at))  # somebody pages back, and will go on
    start = max(below, 0, _rounded_down(interval, interval.shift(start, -ahead)))
    end = _end(interval, gap, question, step, now)
    return await read(queries, market, interval, (start, end), question.limit + ahead + _SPARE)


async def alone(
    queries: Queries, market: Market, interval: Interval, question: Question, now: float
) -> Found:
    """Return the answer of the store, without keeping anything."""
    strip, step = Strip(market, interval), 0
    while isinstance(found := strip.find(question), Gap):
        read = await fill(queries, strip, found, question, step, now)
        strip.insert(read.chunks, read.newest)
        step += 1
    return found


def _end(interval: Interval, gap: Gap, question: Question, step: int, now: float) -> int:
    """Return up to where to read: to the next known chunk, a round place, or the end of time."""
    if step > 1 or gap.at < question.to or gap.at == gap.above:
        return gap.at
    end = _rounded_up(interval, gap.at)
    return min(gap.above, END if end > now else end)


def _rounded_down(interval: Interval, start: int) -> int:
    if interval.months:
        return 0 if start else start
    return start - (start - interval.offset) % (ROWS * interval.seconds)


def _rounded_up(interval: Interval, end: int) -> int:
    if interval.months:
        return END
    return end + (interval.offset - end) % (ROWS * interval.seconds)
