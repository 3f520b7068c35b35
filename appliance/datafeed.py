"""The read path: every question about the past.

In: a market, an interval, a range of unix seconds. Out: candles as columns, ascending. Stored
intervals are read as they are; any other is merged from the longest stored one that divides it.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance import marks
from appliance.heads import Heads
from appliance.interval import Interval, stored_divisor
from appliance.marks import MARKS_MAX, WINDOW_MAX_S, ChartMark
from appliance.metrics import Metrics
from appliance.model import Candles, Commit, Market
from appliance.store.catalogue import Catalogue
from appliance.store.reader import Columns, Reader, select
from appliance.store.writer import Writer
from appliance.summaries import Summaries, Summary

TIME_MIN: Final = 0
TIME_MAX: Final = 4_102_531_200
"""2100-01-02: trades are accepted until the day before."""
_DATETIME_MAX: Final = (1 << 32) - 1
"""The engine's DateTime ends in 2106."""
_VOLUMES: Final = slice(5, 9)
"""Volumes come as decimals: Python rounds each to the nearest double, the engine does not."""
_SEQUENCE_END: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class History:
    """Candles, and what is known of them.

    `older` is the start of the newest one before them (None: nothing older, or not asked).
    From `provisional_from` on a reorg may still change them (None: none of them); `is_settled`
    says that of the asked range nothing is forming or provisional any more.
    """

    candles: Candles
    older: int | None = None
    provisional_from: int | None = None
    is_settled: bool = False


