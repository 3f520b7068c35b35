"""Candles that still form: trades as numpy columns, merged into bars exactly as the store would.

Volumes are whole numbers of 10^-18, so that sums agree to the digit with the store's decimals;
floats appear only at the edge. Everything here is pure; `live` decides when and for whom.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from appliance.interval import Interval
from appliance.model import DECIMALS, UNIT, Candles

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_COLUMNS: Final = (
    *("market_id", "time", "sequence", "tie", "price", "execution_price", "mark_price"),
    *("base_volume", "quote_volume", "side", "kind"),
)
_SURE_DIGITS: Final = 15
"""A float shown with at most this many digits is taken for the exact decimal."""


@dataclass(frozen=True, slots=True)
class Rows:
    """New trades of one market, in the market's order. Prices are NaN where there is none."""

    market_id: int
    time_us: Ints
    sequence: npt.NDArray[np.uint64]
    price: Floats
    execution_price: Floats
    mark_price: Floats
    base: npt.NDArray[np.uint32]
    quote: npt.NDArray[np.uint32]
    buy: Bools
    sell: Bools
    mark: Bools

    def __len__(self) -> int:
        return len(self.sequence)

    def starts(self, interval: Interval) -> Ints:
        """Return the start of the bucket of every trade."""
        return floors(interval, self.time_us // 1_000_000)


@dataclass(slots=True)
class Bar:
    """One bucket's candle. `volumes` and `totals` are base, quote, bought base, bought quote."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volumes: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    totals: tuple[int, ...] = field(default=(0, 0, 0, 0), compare=False)
    trades: int = 0
    first_sequence: int = 0
    last_sequence: int = 0
    priced: bool | None = field(default=False, compare=False)
    """Whether a trade set a price; None where the store's candle does not tell."""
    rounded: bool = field(default=False, compare=False)
    """Whether `totals` began as floats of the store, so that sums may miss the last digit."""
    doubtful: bool = field(default=False, compare=False)
    """Whether trades were added to rounded totals: to be read again before the bar closes."""
    closed: bool = field(default=False, compare=False)
    """Whether the bar was published as closed."""
    final: bool = field(default=True, compare=False)
    """Whether it was published as one that no reorg can change any more."""

    @property
    def is_flat(self) -> bool:
        """Return whether the bar has one price only."""
        return self.open == self.high == self.low == self.close


def bars_of(
    candles: Candles, wanted: Collection[int], priced: Collection[int] = ()
) -> dict[int, Bar]:
    """Return the wanted stored candles as bars; `priced` buckets surely hold their own price."""
    return {
        start: _stored_bar(candles, i, priced)
        for i, start in enumerate(candles.time)
        if start in wanted
    }


def _stored_bar(candles: Candles, i: int, priced: Collection[int]) -> Bar:
    columns = ("volume", "quote_volume", "buy_volume", "buy_quote_volume")
    volumes = tuple(float(getattr(candles, column)[i]) for column in columns)
    decimals = [Decimal(repr(volume)) for volume in volumes]
    bar = Bar(
        candles.time[i],
        candles.open[i],
        candles.high[i],
        candles.low[i],
        candles.close[i],
        volumes,
        tuple(int(decimal.scaleb(DECIMALS)) for decimal in decimals),
        candles.trades[i],
        candles.first_sequence[i],
        candles.last_sequence[i],
        rounded=any(len(decimal.as_tuple().digits) > _SURE_DIGITS for decimal in decimals),
    )
    bar.priced = None if bar.is_flat and bar.start not in priced else True
    return bar


def split(trades: pa.Table, market_ids: pa.Array) -> Iterator[Rows]:
    """Yield the trades of the wanted markets, market by market, each in the market's order."""
    table = trades.select(_COLUMNS)
    table = table.filter(pc.is_in(table["market_id"], value_set=market_ids))
    if not len(table):
        return
    ids = table["market_id"].to_numpy()
    keys = (table["tie"].to_numpy(), table["sequence"].to_numpy(), ids)
    order = np.lexsort(keys)
    columns = {name: values[order] for name, values in _arrays(table).items()}
    ids = ids[order]
    edges = [0, *(np.flatnonzero(np.diff(ids)) + 1).tolist(), len(ids)]
    for start, stop in pairwise(edges):
        piece = {name: values[start:stop] for name, values in columns.items()}
        yield Rows(market_id=int(ids[start]), **piece)


def _arrays(table: pa.Table) -> dict[str, npt.NDArray[Any]]:
    return {
        "time_us": table["time"].cast(pa.int64()).to_numpy(),
        "sequence": table["sequence"].to_numpy(),
        "price": table["price"].to_numpy(),
        "execution_price": table["execution_price"].to_numpy(),
        "mark_price": table["mark_price"].to_numpy(),
        "base": _limbs(table["base_volume"]),
        "quote": _limbs(table["quote_volume"]),
        "buy": pc.equal(table["side"], "buy").to_numpy(),
        "sell": pc.equal(table["side"], "sell").to_numpy(),
        "mark": pc.equal(table["kind"], "mark").to_numpy(),
    }


def _limbs(column: pa.ChunkedArray) -> npt.NDArray[np.uint32]:
    """Return 128-bit decimals as rows of four little-endian 32-bit limbs."""
    chunks = [
        np.frombuffer(chunk.buffers()[1], np.uint32, 4 * len(chunk), 16 * chunk.offset)
        for chunk in column.chunks
        if len(chunk)
    ]
    return np.concatenate(chunks).reshape(-1, 4)


def total(limbs: npt.NDArray[np.uint32]) -> int:
    """Return the exact sum of 128-bit numbers given as limbs."""
    low = limbs[:, :3].sum(axis=0, dtype=np.uint64).tolist()
    high = int(limbs[:, 3].view(np.int32).sum(dtype=np.int64))
    return int(low[0]) + (int(low[1]) << 32) + (int(low[2]) << 64) + (high << 96)


def to_float(scaled: int) -> float:
    """Return a number of 10^-18 as the nearest float, as `Datafeed` does with the store's."""
    return scaled / UNIT


def floors(interval: Interval, seconds: Ints) -> Ints:
    """Return `interval.floor` of every time."""
    if interval.unit != "M":
        return seconds - (seconds - interval.offset) % interval.seconds
    days, where = np.unique(seconds // 86_400, return_inverse=True)
    return np.array([interval.floor(int(day) * 86_400) for day in days], np.int64)[where]


def buckets(rows: Rows, interval: Interval, limit: int) -> list[int]:
    """Return the newest `limit` buckets that the trades touch, ascending."""
    found: list[int] = np.unique(rows.starts(interval))[-limit:].tolist()
    return found


def priced_buckets(rows: Rows, interval: Interval) -> set[int]:
    """Return the buckets in which a trade or mark has a price."""
    return set(rows.starts(interval)[~np.isnan(rows.price)].tolist())


def merge(newest: Bar, rows: Rows, interval: Interval, limit: int) -> list[Bar] | None:
    """Add trades to the newest bar and to bars after it; return those that changed, ascending.

    None, and nothing is changed, where the store must be asked: a trade is not newer than all
    that the bar holds, is of an older bucket, or there are more than `limit` buckets.
    """
    starts = rows.starts(interval)
    if int(rows.sequence[0]) <= newest.last_sequence or starts[0] < newest.start:
        return None
    steps = np.diff(starts)
    if (steps < 0).any():
        return None
    edges = [0, *(np.flatnonzero(steps) + 1).tolist(), len(rows)]
    if len(edges) - 1 > limit or _hides_open(newest, rows, starts):
        return None
    changed = []
    for start, stop in pairwise(edges):
        if int(starts[start]) != newest.start:
            newest = _flat(int(starts[start]), newest.close, int(rows.sequence[start]))
        _add(newest, rows, slice(start, stop))
        changed.append(newest)
    return changed


def _hides_open(bar: Bar, rows: Rows, starts: Ints) -> bool:
    """Return whether only the store knows if `bar` opens with a price added now."""
    return bar.priced is None and bool((~np.isnan(rows.price[starts == bar.start])).any())


def _flat(start: int, price: float, sequence: int) -> Bar:
    return Bar(start, price, price, price, price, first_sequence=sequence)


def _add(bar: Bar, rows: Rows, where: slice) -> None:
    prices = rows.price[where]
    prices = prices[~np.isnan(prices)]
    if len(prices):
        low, high = float(prices.min()), float(prices.max())
        if not bar.priced:
            bar.open, bar.low, bar.high = float(prices[0]), low, high
        bar.low, bar.high = min(bar.low, low), max(bar.high, high)
        bar.close, bar.priced = float(prices[-1]), True
    traded = ~rows.mark[where]
    bought = traded & rows.buy[where]
    base, quote = rows.base[where], rows.quote[where]
    added = total(base[traded]), total(quote[traded]), total(base[bought]), total(quote[bought])
    bar.totals = tuple(a + b for a, b in zip(bar.totals, added, strict=True))
    bar.volumes = tuple(to_float(value) for value in bar.totals)
    bar.doubtful |= bar.rounded
    bar.trades += int(traded.sum())
    bar.last_sequence = int(rows.sequence[where][-1])
