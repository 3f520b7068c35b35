"""Windows of the last minutes with the prices at their end, as tickers show them.

The 24 hours are the datafeed's, the same as on every other interface; any others are read.
"""

from collections.abc import Callable, Sequence

from appliance import rolling
from appliance.datafeed import Datafeed
from appliance.model import Market
from appliance.rolling import Window
from appliance.store.reader import Reader
from appliance.summaries import Summary


class Windows:
    """What was traded lately."""

    def __init__(self, datafeed: Datafeed, reader: Reader, clock: Callable[[], float]) -> None:
        """Ask `datafeed` for the 24 hours and for last prices, `reader` for all else."""
        self._datafeed = datafeed
        self._reader = reader
        self._clock = clock

    async def day(self, markets: Sequence[Market]) -> dict[int, Window]:
        """Return the last 24 hours of `markets` by id; those without any price are absent.

        Raises:
            Retryable: the store fails.
        """
        summaries = await self._datafeed.summaries(markets)
        return {market_id: _day(summary) for market_id, summary in summaries.items()}

    async def rolling(self, markets: Sequence[Market], minutes: int) -> dict[int, Window]:
        """Return the last `minutes` of `markets` by id, those without any price being absent.

        A window without a price closes at the last one.

        Raises:
            Retryable: the store fails.
        """
        found = await rolling.read(self._reader, markets, minutes, int(self._clock()))
        silent = [m for m in markets if m.id not in found or found[m.id].close is None]
        last = await self._datafeed.summaries(silent) if silent else {}
        return found | {
            market_id: found.get(market_id, Window()).closing_at(summary.price)
            for market_id, summary in last.items()
        }

    def span_ms(self, minutes: int) -> tuple[int, int]:
        """Return when a window that ends now begins and ends, in milliseconds."""
        now = self._clock()
        return rolling.window_start(int(now), minutes) * 1000, int(now * 1000)


def _day(summary: Summary) -> Window:
    return Window(
        *(summary.open, summary.high, summary.low, summary.price),
        *(summary.volume, summary.quote_volume, summary.trades),
    )
