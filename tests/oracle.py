"""Candles in plain Python, slowly and obviously: what the engine's answers are compared with."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from hashlib import blake2b

import pyarrow as pa

from appliance.interval import Interval
from appliance.model import DECIMALS, LOG_INDEX_BITS, scaled, trade_table


@dataclass(frozen=True)
class T:
    """One trade of the only market; `size` is counted in 10^-18."""

    time_us: int
    price: float | None
    size: int
    side: str = "buy"
    trade_id: str = ""
    block: int = 0
    log_index: int = 0
    kind: str = "trade"

    @property
    def sequence(self) -> int:
        """Return where the trade stands in its market's order."""
        return self.block << LOG_INDEX_BITS | self.log_index if self.block else self.time_us

    @property
    def tie(self) -> int:
        """Return what orders trades of equal sequence."""
        digest = blake2b(self.trade_id.encode(), digest_size=8).digest()
        return 0 if self.block else int.from_bytes(digest, "little")


@dataclass
class C:
    """One candle; volumes are exact."""

    time: int
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: Decimal
    buy_volume: Decimal
    trades: int


def exact(units: int) -> Decimal:
    """Return a number counted in 10^-18; the default context would round it to 28 digits."""
    return Decimal(units).scaleb(-DECIMALS, Context(prec=100))


def table(trades: Sequence[T]) -> pa.Table:
    """Return the trades as a submission of one market."""
    return trade_table(
        len(trades),
        market_id=[0] * len(trades),
        time=pa.array([t.time_us for t in trades], pa.timestamp("us", "UTC")),
        sequence=[t.sequence for t in trades],
        tie=[t.tie for t in trades],
        price=[t.price for t in trades],
        execution_price=[t.price for t in trades],
        base_volume=scaled(t.size for t in trades),
        quote_volume=scaled(2 * t.size for t in trades),
        side=[t.side for t in trades],
        kind=[t.kind for t in trades],
        trade_id=[t.trade_id for t in trades],
        block_number=[t.block for t in trades],
        log_index=[t.log_index for t in trades],
    )


def candles(trades: Iterable[T], interval: Interval) -> list[C]:
    """Return the candles of the trades, ascending."""
    buckets: dict[int, list[T]] = {}
    for trade in sorted(trades, key=lambda t: (t.sequence, t.tie)):
        buckets.setdefault(interval.floor(trade.time_us // 1_000_000), []).append(trade)
    return [_candle(start, buckets[start]) for start in sorted(buckets)]


def _candle(start: int, trades: list[T]) -> C:
    prices = [t.price for t in trades if t.price is not None]
    return C(
        start,
        prices[0] if prices else None,
        max(prices, default=None),
        min(prices, default=None),
        prices[-1] if prices else None,
        exact(sum(t.size for t in trades)),
        exact(sum(t.size for t in trades if t.side == "buy")),
        sum(t.kind != "mark" for t in trades),
    )


def shuffled(trades: Sequence[T], seed: int) -> list[T]:
    """Return the trades in another order."""
    order = list(trades)
    random.Random(seed).shuffle(order)
    return order
