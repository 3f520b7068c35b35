"""The read path: every question about the past.

In: a market, an interval, a range of unix seconds. Out: candles as columns, ascending. Stored
intervals are read as they are; any other is merged from the longest stored one that divides it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from appliance import marks
from appliance.cache.cache import Cache
from appliance.chunks.book import Chunks
from appliance.chunks.chunk import END
from appliance.chunks.fill import alone
from appliance.chunks.pieces import Pieces
from appliance.chunks.read import candles_of, last_price, nth_parameters, parameters
from appliance.chunks.strip import Question
from appliance.heads import Heads
from appliance.interval import Interval
from appliance.marks import MARKS_MAX, WINDOW_MAX_S, ChartMark
from appliance.metrics import Metrics
from appliance.model import Candles, Commit, Market
from appliance.statistics.summaries import Summaries, Summary
from appliance.store.catalogue import Catalogue
from appliance.store.reader import Columns, Reader, select
from appliance.store.writer import Writer

TIME_MIN: Final = 0
TIME_MAX: Final = 4_102_531_200
"""2100-01-02: trades are accepted until the day before."""
_SEQUENCE_END: Final = (1 << 64) - 1


class History:
    """Candles, and what is known of them.

    `older` is the start of the newest one before them (None: nothing older, or not known where it
    was not asked for). `is_settled` says that of the asked range nothing is forming or provisional
    any more. `pieces` hold the candles in the form in which they are sent, where there are any.
    """

    __slots__ = ("_candles", "_edge", "is_settled", "older", "pieces")

    def __init__(
        self,
        candles: Candles | None = None,
        older: int | None = None,
        provisional_from: int | Callable[[Candles], int | None] | None = None,
        is_settled: bool = False,
        pieces: Pieces | None = None,
    ) -> None:
        """Hold `candles`, or the `pieces` of which they are made when they are asked for."""
        self._candles = candles
        self._edge = provisional_from
        self.older = older
        self.is_settled = is_settled
        self.pieces = pieces

    @property
    def candles(self) -> Candles:
        """Return the candles as columns."""
        if self._candles is None:
            self._candles = self.pieces.candles() if self.pieces else Candles()
        return self._candles

    @property
    def provisional_from(self) -> int | None:
        """Return the start of the first candle that a reorg may still change, None if none.

        All after it are provisional, too.
        """
        return self._edge(self.candles) if callable(self._edge) else self._edge


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

    def __init__(  # noqa: PLR0913 - each part is made elsewhere
        self,
        reader: Reader,
        writer: Writer,
        catalogue: Catalogue,
        metrics: Metrics,
        heads: Heads | None = None,
        clock: Callable[[], float] = time.time,
        *,
        cache: Cache | None = None,
    ) -> None:
        """Read with `reader`; `writer` is asked for snapshots when commits never pause.

        `heads` tells what is final; without it, everything is. Without a `cache` every question is
        asked of the store; with one, `on_commit` must be told of every commit.
        """
        self.catalogue = catalogue
        self._reader = reader
        self._writer = writer
        self._heads = heads or Heads()
        self._clock = clock
        self._summaries = Summaries(reader, metrics.cache_lookups, clock)
        self._chunks = None
        if cache is not None:
            self._chunks = Chunks(reader, cache, metrics, clock)

    async def open(self) -> None:
        """Take over what an earlier process left on disk; nothing was stored by this one yet."""
        if self._chunks is not None:
            await self._chunks.open(self._writer)

    async def close(self) -> None:
        """Leave on disk what the next process may take over."""
        if self._chunks is not None:
            await self._chunks.close(self._writer)

    def on_commit(self, commit: Commit) -> None:
        """Change or drop what is remembered as the commit says."""
        self._summaries.on_commit(commit)
        if self._chunks is not None:
            self._chunks.on_commit(commit)

    def pruned(self, kept_from: Mapping[int, int]) -> None:
        """Drop candles that retention removed: `kept_from` are seconds, by seconds of interval."""
        if self._chunks is not None:
            self._chunks.prune(kept_from)

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
        question = _question(interval, from_time, to_time, countback, limit, older)
        if self._chunks is not None:
            found = await self._chunks.find(market, interval, question)
        else:
            found = await alone(self._reader, market, interval, question, self._clock())
        edge = partial(self._heads.provisional_from, market, interval)
        is_settled = self._heads.is_settled(market, question.to, self._clock())
        return History(None, found.older, edge, is_settled, found.pieces)

    def ready(
        self,
        market: Market,
        interval: Interval,
        from_time: int | None,
        to_time: int,
        countback: int,
        limit: int,
    ) -> tuple[Pieces, bool] | None:
        """Return at once what `candles` would, as pieces and whether they are settled.

        None where the store must be asked, and where there are no candles.
        """
        if self._chunks is None:
            return None
        question = _question(interval, from_time, to_time, countback, limit)
        found = self._chunks.known(market, interval, question)
        if found is None or not found.pieces:
            return None
        return found.pieces, self._heads.is_settled(market, question.to, self._clock())

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
                question = Question(TIME_MAX, TIME_MAX, count, count)
                found = await alone(self._reader, market, interval, question, self._clock())
                if self._writer.started == before:
                    return Snapshot(before, found.pieces.candles())
        return await self._snapshot_between_commits(market, interval, count)

    async def _snapshot_between_commits(
        self, market: Market, interval: Interval, count: int
    ) -> Snapshot:
        def read(client: Any) -> tuple[int, Columns]:
            nth = nth_parameters(market, interval, TIME_MAX, count)
            found = select(client, "select_nth_bucket", nth)
            start = interval.floor(int(found[0][0])) if found else TIME_MAX
            asked = parameters(market, interval, start, TIME_MAX, count)
            return self._writer.finished, select(client, "select_candles", asked)

        commit, columns = await asyncio.wrap_future(self._writer.call(read))
        last = None
        if columns and columns[1][-1] is None:
            last = await last_price(self._reader, market, interval, columns[0][-1])
        return Snapshot(commit, candles_of(columns, last))

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
        to = min(_clamp(to_time), END)
        span = max(_clamp(from_time), to - WINDOW_MAX_S), to
        return await marks.read(self._reader, market, span, limit, interval)

    async def last_seconds(self, markets: Sequence[Market]) -> dict[int, tuple[int, float]]:
        """Return unix second and price of the last priced second of each market, by id."""
        columns = await self._reader.query("select_last_trades", markets=[m.id for m in markets])
        return {row[0]: (int(row[1]), row[2]) for row in zip(*columns, strict=True)}


def _question(
    interval: Interval,
    from_time: int | None,
    to_time: int,
    countback: int,
    limit: int,
    older: bool = False,
) -> Question:
    start = to = min(interval.ceil(_clamp(to_time)), END)
    if from_time is not None and from_time < to:
        start = interval.ceil(max(TIME_MIN, from_time))
    return Question(start, to, min(max(countback, 0), limit), limit, older)


def _clamp(time_s: int) -> int:
    return min(max(time_s, TIME_MIN), TIME_MAX)
