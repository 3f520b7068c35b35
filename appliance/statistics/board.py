"""How all markets stand: their last 24 hours as columns, to put them in an order.

Read at once for all of them, and only when somebody asks; never oftener than once a second, and
with at most a twentieth of the time spent on it. So with many markets the order may be that of a
while ago; the numbers that are shown come from `summaries`, which reads those of one page.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from appliance.statistics.span import starts
from appliance.store.catalogue import Catalogue
from appliance.store.names import Ids
from appliance.store.reader import Columns, Reader

Key = Literal[
    "quote_volume_24h",
    "volume_24h",
    "trades_24h",
    "current_price",
    "price_change_24h",
    "price_change_percent_24h",
    "high_24h",
    "low_24h",
]
KEYS: Final[tuple[Key, ...]] = (
    *("quote_volume_24h", "volume_24h", "trades_24h", "current_price"),
    *("price_change_24h", "price_change_percent_24h", "high_24h", "low_24h"),
)
_DAY: Final[tuple[Key, ...]] = (
    *("high_24h", "low_24h", "volume_24h", "quote_volume_24h", "trades_24h"),
    *("price_change_24h", "price_change_percent_24h"),
)
_NEVER_INVENTED: Final = ("high_24h", "low_24h")
Numbers = NDArray[np.float64]
_AGE_S: Final = 1.0
_REST: Final = 20
"""A reading that took a second is good for twenty."""
_PATIENCE_S: Final = 0.5
"""How long a question waits for a reading; then what was known before has to do."""
_RANGE: Final = 25_000
"""Ids of one query: taking in its answer holds the event loop up for no more than a millisecond."""
_ORDERS: Final = 4


@dataclass(frozen=True, slots=True)
class Standings:
    """The markets that ever had a price, by id, and those of the last 24 hours with their numbers.

    Ids ascend; all numbers of a market without a trade in 24 hours are 0, its high and low unknown.
    """

    ids: Ids
    prices: Numbers
    day_ids: Ids
    day: dict[Key, Numbers]
    busiest: Ids
    """Of these the ones with volume, those with most of it first."""
    _orders: dict[tuple[Key, bool], Ids] = field(default_factory=dict)

    def volumes(self, ids: Ids) -> Numbers:
        """Return the quote volume of each of `ids`, 0 where it is not known."""
        volumes = np.zeros(len(ids))
        at, held = _places(ids, self.day_ids)
        volumes[held] = self.day["quote_volume_24h"][at]
        return volumes

    def ordered(self, key: Key, *, descending: bool) -> Ids:
        """Return the ids of the markets whose number is known in its order, the older first."""
        order = self._orders.get((key, descending))
        if order is None:
            values = self._values(key)
            known = np.flatnonzero(~np.isnan(values))
            by_value = np.argsort(-values[known] if descending else values[known], kind="stable")
            order = self.ids[known[by_value]]
            if len(self._orders) >= _ORDERS:
                self._orders.clear()
            self._orders[key, descending] = order
        return order

    def _values(self, key: Key) -> Numbers:
        if key == "current_price":
            return self.prices
        values = np.full(len(self.ids), np.nan if key in _NEVER_INVENTED else 0.0)
        at, held = _places(self.day_ids, self.ids)
        values[at] = self.day[key][held]
        return values


def empty() -> Standings:
    """Return the standings of no market."""
    none = np.empty(0, np.uint32)
    return Standings(none, np.empty(0), none, {key: np.empty(0) for key in _DAY}, none)


def _places(wanted: Ids, ids: Ids) -> tuple[Ids, NDArray[np.bool_]]:
    """Return the places in `ids` of those `wanted` that are there, and which these are."""
    at = np.searchsorted(ids, wanted)
    held = at < len(ids)
    held[held] = ids[at[held]] == wanted[held]
    return at[held], held


class Board:
    """Keeps the newest standings."""

    def __init__(
        self,
        reader: Reader,
        catalogue: Catalogue,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know nothing yet."""
        self._reader = reader
        self._catalogue = catalogue
        self._clock = clock
        self._monotonic = monotonic
        self._standings = empty()
        self._good_until = 0.0
        self._revised = 0
        self._reading: asyncio.Task[Standings] | None = None

    def forget(self) -> None:
        """Read again before the next order: history was revised."""
        self._revised += 1
        self._good_until = 0.0

    async def standings(self) -> Standings:
        """Return the newest standings; while they take long to read, those known before.

        Raises:
            Retryable: the store fails.
        """
        if self._monotonic() < self._good_until:
            return self._standings
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="board")
            self._reading.add_done_callback(self._read_ended)
        reading = self._reading
        done, _ = await asyncio.wait({reading}, timeout=_PATIENCE_S)
        return reading.result() if done else self._standings

    def _read_ended(self, reading: "asyncio.Task[Standings]") -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # whoever waits is told; asking keeps asyncio from saying so again

    async def _read(self) -> Standings:
        begun, revised = self._monotonic(), self._revised
        span = starts(int(self._clock()))
        days, prices = [_table((), 8)], [_table((), 2)]
        for first in range(0, self._catalogue.last_id + 1, _RANGE):
            ids = {"first": first, "last": first + _RANGE - 1}
            day, price = await asyncio.gather(
                self._reader.query("select_standings", **ids, **span),
                self._reader.query("select_prices", **ids),
            )
            days.append(_table(day, 8))
            prices.append(_table(price, 2))
        self._standings = await asyncio.to_thread(_standings, days, prices)
        if revised == self._revised:  # else half of the revision may be in it
            now = self._monotonic()
            self._good_until = now + max(_AGE_S, _REST * (now - begun))
        return self._standings


def _table(columns: Columns, count: int) -> Numbers:
    return np.array(columns, np.float64) if columns else np.empty((count, 0))


def _standings(days: list[Numbers], prices: list[Numbers]) -> Standings:
    ids, price = np.concatenate(prices, axis=1)
    day_ids, first, high, low, last, base, quote, trades = np.concatenate(days, axis=1)
    change = np.nan_to_num(last - first)
    percent = np.zeros(len(day_ids))
    np.divide(100 * change, first, out=percent, where=(first != 0) & ~np.isnan(first))
    columns = (high, low, base, quote, trades, change, percent)
    by_volume = np.argsort(-quote, kind="stable")
    active = day_ids.astype(np.uint32)
    return Standings(
        *(ids.astype(np.uint32), price, active),
        dict(zip(_DAY, columns, strict=True)),
        active[by_volume[: np.count_nonzero(quote > 0)]],
    )
