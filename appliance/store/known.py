"""Find the trades of a batch that are stored already, and those that contradict what is stored.

A trade is known by (market, sequence, tie); a trade with an id also by that id. New trades are
cheap: rows above their market's highest stored sequence need no look-up by key, and ids that are
certainly not stored (ids.py) none by id.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client
from numpy.typing import NDArray

from appliance.errors import Conflict
from appliance.store.ids import Ids
from appliance.store.reader import select

Mask = NDArray[np.bool_]
_KEYS_PER_QUERY: Final = 5_000
"""Numbers of 20 digits: a ClickHouse server takes no form field of more than 128 KiB, whatever a
request asks for."""
_CONTENT: Final = ("execution_price", "mark_price", "base_volume")


def duplicates(client: Client, trades: pa.Table, high_water: Mapping[int, int], ids: Ids) -> Mask:
    """Return a mask of the rows that repeat an earlier row of the batch or a stored trade.

    `ids` learns those of the other rows, which are about to be stored.

    Raises:
        Conflict: a row has the key or the id of another trade, with other content.
    """
    market = trades["market_id"].to_numpy()
    sequence = trades["sequence"].to_numpy()
    mask = _repeated(trades, market, sequence)
    with_id = pc.and_(pc.not_equal(trades["trade_id"], ""), pc.equal(trades["block_number"], 0))
    by_id = with_id.to_numpy()  # the others are known by their chain coordinates, or not at all
    for market_id in np.unique(market).tolist():
        rows = np.flatnonzero((market == market_id) & ~mask)
        old = rows[sequence[rows] <= np.uint64(high_water.get(market_id, 0))]
        if len(old):
            mask[_found(client, trades, market_id, old)] = True
        if market_id in high_water:
            new = rows[by_id[rows] & ~mask[rows]]
            _refuse_reused_ids(client, trades, market_id, new, ids)
    _refuse_repeated_ids(trades, np.flatnonzero(by_id & ~mask))
    _learn(trades, np.flatnonzero(by_id & ~mask), high_water, ids)
    return mask


def stored(client: Client, trades: pa.Table) -> Mask:
    """Return a mask of the rows whose key is stored, whatever their market's newest is."""
    market = trades["market_id"].to_numpy()
    mask = np.zeros(len(market), dtype=bool)
    for market_id in np.unique(market).tolist():
        mask[_found(client, trades, market_id, np.flatnonzero(market == market_id))] = True
    return mask


def _repeated(trades: pa.Table, market: NDArray[Any], sequence: NDArray[Any]) -> Mask:
    """Return the rows whose key an earlier row of the batch has."""
    mask = np.zeros(len(market), dtype=bool)
    if len(market) < 2 or (market[0] == market[-1] and _one_run(market, sequence)):
        return mask
    tie = trades["tie"].to_numpy()
    order = np.lexsort((tie, sequence, market))  # stable: the first of equals stays first
    same = np.ones(len(order) - 1, dtype=bool)
    for column in (market, sequence, tie):
        ordered = column[order]
        same &= ordered[1:] == ordered[:-1]
    for position in np.flatnonzero(same).tolist():
        row, first = int(order[position + 1]), int(order[position])
        _refuse_other_content(trades, row, _content(trades, first))
    mask[order[1:][same]] = True
    return mask


def _one_run(market: NDArray[Any], sequence: NDArray[Any]) -> bool:
    """Return whether the batch is one market's, in strictly ascending order."""
    return bool((sequence[1:] > sequence[:-1]).all() and (market == market[0]).all())


