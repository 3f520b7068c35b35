"""What is worth a mark on a chart: liquidations, large trades, funding updates and notes.

In: a market and a span of time. Out: marks, ascending, the newest of them. A trade is large when
it paid at least LARGE_TIMES the median of the span's trades; of those, the largest LARGE_MAX
count, and the newest SAMPLE_ROWS trades are looked at.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from appliance.interval import UNIT_SECONDS, Interval
from appliance.model import Market
from appliance.store.reader import Columns, Reader

Kind = Literal["liquidation", "large_trade", "funding", "note"]

MARKS_MAX: Final = 1_000
WINDOW_MAX_S: Final = 366 * 86_400
LARGE_TIMES: Final = 20
LARGE_MAX: Final = 100
SAMPLE_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class ChartMark:
    """One event. A trade has price, size and side; funding has its rate as `value`.

    `value` of a trade is what was paid, in quote units. `id` is the same whenever it is asked.
    """

    id: str
    kind: Kind
    time_us: int
    sequence: int
    value: float | None
    price: float | None = None
    size: float | None = None
    side: str = ""
    transaction_hash: str = ""
    label: str = ""

    @property
    def time(self) -> int:
        """Return its unix second."""
        return self.time_us // 1_000_000

    @property
    def is_trade(self) -> bool:
        """Return whether it stands at a price."""
        return self.kind in ("liquidation", "large_trade")


async def read(
    reader: Reader, market: Market, span: tuple[int, int], limit: int, interval: Interval | None
) -> list[ChartMark]:
    """Return the newest `limit` marks in the unix seconds [from, to), ascending.

    Raises:
        Retryable: the store fails.
    """
    where = {"market": market.id, "from": span[0], "to": span[1]}
    large = {"rows": SAMPLE_ROWS, "times": LARGE_TIMES, "limit": min(limit, LARGE_MAX)}
    liquidations, trades, others = await asyncio.gather(
        reader.query("select_liquidations", **where, limit=limit),
        reader.query("select_large_trades", **where, **large),
        reader.query("select_marks", **where, limit=limit, step=_step(interval)),
    )
    found = [
        *_trades(liquidations, "liquidation"),
        *_trades(trades, "large_trade"),
        *_others(others),
    ]
    return sorted(found, key=lambda mark: (mark.time_us, mark.sequence, mark.id))[-limit:]


def _step(interval: Interval | None) -> int:
    """Return the seconds of buckets counted from 1970 that never cross two of the interval's."""
    if interval is None:
        return 0
    return UNIT_SECONDS["d"] if interval.unit in ("w", "M") else interval.seconds


def _trades(columns: Columns, kind: Kind) -> Iterator[ChartMark]:
    for time_us, sequence, tie, price, size, quote, side, transaction in zip(*columns, strict=True):
        yield ChartMark(
            f"t{sequence}.{tie}" if tie else f"t{sequence}",
            *(kind, time_us, sequence, float(quote), price, float(size), side, transaction),
        )


def _others(columns: Columns) -> Iterator[ChartMark]:
    for time_us, sequence, kind, value, label in zip(*columns, strict=True):
        yield ChartMark(f"{kind[0]}{sequence}", kind, time_us, sequence, value, label=label)
