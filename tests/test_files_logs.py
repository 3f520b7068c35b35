"""Raw logs in files: their columns, their cells, and the trades they become."""

import json
from decimal import Decimal
from typing import Any

import pytest

from appliance.chain.log import Log
from appliance.chain.market import ContractMarket
from appliance.chain.preset import built_in
from appliance.errors import BadRequest
from appliance.files.log_rows import LogRows
from appliance.files.logs import find_columns, logs
from appliance.files.table import Piece, Row
from appliance.model import MarketSpec
from tests.chain_logs import POOL, swap

ADDRESS = "0x" + "aB" * 20
HASH = "0x" + "1" * 64
COLUMNS = "block_number block_timestamp transaction_hash log_index address topics data".split()
GOOD: Row = {
    "block_number": "100",
    "block_timestamp": "2024-01-05 00:00:11 UTC",
    "transaction_hash": HASH,
    "log_index": "3",
    "address": ADDRESS,
    "topics": f'["{HASH}"]',
    "data": "0x00",
}
BLOCK_RULE = f"block_number must be a whole number from 0 to {2**44 - 1}, was"
TIME_RULE = "time must be unix time or ISO 8601, from 2000 to 2100, was"
TOPICS_RULE = "topics must be a JSON list of hex texts, was"
NO_BLOCKS = ["", "x", "-1", "1.5", 1.5, None, str(2**44), [1], float("inf"), float("nan")]
NO_TIMES = ["", "noon", None, "0x", "0x" + "f" * 20, -5, "1999-12-31", [1]]
NO_TOPICS = ["", "0x12", "[1]", '{"a":1}', None, "['0x12']"]
TIME_US = 1_704_412_811_000_000


def read(row: Row, address: str = "") -> Log:
    columns = find_columns(row, address)
    (log,) = logs(Piece([row], [2], "line", 1.0), columns, address)
    return log


def refusal(cells: Row) -> str:
    with pytest.raises(BadRequest) as caught:
        read(GOOD | cells)
    return str(caught.value)


def test_a_row_becomes_a_log() -> None:
    expected = Log(100, TIME_US, HASH, 3, ADDRESS.lower(), [HASH], "0x00")
    assert expected == read(GOOD)


@pytest.mark.parametrize(
    "cells",
    [
        {"block_number": 100, "log_index": 3, "topics": [HASH]},  # NDJSON and Parquet
        {"block_number": "0x64", "log_index": "0x3", "block_timestamp": hex(TIME_US // 10**6)},
        {"block_number": Decimal(100), "log_index": 3.0},
        {"block_timestamp": str(TIME_US // 10**6)},
        {"block_timestamp": TIME_US // 10**3},
        {"block_timestamp": TIME_US},
        {"block_timestamp": "2024-01-05T00:00:11+00:00"},
    ],
)
def test_cells_may_be_spelled_otherwise(cells: Row) -> None:
    assert read(GOOD) == read(GOOD | cells)


def test_columns_have_other_names() -> None:
    """As the usual exporters call them."""
    row = {
        "block": "100",
        "timestamp": TIME_US,
        "tx_hash": HASH,
        "index": "3",
        "contract": ADDRESS,
        "topic0": HASH,
        "topic1": "",
        "topic2": None,
        "data": "0x00",
    }
    assert read(GOOD) == read(row)


def test_one_address_for_all() -> None:
    row = {name: cell for name, cell in GOOD.items() if name != "address"}
    assert read(row, "0xpool").address == "0xpool"


@pytest.mark.parametrize("missing", COLUMNS)
def test_a_missing_column_is_named(missing: str) -> None:
    with pytest.raises(BadRequest, match=f"raw logs need a column {missing}"):
        find_columns([name for name in COLUMNS if name != missing], "")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        *(({"block_number": cell}, BLOCK_RULE) for cell in NO_BLOCKS),
        ({"log_index": 2**20}, "log_index must be a whole number from 0 to 1048575, was '1048576'"),
        *(({"block_timestamp": cell}, TIME_RULE) for cell in NO_TIMES),
        ({"transaction_hash": None}, "transaction_hash must be text, was ''"),
        ({"address": 5}, "address must be text, was '5'"),
        ({"data": None}, "data must be text, was ''"),
        *(({"topics": cell}, TOPICS_RULE) for cell in NO_TOPICS),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(cells: Row, expected: str) -> None:
    assert refusal(cells).startswith(f"line 2: {expected}")


def test_a_cell_that_is_not_there_is_named() -> None:
    """A line of NDJSON may lack what others have."""
    short = {name: cell for name, cell in GOOD.items() if name != "data"}
    with pytest.raises(BadRequest, match="line 5: data must be text, was ''"):
        list(logs(Piece([GOOD, short], [4, 5], "line", 1.0), find_columns(GOOD, ""), ""))


def test_topics_in_columns_are_texts() -> None:
    row = {name: cell for name, cell in GOOD.items() if name != "topics"}
    with pytest.raises(BadRequest, match="line 2: topics must be"):
        read(row | {"topic0": 5})


# -- rows that become trades --


def cells(log: Log, **changes: Any) -> Row:
    """Return a log as the row of a file."""
    return {
        "block_number": log.block_number,
        "block_timestamp": log.time_us,
        "transaction_hash": log.transaction_hash,
        "log_index": log.log_index,
        "address": log.address,
        "topics": json.dumps(log.topics),
        "data": log.data,
    } | changes


def pool() -> LogRows:
    spec = MarketSpec("WETH/USDC", chain_id=1, contract=POOL, order="chain")
    return LogRows(ContractMarket(POOL, spec, built_in("uniswap-v3"), 6, 18, invert=True))


def piece(*rows: Row) -> Piece:
    return Piece(list(rows), list(range(2, 2 + len(rows))), "line", 1.0)


def test_logs_become_trades_of_the_market() -> None:
    rows = pool()
    sold = swap(-2_000 * 10**6, 10**18, at=(100, 3))
    table, specs = rows.submission(piece(cells(sold), cells(swap(1, -1, at=(100, 9)))))
    assert [(100 << 20) | 3, (100 << 20) | 9] == table["sequence"].to_pylist()
    assert [Decimal(1), Decimal("1e-18")] == table["base_volume"].to_pylist()
    assert [Decimal(2_000), Decimal("1e-6")] == table["quote_volume"].to_pylist()
    assert [("WETH/USDC", POOL)] == [(spec.symbol, spec.contract) for spec in specs]
    assert [] == rows.remarks()


def test_what_is_no_trade_is_told() -> None:
    """Over all pieces together."""
    rows = pool()
    log = swap(5, -5)
    foreign = cells(log, address="0x" + "00" * 20)
    other = cells(log, topics=json.dumps([HASH]))
    short = cells(log, data=log.data[:66])
    table, _ = rows.submission(piece(foreign, other, other))
    assert table.num_rows == 0
    rows.submission(piece(cells(log), foreign, short))
    remarks = rows.remarks()
    assert ["2 logs of other events left out", "2 logs of other contracts left out"] == remarks[:2]
    assert remarks[2] == "1 malformed logs left out:"
    assert remarks[3].startswith("  block 100, log index 0: Swap: ")


def test_logs_without_address_are_taken_as_the_contract_s() -> None:
    row = cells(swap(5, -5))
    del row["address"]
    assert pool().submission(piece(row))[0].num_rows == 1


def test_funding_is_counted() -> None:
    rows = pool()
    rows._funding = 2
    assert ["2 funding updates are not stored in this version"] == rows.remarks()