def _found(
    client: Client, trades: pa.Table, market_id: int, rows: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return those of `rows` whose key is stored."""
    ordered = rows[np.argsort(trades["sequence"].to_numpy()[rows], kind="stable")]
    parts = [
        _found_part(client, trades, market_id, ordered[start : start + _KEYS_PER_QUERY])
        for start in range(0, len(ordered), _KEYS_PER_QUERY)
    ]
    return np.concatenate([rows[:0], *parts])


def _found_part(
    client: Client, trades: pa.Table, market_id: int, rows: NDArray[np.intp]
) -> NDArray[np.intp]:
    sequence = trades["sequence"].to_numpy()[rows]
    time_us = trades["time"].cast(pa.int64()).to_numpy()[rows]
    columns = select(
        client,
        "select_known",
        {
            "market": market_id,
            "from_us": int(time_us.min()),
            "to_us": int(time_us.max()),
            "sequences": np.unique(sequence).tolist(),
        },
    )
    if not columns:
        return rows[:0]
    known = {(row[0], row[1]): row[2:] for row in zip(*columns, strict=True)}
    tie = trades["tie"].to_numpy()[rows]
    keys = zip(sequence.tolist(), tie.tolist(), strict=True)
    found = [(row, known[key]) for row, key in zip(rows, keys, strict=True) if key in known]
    for row, content in found:
        _refuse_other_content(trades, int(row), content)
    return np.asarray([row for row, _ in found], dtype=np.intp)


def _content(trades: pa.Table, row: int) -> tuple[Any, ...]:
    return tuple(trades[name][row].as_py() for name in _CONTENT)


def _refuse_other_content(trades: pa.Table, row: int, stored: tuple[Any, ...]) -> None:
    given = _content(trades, row)
    if given != stored:
        raise Conflict(
            f"{_name(trades, row)} is known with price {_price(stored)} and size {stored[-1]}, "
            f"was given again with price {_price(given)} and size {given[-1]}",
            "id",
        )


def _price(content: tuple[Any, ...]) -> Any:
    return content[0] if content[0] is not None else content[1]


def _name(trades: pa.Table, row: int) -> str:
    if trade_id := trades["trade_id"][row].as_py():
        return f"trade id {trade_id!r}"
    block, log_index = trades["block_number"][row].as_py(), trades["log_index"][row].as_py()
    return f"the trade at block {block}, log index {log_index}"


def _refuse_reused_ids(
    client: Client, trades: pa.Table, market_id: int, rows: NDArray[np.intp], ids: Ids
) -> None:
    """Refuse rows that carry the id of a stored trade under another key."""
    if not len(rows):
        return
    ties = trades["tie"].to_numpy()
    rows = rows[ids.perhaps(client, market_id, ties[rows])]
    names = set(trades["trade_id"].take(pa.array(rows)).to_pylist())
    for start in range(0, len(rows), _KEYS_PER_QUERY):
        part = ties[rows[start : start + _KEYS_PER_QUERY]].tolist()
        columns = select(client, "select_known_ids", {"market": market_id, "ties": part})
        for trade_id, sequence, price, size in zip(*columns, strict=True):
            if trade_id in names:
                raise Conflict(
                    f"trade id {trade_id!r} is stored with time {sequence} µs, price {price} and "
                    f"size {size}, was given again with another time",
                    "id",
                )


def _refuse_repeated_ids(trades: pa.Table, rows: NDArray[np.intp]) -> None:
    """Refuse two rows of one market with the same id and different times."""
    if len(np.unique(trades["tie"].to_numpy()[rows])) == len(rows):
        return
    with_id = trades.select(["market_id", "trade_id"]).take(pa.array(rows))
    groups = with_id.group_by(["market_id", "trade_id"]).aggregate([([], "count_all")])
    if groups.num_rows < with_id.num_rows:
        repeated = groups.filter(pc.greater(groups["count_all"], 1))
        raise Conflict(
            f"trade id {repeated['trade_id'][0].as_py()!r} must name one trade, "
            "was given with two times",
            "id",
        )


def _learn(
    trades: pa.Table, rows: NDArray[np.intp], high_water: Mapping[int, int], ids: Ids
) -> None:
    """Have `ids` know the rows that are about to be stored."""
    market, ties = trades["market_id"].to_numpy()[rows], trades["tie"].to_numpy()[rows]
    for market_id in np.unique(market).tolist():
        if market_id not in high_water:
            ids.begin(market_id)
        ids.add(market_id, ties[market == market_id])
