"""One watched market and interval: its bars that may change, and the commits that wait."""

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from appliance import forming
from appliance.forming import Bar, Rows
from appliance.heads import closes_by_chain
from appliance.interval import Interval
from appliance.model import Candles, Market, Reason

REVISED_MAX: Final = 100
"""Most bars of one topic that one commit may change; the newest."""
PROVISIONAL_MAX: Final = 300
"""Most closed bars that wait to be told as final; more than any chain's confirmations."""
_NEAR: Final = 500
"""Buckets that a snapshot reaches back; older ones are asked for on their own."""
_RUNS_MAX: Final = 4
_RUN_BUCKETS: Final = 5_000
_PENDING_MAX: Final = 64
_PENDING_ROWS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Reset:
    """Buckets from `first` to `last`, both inside: what was sent of their bars no longer holds."""

    reason: Reason
    first: int
    last: int

    @property
    def is_shown(self) -> bool:
        """Return whether its bars are published: those of an import are only read on demand."""
        return self.reason != "import"

    def __contains__(self, start: int) -> bool:
        """Return whether the bucket that begins at `start` is meant."""
        return self.first <= start <= self.last


@dataclass(frozen=True, slots=True)
class Entry:
    """A commit's trades of one market, or what it revised.

    `buckets` are what it touches where rows are forgotten; all bars of `resets` are read again.
    """

    number: int
    rows: Rows | None
    buckets: tuple[int, ...] = ()
    resets: tuple[Reset, ...] = ()


