"""The last 24 hours of markets: what lists, headers and quotes show, the same on every interface.

Read for those that are asked for, and only where something happened: a summary holds until a trade
of its market is stored or the next minute begins, and for a second in any case. A revision ends it
at once. Questions do not wait for each other, unless they ask for the same market.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from functools import reduce
from typing import Any, Final, NamedTuple

import pyarrow.compute as pc

from appliance.model import Commit, Market
from appliance.statistics.span import HOUR_S, MINUTE_S, starts
from appliance.store.reader import Columns, Reader
from appliance.tally import Tally

KEPT: Final = 20_000
"""Most summaries that are remembered."""
BATCH: Final = 1_000
"""Markets of one query."""
_AGE_S: Final = 1.0
_TRIES: Final = 3
"""How often a reading is repeated because of revisions that came meanwhile."""
_BREATH: Final = 200
"""Markets after which others get their turn on the event loop."""
_EXACT: Final = Context(prec=100)
"""The default one would round sums to 28 digits."""
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The last 24 hours of one market: 1,440 minute buckets, the forming one included.

    Without a price in that time: the last one, and no change. `mark_price` is the newest that an
    event told, `funding_rate` a fraction of the position; None: not known. `sparkline` has the
    last price of each hour that has one, the oldest first.
    """

    price: float
    price_change: float = 0.0
    price_change_percent: float = 0.0
    open: float | None = None
    high: float | None = None
    low: float | None = None
    volume: float = 0.0
    quote_volume: float = 0.0
    trades: int = 0
    mark_price: float | None = None
    funding_rate: float | None = None
    sparkline: list[float] = field(default_factory=list)


class _Day(NamedTuple):
    """What candles of the window say together; volumes are exact.

    `close` is that of whole hours: without one there, the last price is the last of all time.
    """

    open: float | None
    high: float | None
    low: float | None
    volume: Decimal
    quote_volume: Decimal
    trades: int
    close: float | None = None


@dataclass(slots=True)
class _Known:
    """A summary (None: the market never had a price), and how long it holds."""

    summary: Summary | None
    minute: int
    read_at: float
    edge: Row | None
    """What the minutes before the first whole hour say, () for nothing; None: not known."""
    is_touched: bool


@dataclass(eq=False, slots=True)
class _Reading:
    """Markets that are read at once, and those that trades came for meanwhile."""

    ids: list[int]
    edges: dict[int, Row] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    late: set[int] = field(default_factory=set)
    done: "asyncio.Task[dict[int, Summary | None]] | None" = None


