"""The past as live asks for it: the newest candles with their commit, and any range.

The datafeed answers so from the store.
"""

from typing import Protocol

from appliance.interval import Interval
from appliance.model import Candles, Market
from appliance.store.catalogue import Catalogue


class Snapshot(Protocol):
    """The newest candles, holding exactly the commits up to `commit`."""

    @property
    def commit(self) -> int: ...  # noqa: D102
    @property
    def candles(self) -> Candles: ...  # noqa: D102


class History(Protocol):
    """Candles of the past."""

    @property
    def candles(self) -> Candles: ...  # noqa: D102


class Past(Protocol):
    """The part of the datafeed that live needs."""

    catalogue: Catalogue

    async def snapshot(self, market: Market, interval: Interval, count: int = 2) -> Snapshot:
        """Return the newest candles and the commit they hold."""
        ...

    async def candles(
        self,
        market: Market,
        interval: Interval,
        from_time: int | None,
        to_time: int,
        countback: int = 0,
        limit: int = 10_000,
    ) -> History:
        """Return the candles that start in [from_time, to_time)."""
        ...