class Series:
    """What live knows of a market and interval. While `dirty`, commits wait for a read."""

    __slots__ = (
        *("applied", "bars", "by_chain", "dirty", "failures", "interval", "market", "name"),
        *("due", "newest", "pending", "revise", "seen", "symbol", "wait_ticks"),
    )

    def __init__(self, name: str, symbol: str, market: Market, interval: Interval) -> None:
        """Know nothing yet; `symbol` is how events spell the market."""
        self.name = name
        self.symbol = symbol
        self.market = market
        self.interval = interval
        self.by_chain = closes_by_chain(market)
        self.newest: Bar | None = None
        self.bars: dict[int, Bar] = {}  # the newest, and those not closed or not final yet
        self.pending: list[Entry] = []
        self.revise: set[int] = set()
        self.applied = -1
        self.dirty = False
        self.failures = 0
        self.wait_ticks = 0
        self.due = math.inf  # when the clock closes a bar next
        self.seen = 0  # what was known of chains when its bars were looked at last

    def forget(self) -> None:
        """Forget the bars that are closed and final; the newest one stays."""
        waiting = sorted(s for s, b in self.bars.items() if b.closed and b is not self.newest)
        gone = {s for s in waiting if self.bars[s].final}.union(waiting[:-PROVISIONAL_MAX])
        if gone:
            self.bars = {start: bar for start, bar in self.bars.items() if start not in gone}

    def hold(self, entry: Entry) -> None:
        """Let a commit wait; when there are too many, remember only what they touch."""
        self.pending.append(entry)
        rows = sum(len(e.rows) for e in self.pending if e.rows is not None)
        if len(self.pending) > _PENDING_MAX or rows > _PENDING_ROWS_MAX:
            touched = sorted({b for e in self.pending for b in self._touched(e)})
            resets = united([*self.resets(), *self.late()])
            kept = tuple(touched[-REVISED_MAX:])
            self.pending = [Entry(entry.number, None, kept, tuple(resets))]

    def _touched(self, entry: Entry) -> tuple[int, ...]:
        if entry.rows is None:
            return entry.buckets
        return tuple(forming.buckets(entry.rows, self.interval, REVISED_MAX))

    def _ready(self, commit: int | None) -> Iterator[Entry]:
        return (e for e in self.pending if commit is None or e.number <= commit)

    def wanted(self, commit: int | None = None) -> list[int]:
        """Return the newest buckets to read again, because of commits up to `commit`."""
        held = inside(self.resets(commit), self.bars)
        starts = self.revise.union(held, *map(self._touched, self._ready(commit)))
        return sorted(starts)[-REVISED_MAX:]

    def resets(self, commit: int | None = None) -> list[Reset]:
        """Return what commits up to `commit` revised, one range for each reason."""
        return united(reset for entry in self._ready(commit) for reset in entry.resets)

    def late(self, commit: int | None = None) -> list[Reset]:
        """Return the range of bars that were closed, and that trades up to `commit` change.

        A commit that touches more buckets than are published counts whole.
        """
        ranges = []
        for entry in self._ready(commit) if self.newest else ():
            touched = self._touched(entry)
            closed = [start for start in touched if self._was_closed(start)]
            edges = span(entry.rows, self.interval) if entry.rows is not None else touched
            if edges and edges[0] < touched[0]:
                closed += edges
            if closed:
                ranges.append(Reset("late_trade", min(closed), max(closed)))
        return united(ranges)

    def _was_closed(self, start: int) -> bool:
        bar = self.bars.get(start)
        if bar is not None:
            return bar.closed
        return self.newest is not None and start < self.newest.start

    def priced(self, commit: int) -> set[int]:
        """Return the buckets that hold a price for sure once `commit` is in them."""
        known = {bar.start for bar in self.bars.values() if bar.priced}
        ready = (e.rows for e in self._ready(commit) if e.rows is not None)
        sure = known.union(*(forming.priced_buckets(rows, self.interval) for rows in ready))
        return sure - inside(self.resets(commit), sure)  # these may have lost it

    def reach(self) -> int:
        """Return how many candles a snapshot must have to hold the wanted ones that are near."""
        starts = self.wanted()
        if not starts:
            return 2
        newest = max(starts[-1], self.newest.start if self.newest else 0)
        away = [(newest - start) // self.interval.seconds + 2 for start in starts]
        return 2 + max(n for n in (0, *away) if n <= _NEAR)


def span(rows: Rows, interval: Interval) -> tuple[int, int]:
    """Return the first and the last bucket that the trades touch."""
    seconds = rows.time_us // 1_000_000
    return interval.floor(int(seconds.min())), interval.floor(int(seconds.max()))


def united(resets: Iterable[Reset]) -> list[Reset]:
    """Return one range for each reason, which holds all of that reason."""
    found: dict[Reason, Reset] = {}
    for each in resets:
        known = found.get(each.reason, each)
        first, last = min(known.first, each.first), max(known.last, each.last)
        found[each.reason] = Reset(each.reason, first, last)
    return list(found.values())


def inside(resets: Iterable[Reset], starts: Iterable[int]) -> set[int]:
    """Return the bucket starts that one of the ranges holds."""
    ranges = list(resets)
    return {start for start in starts if any(start in each for each in ranges)}


def extended(reset: Reset, read: Iterable[Candles], interval: Interval, now: int) -> Reset:
    """Return the range with the candles after it that have no price of their own.

    They repeat the last close before them. Where no candle is left in the range, that close may
    be another one now, or there is none and they are gone too: up to the next candle, or to `now`.
    """
    rows = _merged(read, reset.first)
    close = max((row for row in rows if row[0] in reset), default=(0, None))[-1]
    last = reset.last
    for start, *prices in (row for row in rows if row[0] > reset.last):
        if len(set(prices)) > 1 or close not in (None, prices[0]):
            return replace(reset, last=last if close else interval.shift(start, -1))
        last, close = start, prices[0]
    return replace(reset, last=last if close else max(last, interval.floor(now)))


def _merged(read: Iterable[Candles], first: int) -> list[tuple[int, float, float, float, float]]:
    """Return start and prices of all candles from `first` on, ascending; what is read last wins."""
    rows = {
        row[0]: row
        for c in read
        for row in zip(c.time, c.open, c.high, c.low, c.close, strict=True)
        if row[0] >= first
    }
    return [rows[start] for start in sorted(rows)]


def runs(starts: list[int], interval: Interval) -> list[list[int]]:
    """Return ascending bucket starts in runs of one read each, the newest `_RUNS_MAX` of them."""
    found: list[list[int]] = []
    for start in starts:
        if found and start - found[-1][0] <= _RUN_BUCKETS * interval.seconds:
            found[-1].append(start)
        else:
            found.append([start])
    return found[-_RUNS_MAX:]


def revised_starts(candles: Candles, touched: Collection[int]) -> set[int]:
    """Return the touched candles and those after them that only repeat a revised one's close."""
    revised: set[int] = set()
    close: float | None = None  # of the candle before, if that is revised
    rows = zip(*(candles.time, candles.open, candles.high, candles.low, candles.close), strict=True)
    for start, *prices in rows:
        repeats = close is not None and all(price == close for price in prices)
        close = None
        if repeats or start in touched:
            revised.add(start)
            close = prices[-1]
    return revised
