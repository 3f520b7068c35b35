"""Rolling windows: the last minutes of markets, as many as asked, from whole minute buckets.

The forming minute counts as one of them, as in the 24 hours of `summaries.py`. Sums are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from appliance.model import Market
from appliance.store.reader import Reader

_HOUR_S: Final = 3_600


@dataclass(frozen=True, slots=True)
class Window:
    """What was traded in a span of time. None: not known, or nothing had a price."""

    open: float | None = None
    high: float | None = None
    low: float | None = None
    close: float | None = None
    volume: float = 0.0
    quote_volume: float = 0.0
    trades: int = 0
    first_sequence: int | None = None
    last_sequence: int | None = None

    @property
    def change(self) -> float | None:
        """Return how far the price went, 0 without a trade; None where no price is known."""
        if self.close is None:
            return None
        return 0.0 if self.open is None else self.close - self.open

    @property
    def change_percent(self) -> float | None:
        """Return the same in parts of a hundred of the first price."""
        if self.change is None:
            return None
        return 100 * self.change / self.open if self.open else 0.0

    @property
    def average(self) -> float | None:
        """Return the mean price by volume, None where nothing was traded."""
        return self.quote_volume / self.volume if self.volume else None

    def closing_at(self, price: float) -> "Window":
        """Return this window with `price`, known from before it, as its close."""
        return replace(self, close=price)


def window_start(now: int, minutes: int) -> int:
    """Return the unix second at which the last `minutes` minute buckets begin."""
    return (now // 60 - (minutes - 1)) * 60


async def read(
    reader: Reader, markets: Sequence[Market], minutes: int, now: int
) -> dict[int, Window]:
    """Return the last `minutes` minutes of `markets` by id; those without a trade are absent.

    Raises:
        Retryable: the store fails.
    """
    start = window_start(now, minutes)
    columns = await reader.query(
        "select_windows",
        markets=[market.id for market in markets],
        hour=-(-start // _HOUR_S) * _HOUR_S,
        **{"from": start},
    )
    return {market_id: _window(*row) for market_id, *row in zip(*columns, strict=True)}


def _window(*row: Any) -> Window:
    first, high, low, last, base, quote, *counts = row
    return Window(first, high, low, last, float(base), float(quote), *counts)
