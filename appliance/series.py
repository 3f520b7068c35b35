"""One watched market and interval: its bars that are not closed, and the commits that wait."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from appliance import forming
from appliance.forming import Bar, Rows
from appliance.interval import Interval
from appliance.model import Candles, Market
from appliance.store.catalogue import DEMO_EXCHANGE

REVISED_MAX: Final = 100
"""Most bars of one topic that one commit may change; the newest."""
_NEAR: Final = 500
"""Buckets that a snapshot reaches back; older ones are asked for on their own."""
_RUNS_MAX: Final = 4
_RUN_BUCKETS: Final = 5_000
_PENDING_MAX: Final = 64
_PENDING_ROWS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A commit's trades of one market; `buckets` are what it touches where rows are forgotten."""

    number: int
    rows: Rows | None
    buckets: tuple[int, ...] = ()


class Series:
    """What live knows of a market and interval. While `dirty`, commits wait for a read."""

    __slots__ = (
        *("applied", "bars", "by_chain", "dirty", "failures", "interval", "market", "name"),
        *("newest", "pending", "revise", "wait_ticks"),
    )

    def __init__(self, name: str, market: Market, interval: Interval) -> None:
        """Know nothing yet."""
        self.name = name
        self.market = market
        self.interval = interval
        self.by_chain = closes_by_chain(market)
        self.newest: Bar | None = None
        self.bars: dict[int, Bar] = {}  # the newest, and older ones that are not closed yet
        self.pending: list[Entry] = []
        self.revise: set[int] = set()
        self.applied = -1
        self.dirty = False
        self.failures = 0
        self.wait_ticks = 0

    def hold(self, entry: Entry) -> None:
        """Let a commit wait; when there are too many, remember only what they touch."""
        self.pending.append(entry)
        rows = sum(len(e.rows) for e in self.pending if e.rows is not None)
        if len(self.pending) > _PENDING_MAX or rows > _PENDING_ROWS_MAX:
            touched = sorted({b for e in self.pending for b in self._touched(e)})
            self.pending = [Entry(entry.number, None, tuple(touched[-REVISED_MAX:]))]

    def _touched(self, entry: Entry) -> tuple[int, ...]:
        if entry.rows is None:
            return entry.buckets
        return tuple(forming.buckets(entry.rows, self.interval, REVISED_MAX))

    def wanted(self, commit: int | None = None) -> list[int]:
        """Return the newest buckets to read again, because of commits up to `commit`."""
        ready = (e for e in self.pending if commit is None or e.number <= commit)
        return sorted(self.revise.union(*map(self._touched, ready)))[-REVISED_MAX:]

    def priced(self, commit: int) -> set[int]:
        """Return the buckets that hold a price for sure once `commit` is in them."""
        known = {bar.start for bar in self.bars.values() if bar.priced}
        ready = (e.rows for e in self.pending if e.rows is not None and e.number <= commit)
        return known.union(*(forming.priced_buckets(rows, self.interval) for rows in ready))

    def reach(self) -> int:
        """Return how many candles a snapshot must have to hold the wanted ones that are near."""
        starts = self.wanted()
        if not starts:
            return 2
        newest = max(starts[-1], self.newest.start if self.newest else 0)
        away = [(newest - start) // self.interval.seconds + 2 for start in starts]
        return 2 + max(n for n in (0, *away) if n <= _NEAR)


def closes_by_chain(market: Market) -> bool:
    """Return whether blocks close the market's bars; the clock closes all others."""
    return market.spec.order == "chain" and market.spec.exchange != DEMO_EXCHANGE


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
