"""Windows of the last minutes with the prices at their end, as tickers show them.

The 24 hours are those of the summaries, the same as on every other interface; any others are
read. Sums are exact.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from appliance.model import Market
from appliance.statistics.span import starts
from appliance.statistics.summaries import Summary
from appliance.store.reader import Reader

SummariesOf = Callable[[Sequence[Market]], Awaitable[dict[int, Summary]]]


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


class Windows:
    """What was traded lately."""

    def __init__(self, summaries: SummariesOf, reader: Reader, clock: Callable[[], float]) -> None:
        """Ask `summaries` for the 24 hours and for last prices, `reader` for all else."""
        self._summaries = summaries
        self._reader = reader
        self._clock = clock

    async def day(self, markets: Sequence[Market]) -> dict[int, Window]:
        """Return the last 24 hours of `markets` by id; those without any price are absent.

        Raises:
            Retryable: the store fails.
        """
        summaries = await self._summaries(markets)
        return {market_id: _day(summary) for market_id, summary in summaries.items()}

    async def rolling(self, markets: Sequence[Market], minutes: int) -> dict[int, Window]:
        """Return the last `minutes` of `markets` by id, those without any price being absent.

        A window without a price closes at the last one.

        Raises:
            Retryable: the store fails.
        """
        found = await read(self._reader, markets, minutes, int(self._clock()))
        silent = [m for m in markets if m.id not in found or found[m.id].close is None]
        last = await self._summaries(silent) if silent else {}
        return found | {
            market_id: found.get(market_id, Window()).closing_at(summary.price)
            for market_id, summary in last.items()
        }

    def span_ms(self, minutes: int) -> tuple[int, int]:
        """Return when a window that ends now begins and ends, in milliseconds."""
        now = self._clock()
        return starts(int(now), minutes)["from"] * 1000, int(now * 1000)


def _day(summary: Summary) -> Window:
    return Window(
        *(summary.open, summary.high, summary.low, summary.price),
        *(summary.volume, summary.quote_volume, summary.trades),
    )


async def read(
    reader: Reader, markets: Sequence[Market], minutes: int, now: int
) -> dict[int, Window]:
    """Return the last `minutes` minutes of `markets` by id; those without a trade are absent.

    Raises:
        Retryable: the store fails.
    """
    ids = [market.id for market in markets]
    columns = await reader.query("select_windows", markets=ids, **starts(now, minutes))
    return {market_id: _window(*row) for market_id, *row in zip(*columns, strict=True)}


def _window(*row: Any) -> Window:
    first, high, low, last, base, quote, *counts = row
    return Window(first, high, low, last, float(base), float(quote), *counts)