class Summaries:
    """Remembers the summaries that were asked for."""

    def __init__(
        self,
        reader: Reader,
        lookups: Tally,
        clock: Callable[[], float],
    ) -> None:
        """Know nothing yet."""
        self._reader = reader
        self._lookups = lookups
        self._clock = clock
        self._known: dict[int, _Known] = {}
        self._reading: dict[int, _Reading] = {}
        self._revised = 0
        self._hears = False

    def on_commit(self, commit: Commit) -> None:
        """Notice which summaries hold no longer."""
        self._hears = True
        if commit.revisions:
            self.forget()
        late = self._is_late(commit)
        for market in commit.markets:
            if known := self._known.get(market.id):
                known.is_touched = True
                known.edge = None if late else known.edge
            if reading := self._reading.get(market.id):
                reading.touched.add(market.id)
                reading.late |= {market.id} if late else set()

    def _is_late(self, commit: Commit) -> bool:
        """Return whether there are trades older than the forming hour: any hour may be theirs."""
        times = commit.trades["time"]
        if not len(times):
            return False
        return bool(pc.min(times).as_py().timestamp() < self._clock() - HOUR_S)

    def forget(self) -> None:
        """Read again before the next answer: something was taken away or rebuilt."""
        self._revised += 1
        self._known.clear()
        self._reading.clear()

    async def of(self, markets: Sequence[Market]) -> dict[int, Summary]:
        """Return the summaries of `markets` by id; those without any price are absent.

        Raises:
            Retryable: the store fails.
        """
        ids = dict.fromkeys(int(market.id) for market in markets)
        found = {i: known.summary for i in ids if (known := self._holding(i))}
        missing = [i for i in ids if i not in found]
        self._lookups.labels("summaries", "miss" if missing else "hit").inc()
        for first in range(0, len(missing), BATCH):
            found |= await self._fetched(missing[first : first + BATCH])
        return {i: summary for i, summary in found.items() if summary is not None}

    def _holding(self, market_id: int) -> _Known | None:
        known = self._known.get(market_id)
        if known is None:
            return None
        now = self._clock()
        if 0 <= now - known.read_at <= _AGE_S:
            return known
        same_minute = int(now) // MINUTE_S == known.minute
        return known if self._hears and same_minute and not known.is_touched else None

    async def _fetched(self, ids: list[int]) -> dict[int, Summary | None]:
        """Return the summaries of `ids`, read for this question or for one that waits already."""
        own = [i for i in ids if i not in self._reading]
        if own:
            reading = _Reading(own)
            self._reading.update(dict.fromkeys(own, reading))
            reading.done = asyncio.create_task(self._finish(reading), name="summaries")
        tasks = {reading.done for i in ids if (reading := self._reading[i]) and reading.done}
        await asyncio.wait(tasks)  # whoever asked first may be gone; the reading goes on
        found: dict[int, Summary | None] = {}
        for task in tasks:
            found |= task.result()
        return {i: found[i] for i in ids}

    async def _finish(self, reading: _Reading) -> dict[int, Summary | None]:
        try:
            found: dict[int, Summary | None] = {}
            for _ in range(_TRIES):
                revised, now = self._revised, self._clock()
                found = await self._read(reading, int(now))
                if revised == self._revised:  # else half of the revision may be in it
                    self._keep(reading, found, now)
                    break
            return found
        finally:
            for i in reading.ids:
                if self._reading.get(i) is reading:
                    del self._reading[i]

    def _keep(self, reading: _Reading, found: dict[int, Summary | None], now: float) -> None:
        minute = int(now) // MINUTE_S
        for i, summary in found.items():
            edge = None if i in reading.late else reading.edges[i]
            self._known.pop(i, None)  # the oldest come first
            self._known[i] = _Known(summary, minute, now, edge, i in reading.touched)
        for i in list(self._known)[: max(0, len(self._known) - KEPT)]:
            del self._known[i]

    async def _read(self, reading: _Reading, now: int) -> dict[int, Summary | None]:
        ids = reading.ids
        hours, edges, rates = await asyncio.gather(
            self._reader.query("select_day_hours", markets=ids, hour=starts(now)["hour"]),
            self._edges(ids, now),
            self._reader.query("select_rates", markets=ids),
        )
        inside, told, reading.edges = _by_id(hours), _by_id(rates), edges
        days: dict[int, _Day | None] = {}
        for number, i in enumerate(ids):
            days[i] = _day(edges[i], inside.get(i, ()))
            if number % _BREATH == 0:
                await asyncio.sleep(0)
        resting = [i for i, day in days.items() if day is None or day.close is None]
        last = await self._reader.query("select_last_prices", markets=resting) if resting else ()
        prices = _by_id(last)
        return {
            i: _summary(
                *(days[i], prices.get(i, (None,))[0], told.get(i, (None, None))),
                inside[i][-1] if i in inside else [],
            )
            for i in ids
        }

    async def _edges(self, ids: list[int], now: int) -> dict[int, Row]:
        """Return what the minutes at the edge say, most of which is known within one minute."""
        minute = now // MINUTE_S
        edges = {
            i: known.edge
            for i in ids
            if (known := self._known.get(i)) and known.minute == minute and known.edge is not None
        }
        if missing := [i for i in ids if i not in edges]:
            columns = await self._reader.query("select_day_minutes", markets=missing, **starts(now))
            edges |= dict.fromkeys(missing, ()) | _by_id(columns)
        return edges


def _by_id(columns: Columns) -> dict[int, Row]:
    return {row[0]: row[1:] for row in zip(*columns, strict=True)}


def _day(edge: Row, inside: Row) -> _Day | None:
    """Return what two spans say together, the older first; either may be empty or lack a price."""
    spans = [_Day(*row[:7]) for row in (edge, inside) if row]
    if not spans:
        return None
    priced = [span for span in spans if span.open is not None]
    return _Day(
        priced[0].open if priced else None,
        max((span.high for span in priced if span.high is not None), default=None),
        min((span.low for span in priced if span.low is not None), default=None),
        reduce(_EXACT.add, (span.volume for span in spans)),
        reduce(_EXACT.add, (span.quote_volume for span in spans)),
        sum(span.trades for span in spans),
        spans[-1].close,
    )


def _summary(
    day: _Day | None, resting_at: float | None, told: Row, closes: list[float]
) -> Summary | None:
    """Return the summary of a market; `resting_at` is its last price, if the day has none."""
    price = day.close if day and day.close is not None else resting_at
    if price is None:
        return None
    mark_price, funding_rate = told
    if day is None:
        return Summary(price, mark_price=mark_price, funding_rate=funding_rate)
    change = price - day.open if day.open is not None else 0.0
    return Summary(
        price,
        change,
        100 * change / day.open if day.open else 0.0,
        *(day.open, day.high, day.low),
        *(float(day.volume), float(day.quote_volume), day.trades),
        *(mark_price, funding_rate, list(closes)),
    )