@dataclass(frozen=True, slots=True)
class TradeRow:
    """One trade as it is shown; `price` is what the trader paid, where that is known."""

    time_us: int
    sequence: int
    price: float | None
    size: float
    quote: float
    side: str
    kind: str
    chain_id: int
    block_number: int
    transaction_hash: str
    trade_id: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest candles, holding exactly the commits numbered up to `commit`."""

    commit: int
    candles: Candles


class Datafeed:
    """Answers from the store."""

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        catalogue: Catalogue,
        metrics: Metrics,
        heads: Heads | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Read with `reader`; `writer` is asked for snapshots when commits never pause.

        `heads` tells what is final; without it, everything is.
        """
        self.catalogue = catalogue
        self._reader = reader
        self._writer = writer
        self._heads = heads or Heads()
        self._clock = clock
        self._summaries = Summaries(reader, metrics.cache_lookups, clock)

    def on_commit(self, commit: Commit) -> None:
        """Drop what is remembered, if the commit took something away or rebuilt it."""
        self._summaries.on_commit(commit)

    async def candles(  # noqa: PLR0913 - a question of the datafeed protocol has these parts
        self,
        market: Market,
        interval: Interval,
        from_time: int | None,
        to_time: int,
        countback: int = 0,
        limit: int = 10_000,
        *,
        older: bool = False,
    ) -> History:
        """Return all candles that start in [from_time, to_time), and at least `countback`.

        `countback` reaches back past `from_time`, over any hole. The newest `limit` are kept.
        `older` asks for the start of the newest candle before these; it is always looked up
        when there are none.

        Raises:
            Retryable: the store fails.
        """
        to = min(interval.ceil(_clamp(to_time)), _DATETIME_MAX)
        start = to if from_time is None else min(to, interval.ceil(max(from_time, TIME_MIN)))
        wanted = min(max(countback, 0), limit)
        reach = max(TIME_MIN, min(start, interval.shift(to, -wanted))) if wanted else start
        columns: Columns = ()
        if to <= interval.ceil(int(self._clock())) or from_time is not None:  # else surely a hole
            columns = await self._select(market, interval, reach, to, limit + 1)
        if _rows(columns) < wanted and reach > TIME_MIN:
            reach = await self._reach(market, interval, to, wanted)
            columns = await self._select(market, interval, reach, to, limit + 1)
        keep = min(limit, max(wanted, sum(t >= start for t in columns[0]) if columns else 0))
        candles = await self._filled(market, interval, _newest(columns, keep))
        return History(
            candles,
            await self._older(market, interval, candles, start, columns, older),
            self._heads.provisional_from(market, interval, candles),
            self._heads.is_settled(market, to, self._clock()),
        )

    async def _select(
        self, market: Market, interval: Interval, start: int, to: int, limit: int
    ) -> Columns:
        if start >= to:
            return ()
        return await self._reader.query(
            "select_candles", **_candle_parameters(market, interval, start, to, limit)
        )

    async def _reach(self, market: Market, interval: Interval, to: int, count: int) -> int:
        """Return a bucket start from which on at least `count` buckets hold candles.

        `count` buckets hold at most count × (buckets of the divisor in each), and that many
        buckets of the divisor span at least `count`.
        """
        divisor = stored_divisor(interval)
        each = -(-interval.seconds // divisor.seconds) + 1
        columns = await self._reader.query(
            "select_nth_bucket",
            divisor=divisor.seconds,
            market=market.id,
            to=to,
            count=min(count * each, _SEQUENCE_END >> 33),
        )
        return interval.floor(int(columns[0][0])) if columns else to

    async def _older(
        self,
        market: Market,
        interval: Interval,
        candles: Candles,
        start: int,
        columns: Columns,
        asked: bool,
    ) -> int | None:
        """Return the start of the newest candle before the answer."""
        if _rows(columns) > len(candles):
            return int(columns[0][len(candles)])
        if len(candles) and not asked:
            return None
        before = candles.time[0] if len(candles) else start
        if before <= TIME_MIN:
            return None
        divisor = stored_divisor(interval)
        found = await self._reader.query(
            "select_nth_bucket", divisor=divisor.seconds, market=market.id, to=before, count=1
        )
        return interval.floor(int(found[0][0])) if found else None

    async def _filled(self, market: Market, interval: Interval, columns: Columns) -> Candles:
        """Return candles in ascending order; buckets without a price are flat at the last one."""
        if not columns:
            return Candles()
        ascending = [list(reversed(column)) for column in columns]
        ascending[_VOLUMES] = [list(map(float, column)) for column in ascending[_VOLUMES]]
        if None not in ascending[1]:
            return Candles(*ascending)
        last: float | None = None
        if ascending[1][0] is None:
            found = await self._reader.query(
                "select_last_price",
                divisor=stored_divisor(interval).seconds,
                market=market.id,
                to=ascending[0][0],
            )
            last = found[0][0] if found else None
        return _flattened(ascending, last)

    async def trades(self, market: Market, limit: int, before: int | None = None) -> list[TradeRow]:
        """Return the newest trades below sequence `before`, newest first; marks are left out."""
        columns = await self._reader.query(
            "select_trades",
            market=market.id,
            before=_SEQUENCE_END if before is None else before,
            limit=limit,
        )
        return [
            TradeRow(time_us, sequence, price, float(size), float(quote), *rest)
            for time_us, sequence, price, size, quote, *rest in zip(*columns, strict=True)
        ]

    async def snapshot(self, market: Market, interval: Interval, count: int = 2) -> Snapshot:
        """Return the newest `count` candles, with the number of the last commit in them."""
        for _ in range(3):  # mostly no commit begins while one query runs
            before = self._writer.finished
            if self._writer.started == before:
                history = await self.candles(market, interval, None, TIME_MAX, count)
                if self._writer.started == before:
                    return Snapshot(before, history.candles)
        return await self._snapshot_between_commits(market, interval, count)

    async def _snapshot_between_commits(
        self, market: Market, interval: Interval, count: int
    ) -> Snapshot:
        def read(client: Any) -> tuple[int, Columns]:
            divisor = stored_divisor(interval)
            nth = {"divisor": divisor.seconds, "market": market.id, "to": TIME_MAX}
            each = -(-interval.seconds // divisor.seconds) + 1
            found = select(client, "select_nth_bucket", {**nth, "count": count * each})
            start = interval.floor(int(found[0][0])) if found else TIME_MAX
            parameters = _candle_parameters(market, interval, start, TIME_MAX, count)
            return self._writer.finished, select(client, "select_candles", parameters)

        commit, columns = await asyncio.wrap_future(self._writer.call(read))
        return Snapshot(commit, await self._filled(market, interval, columns))

    async def summaries(self, markets: Sequence[Market]) -> dict[int, Summary]:
        """Return the last 24 hours of `markets` by id; those without any price are absent."""
        return await self._summaries.of(markets)

    async def marks(
        self,
        market: Market,
        from_time: int,
        to_time: int,
        limit: int = MARKS_MAX,
        interval: Interval | None = None,
    ) -> list[ChartMark]:
        """Return what is worth a mark in [from_time, to_time), ascending, the newest `limit`.

        At most the last WINDOW_MAX_S of the range are looked at. With an interval, only the last
        funding and the last note of each of its buckets are wanted.

        Raises:
            Retryable: the store fails.
        """
        to = min(_clamp(to_time), _DATETIME_MAX)
        span = max(_clamp(from_time), to - WINDOW_MAX_S), to
        return await marks.read(self._reader, market, span, limit, interval)

    async def last_seconds(self, markets: Sequence[Market]) -> dict[int, tuple[int, float]]:
        """Return unix second and price of the last priced second of each market, by id."""
        columns = await self._reader.query("select_last_trades", markets=[m.id for m in markets])
        return {row[0]: (int(row[1]), row[2]) for row in zip(*columns, strict=True)}


def _candle_parameters(
    market: Market, interval: Interval, start: int, to: int, limit: int
) -> dict[str, Any]:
    return {
        "market": market.id,
        "divisor": stored_divisor(interval).seconds,
        "step": interval.seconds,
        "offset": interval.offset,
        "months": interval.months,
        "from": max(start, TIME_MIN),
        "to": to,
        "limit": limit,
    }


def _clamp(time_s: int) -> int:
    return min(max(time_s, TIME_MIN), TIME_MAX)


def _rows(columns: Columns) -> int:
    return len(columns[0]) if columns else 0


def _newest(columns: Columns, count: int) -> Columns:
    return [column[:count] for column in columns] if columns and count else ()


def _flattened(ascending: list[list[Any]], last: float | None) -> Candles:
    """Return candles where buckets without a price repeat the last one; drop those before any."""
    prices = ascending[1:5]
    first = 0
    for i, price in enumerate(ascending[1]):
        if price is None and last is None:
            first = i + 1
        elif price is None:
            for column in prices:
                column[i] = last
        last = ascending[4][i] if ascending[4][i] is not None else last
    return Candles(*(column[first:] for column in ascending))
