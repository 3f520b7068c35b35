"""The last 24 hours of every market: what lists, headers and searches show.

All markets are read at once, at most once a second, however many ask.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client import Counter

from appliance.model import Market
from appliance.store.catalogue import Catalogue
from appliance.store.reader import Reader

DAY_S: Final = 86_400
_AGE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Summary:
    """The last 24 hours of one market: 1,440 minute buckets, the forming one included.

    Without a trade in that time: the last price, no change and no volume. `mark_price` is the
    newest that an event told, `funding_rate` a fraction of the position; None: not known.
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
    last_time: int = 0


class Summaries:
    """Remembers the summaries for a second, and less where history is revised."""

    def __init__(
        self,
        reader: Reader,
        catalogue: Catalogue,
        lookups: Counter,
        clock: Callable[[], float],
    ) -> None:
        """Know nothing yet."""
        self._reader = reader
        self._catalogue = catalogue
        self._lookups = lookups
        self._clock = clock
        self._known: dict[int, Summary] = {}
        self._read_at = 0.0
        self._lock = asyncio.Lock()
        self._revised = 0

    def forget(self) -> None:
        """Read again before the next answer: something was taken away or rebuilt."""
        self._revised += 1
        self._read_at = 0.0

    async def of(self, markets: Sequence[Market]) -> dict[int, Summary]:
        """Return the summaries of `markets` by id; those without any price are absent."""
        async with self._lock:
            fresh = self._clock() - self._read_at <= _AGE_S
            self._lookups.labels("summaries", "hit" if fresh else "miss").inc()
            if not fresh:
                revised = self._revised
                self._known = await self._read()
                # what was revised while it was read may be in it by halves
                self._read_at = self._clock() if revised == self._revised else 0.0
        return {m.id: self._known[m.id] for m in markets if m.id in self._known}

    async def _read(self) -> dict[int, Summary]:
        ids = [m.id for m in self._catalogue.all()]
        now = int(self._clock())
        since = {"markets": ids, "from": (now // 60 - 1_439) * 60}
        last, window, lines, rates = await asyncio.gather(
            self._reader.query("select_last_prices", markets=ids),
            self._reader.query("select_summaries", **since),
            self._reader.query("select_sparklines", markets=ids, **{"from": now - DAY_S}),
            self._reader.query("select_rates", markets=ids),
        )
        closes = dict(zip(*lines, strict=True)) if lines else {}
        rows = {row[0]: row[1:] for row in zip(*window, strict=True)}
        told = {row[0]: row[1:] for row in zip(*rates, strict=True)}
        return {
            market_id: _summary(
                *(price, day, rows.get(market_id), list(closes.get(market_id, ()))),
                *told.get(market_id, (None, None)),
            )
            for market_id, price, day in zip(*last, strict=True)
        }


def _summary(
    price: float,
    day: int,
    window: tuple[Any, ...] | None,
    closes: list[float],
    mark_price: float | None,
    funding_rate: float | None,
) -> Summary:
    if window is None or window[0] is None:
        return Summary(price, mark_price=mark_price, funding_rate=funding_rate, last_time=day)
    first, high, low, last, base, quote, trades = window
    change = last - first
    return Summary(
        *(last, change, 100 * change / first if first else 0.0, first, high, low),
        volume=float(base),
        quote_volume=float(quote),
        trades=trades,
        mark_price=mark_price,
        funding_rate=funding_rate,
        sparkline=closes,
        last_time=day,
    )
