"""Pages of the past that go on from a place: candles and trades, oldest first.

In: a market and where to begin. Out: a page that is only short when nothing follows it, however
long the holes, so that a caller who asks on from its end gets everything once.
"""

from typing import Final

from appliance.datafeed import TIME_MAX, TIME_MIN, Datafeed, TradeRow
from appliance.interval import Interval, stored_divisor
from appliance.model import LOG_INDEX_BITS, Candles, Market
from appliance.store.reader import Columns, Reader

PAGE_MAX: Final = 1_000
_MICRO: Final = 1_000_000
_DATETIME_MAX: Final = (1 << 32) - 1
_LAST_SEQUENCE: Final = (1 << 63) - 1


class Pages:
    """Reads pages from the datafeed, and where they end from the store."""

    def __init__(self, reader: Reader, datafeed: Datafeed) -> None:
        """Ask `datafeed` for candles, `reader` for all else."""
        self._reader = reader
        self._datafeed = datafeed

    async def candles(
        self, market: Market, interval: Interval, from_time: int, to_time: int, limit: int
    ) -> Candles:
        """Return the oldest `limit` candles that start in the unix seconds [from_time, to_time).

        Raises:
            Retryable: the store fails.
        """
        start, end = interval.ceil(_bounded(from_time)), interval.ceil(_bounded(to_time))
        if start >= end:
            return Candles()
        near = min(end, interval.shift(start, limit))
        page = (await self._datafeed.candles(market, interval, start, near, 0, limit)).candles
        if near == end or len(page) == limit:
            return page
        reached = await self._reach(market, interval, start, end, limit)
        if reached <= near:
            return page
        return (await self._datafeed.candles(market, interval, start, reached, 0, limit)).candles

    async def _reach(
        self, market: Market, interval: Interval, start: int, end: int, count: int
    ) -> int:
        """Return the end of the `count`-th candle from `start` on, or of the last one."""
        columns = await self._reader.query(
            "select_nth_candle",
            market=market.id,
            divisor=stored_divisor(interval).seconds,
            step=interval.seconds,
            offset=interval.offset,
            months=interval.months,
            to=min(end, _DATETIME_MAX),
            count=count,
            **{"from": start},
        )
        return interval.shift(interval.floor(int(columns[0][0])), 1) if columns else start

    async def trades_from(
        self, market: Market, from_us: int, to_us: int, sequence: int, limit: int
    ) -> list[TradeRow]:
        """Return the oldest `limit` trades from `sequence` on in the microseconds [from_us, to_us).

        Trades without any price are left out. Several may share a sequence, by which callers ask
        on, from the last one they have or from the number after it. So a page does not end among
        them: it ends before them, or holds them all, up to PAGE_MAX. Of those that share
        `sequence` itself only the last is given.

        Raises:
            Retryable: the store fails.
        """
        if sequence > _LAST_SEQUENCE:
            return []
        is_chain = market.spec.order == "chain"
        columns = await self._reader.query(
            "select_trades_from",
            market=market.id,
            from_us=_bounded_us(from_us if is_chain else max(from_us, sequence)),
            to_us=_bounded_us(to_us),
            block=sequence >> LOG_INDEX_BITS if is_chain else 0,
            sequence=sequence,
            limit=2 * PAGE_MAX,
        )
        rows = _rows(columns)
        known = sum(row.sequence == sequence for row in rows)
        last = rows[:known][-1:]
        return last + _whole(rows[known:], limit - len(last))

    async def trades_between(
        self, market: Market, span: tuple[int, int], before: int, limit: int
    ) -> list[TradeRow]:
        """Return the newest trades in the unix seconds [from, to) below sequence `before`.

        Newest first; those that add volume only are among them.

        Raises:
            Retryable: the store fails.
        """
        columns = await self._reader.query(
            "select_trades_between",
            market=market.id,
            to=min(_bounded(span[1]), _DATETIME_MAX),
            before=before,
            limit=limit,
            **{"from": _bounded(span[0])},
        )
        return _rows(columns)

    async def trades_until(self, market: Market, to_us: int, limit: int) -> list[TradeRow]:
        """Return the newest `limit` trades with a price before microsecond `to_us`, oldest first.

        Raises:
            Retryable: the store fails.
        """
        columns = await self._reader.query(
            "select_trades_until", market=market.id, to_us=_bounded_us(to_us), limit=limit
        )
        return _rows(columns)[::-1]


def _whole(rows: list[TradeRow], limit: int) -> list[TradeRow]:
    """Return the first `limit` rows, or where that would part a sequence, a few less or more."""
    cut = min(limit, PAGE_MAX)
    if cut == 0 or len(rows) <= cut:
        return rows[:cut]
    parted = rows[cut].sequence
    whole = [row for row in rows[:cut] if row.sequence != parted]
    return whole or [row for row in rows[:PAGE_MAX] if row.sequence == parted]


def _rows(columns: Columns) -> list[TradeRow]:
    return [
        TradeRow(time_us, sequence, price, float(size), float(quote), *rest)
        for time_us, sequence, price, size, quote, *rest in zip(*columns, strict=True)
    ]


def _bounded(time_s: int) -> int:
    return min(max(time_s, TIME_MIN), TIME_MAX)


def _bounded_us(time_us: int) -> int:
    return min(max(time_us, TIME_MIN * _MICRO), TIME_MAX * _MICRO)
