"""Turn trades as callers write them into a table that ingest takes.

In: `Trade` records, decoded from JSON or made of the cells of a CSV file. Out: a table of
TRADE_SCHEMA whose `market_id` is an index into the returned specs. All or nothing: the first bad
trade raises BadRequest with its position and the reason. No I/O; the clock and the counter of
arrivals are passed in.
"""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from appliance.errors import BadRequest
from appliance.files.checks import AHEAD_US, LATEST_US, Checks, in_units
from appliance.files.record import Intake, Trade
from appliance.files.symbol import assets, canonical_symbol
from appliance.model import (
    DECIMALS,
    KINDS,
    LOG_INDEX_BITS,
    SIDES,
    TRADE_SCHEMA,
    MarketSpec,
    Order,
    scaled,
    trade_table,
)

__all__ = ["AHEAD_US", "LATEST_US", "Intake", "Trade", "convert", "id_tie"]

FEWEST_DECIMALS: Final = 2
_NOISE: Final = 1e-14
"""A price of up to 14 digits, times the right power of ten, is a whole number but for this part:
0.30000000000000004 has one decimal, not seventeen."""


def convert(trades: Sequence[Trade], intake: Intake) -> tuple[pa.Table, tuple[MarketSpec, ...]]:
    """Return the table of `trades`, and the markets that its `market_id` column indexes.

    Raises:
        BadRequest: a trade is wrong; the message gives its position, field, value and cure.
    """
    if not trades:
        return trade_table(0), ()
    checks = Checks(trades, intake)
    kinds = checks.words("kind", KINDS, "trade")
    prices, sizes, on_chain = checks.prices(), checks.sizes(kinds), checks.on_chain()
    specs, indexes = _markets(checks, on_chain)
    doubles = np.array(list(map(float, prices)), np.float64)
    columns = {
        "market_id": pa.array(indexes, pa.uint32()),
        "base_volume": scaled(map(in_units, sizes)),
        "quote_volume": scaled(checks.quotes(prices, sizes)),
        "fee": scaled(map(in_units, checks.fees())),
        "side": pa.array(checks.words("side", SIDES, ""), pa.string()),
        "kind": pa.array(kinds, pa.string()),
        "trader": pa.array(checks.texts("trader"), pa.string()),
        "chain_id": pa.array(np.array([s.chain_id for s in specs], np.uint64)[indexes]),
        "transaction_hash": pa.array(checks.texts("transaction_hash"), pa.string()),
    }
    columns |= _order_columns(checks, on_chain) | _price_columns(doubles, kinds, specs, indexes)
    table = trade_table(len(trades), **columns)
    return table, _with_decimals(specs, indexes, doubles)


def id_tie(trade_id: str) -> int:
    """Return the 64 bits that order trades of one microsecond, in whatever order they arrive."""
    return int.from_bytes(blake2b(trade_id.encode(), digest_size=8).digest(), "little")


def _order_columns(checks: Checks, on_chain: npt.NDArray[np.bool_]) -> dict[str, pa.Array]:
    """Return time, sequence and tie, and what they are made of."""
    trades, arrival = checks.trades, checks.intake.arrival
    times, ids = checks.times(on_chain), checks.ids()
    blocks = np.array([t.block_number or 0 for t in trades], np.uint64)
    logs = np.array([t.log_index or 0 for t in trades], np.uint32)
    chain_sequence = (blocks << np.uint64(LOG_INDEX_BITS)) | logs.astype(np.uint64)
    ties = [id_tie(i) if i else next(arrival) for i in ids]
    return {
        "time": pa.array(times).cast(TRADE_SCHEMA.field("time").type),
        "sequence": pa.array(np.where(on_chain, chain_sequence, times.astype(np.uint64))),
        "tie": pa.array(np.where(on_chain, np.uint64(0), np.array(ties, np.uint64))),
        "block_number": pa.array(blocks),
        "log_index": pa.array(logs),
        "trade_id": pa.array(ids, pa.string()),
    }


def _price_columns(
    prices: npt.NDArray[np.float64],
    kinds: Sequence[str],
    specs: Sequence[MarketSpec],
    indexes: npt.NDArray[np.uint32],
) -> dict[str, pa.Array]:
    """Return the three prices; a mark is no execution, and vice versa."""
    marks = np.array([kind == "mark" for kind in kinds], np.bool_)
    after = np.array([spec.price_rule == "after" for spec in specs], np.bool_)[indexes]
    return {
        "price": pa.array(prices, mask=after & ~marks),
        "execution_price": pa.array(prices, mask=marks),
        "mark_price": pa.array(prices, mask=~marks),
    }


def _markets(
    checks: Checks, on_chain: npt.NDArray[np.bool_]
) -> tuple[list[MarketSpec], npt.NDArray[np.uint32]]:
    """Return the markets of a batch, and each trade's index among them."""
    spellings: dict[str, int] = {}  # symbol as sent → index
    symbols: dict[str, int] = {}  # canonical symbol → index
    specs: list[MarketSpec] = []
    for index, trade in enumerate(checks.trades):
        if trade.symbol not in spellings:
            spec = checks.intake.markets.get(trade.symbol)
            spec = spec or _new_market(checks, index, "chain" if on_chain[index] else "time")
            spellings[trade.symbol] = symbols.setdefault(spec.symbol, len(specs))
            specs += [spec] if len(symbols) > len(specs) else []
    indexes = np.array([spellings[t.symbol] for t in checks.trades], np.uint32)
    chained = np.array([spec.order == "chain" for spec in specs], np.bool_)
    mixed = chained[indexes] != on_chain
    if mixed.any():
        index = int(mixed.argmax())
        by_chain = specs[indexes[index]].order == "chain"
        verb = "be given" if by_chain else "be absent"
        rule = f"must {verb}, as {specs[indexes[index]].symbol} is ordered by "
        rule += "block and log index" if by_chain else "time"
        raise checks.refuse(index, "block_number", rule, checks.trades[index].block_number)
    return specs, indexes


def _new_market(checks: Checks, index: int, order: Order) -> MarketSpec:
    written = checks.trades[index].symbol
    try:
        symbol = canonical_symbol(written)
    except BadRequest as error:
        place = f"{checks.intake.where(index)}.symbol"
        raise BadRequest(f"{checks.intake.where(index)}.{error}", place) from None
    base, quote = assets(symbol)
    return MarketSpec(symbol, base=base, quote=quote, order=order)


def _with_decimals(
    specs: Sequence[MarketSpec],
    indexes: npt.NDArray[np.uint32],
    prices: npt.NDArray[np.float64],
) -> tuple[MarketSpec, ...]:
    """Return `specs` with as many price decimals as their prices need, never fewer than known."""
    by_market = np.argsort(indexes, kind="stable")
    ends = np.cumsum(np.bincount(indexes, minlength=len(specs)))[:-1]
    return tuple(
        replace(spec, price_decimals=_decimals(group, spec.price_decimals or FEWEST_DECIMALS))
        for spec, group in zip(specs, np.split(prices[by_market], ends), strict=True)
    )


def _decimals(prices: npt.NDArray[np.float64], known: int) -> int:
    """Return how many digits after the point `prices` have: at least `known`, at most 18."""
    for decimals in range(known, DECIMALS):
        shifted = prices * 10.0**decimals
        if (np.abs(shifted - np.rint(shifted)) <= shifted * _NOISE).all():
            return decimals
    return max(known, DECIMALS)
