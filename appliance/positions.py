"""What is held: open interest and funding of markets whose trades open and close positions.

Open interest is what was opened and not closed since the first stored trade, in quote units. It
is known once a position was closed (some contracts never say), where each that was had been seen
to open, and no trade was pruned.
"""

import time
from collections.abc import Callable
from itertools import accumulate
from typing import Final

from appliance.interval import Interval
from appliance.model import Market
from appliance.store.reader import Columns, Reader

Point = tuple[int, float]
AGE_S: Final = 5.0
KEPT: Final = 1_000
_DATETIME_MAX: Final = (1 << 32) - 1
_ROUNDING: Final = 1e-6
"""Of what was opened: a sum of doubles may end a little below zero."""


class Positions:
    """Adds up from the store; what is asked for often is remembered for a moment."""

    def __init__(self, reader: Reader, clock: Callable[[], float] = time.time) -> None:
        """Know nothing yet."""
        self._reader = reader
        self._clock = clock
        self._known: dict[int, tuple[float, float | None]] = {}

    async def open_interest(self, market: Market) -> float | None:
        """Return what is open now, None where it is not known.

        Raises:
            Retryable: the store fails.
        """
        now = self._clock()
        read_at, value = self._known.get(market.id, (0.0, None))
        if not 0 <= now - read_at <= AGE_S:
            value = await self._sum(market)
            self._known.pop(market.id, None)  # the oldest come first
            self._known[market.id] = now, value
            if len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
        return value

    async def _sum(self, market: Market) -> float | None:
        if market.raw_complete_from:
            return None
        opened, closed, strangers = await self._totals(market, _DATETIME_MAX)
        if not closed or strangers or closed > opened * (1 + _ROUNDING):
            return None
        return max(0.0, opened - closed)

    async def _totals(self, market: Market, to: int) -> tuple[float, float, int]:
        """Return what was opened and closed before `to`, and events of strange positions."""
        columns = await self._reader.query("select_open_interest", market=market.id, to=to)
        opened, closed, strangers = (column[0] for column in columns)
        return opened, closed, strangers

    async def history(
        self, market: Market, interval: Interval, from_time: int, to_time: int, limit: int
    ) -> list[Point]:
        """Return the start of each bucket in which it changed, and what was open at its end.

        Ascending, the newest `limit` in the unix seconds [from, to); none where it is not known.

        Raises:
            Retryable: the store fails.
        """
        to = min(interval.ceil(to_time), _DATETIME_MAX)
        start = interval.ceil(max(0, from_time))
        if start >= to or await self.open_interest(market) is None:
            return []
        span = {"market": market.id, "from": start, "to": to, "limit": limit}
        steps = await self._reader.query("select_open_interest_steps", **span, **_buckets(interval))
        if not steps:
            return []
        starts, changes = steps[0][::-1], steps[1][::-1]
        opened, closed, _ = await self._totals(market, starts[0])
        levels = list(accumulate(changes, initial=opened - closed))[1:]
        return [(int(s), max(0.0, level)) for s, level in zip(starts, levels, strict=True)]

    async def funding(
        self, market: Market, interval: Interval, from_time: int, to_time: int, limit: int
    ) -> list[Point]:
        """Return the last rate of each bucket that has one, ascending, the newest `limit`.

        Raises:
            Retryable: the store fails.
        """
        span = {"market": market.id, "from": max(0, from_time), "to": min(to_time, _DATETIME_MAX)}
        columns = await self._reader.query(
            "select_funding", **span, limit=limit, **_buckets(interval)
        )
        return _points(columns)


def _buckets(interval: Interval) -> dict[str, int]:
    return {"step": interval.seconds, "offset": interval.offset, "months": interval.months}


def _points(columns: Columns) -> list[Point]:
    rows = [(int(start), float(value)) for start, value in zip(*columns, strict=True)]
    return rows[::-1]
