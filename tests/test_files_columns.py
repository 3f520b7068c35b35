"""Which column holds what, and trades of rows."""

from decimal import Decimal
from typing import Any

import pytest

from appliance.errors import BadRequest
from appliance.files.columns import ALIASES, guess, parse_mapping, trades
from appliance.files.record import Trade
from appliance.files.table import Piece

GOOD = {"symbol": "GOLD", "time": "1700000000", "price": "10", "size": "1"}
SAME = {name: name for name in ALIASES}


def made(*rows: dict[str, Any], symbol: str = "", numbers: list[int] | None = None) -> list[Trade]:
    """Return the trades of rows whose columns are named like the fields."""
    lines = numbers or list(range(2, 2 + len(rows)))
    return trades(Piece(list(rows), lines, "line", 1.0), SAME, symbol, "abc")


def refusal(*rows: dict[str, Any]) -> str:
    with pytest.raises(BadRequest) as caught:
        made(*rows)
    return str(caught.value)


def test_mapping_is_read() -> None:
    assert {"time": "block_time", "id": "tradeid"} == parse_mapping(
        ["time=blockTime", "id=TRADEID"]
    )


@pytest.mark.parametrize("word", ["time", "time=", "=x", "colour=x", ""])
def test_a_wrong_mapping_is_named(word: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_mapping(["price=p", word])
    assert str(caught.value).startswith(
        "--map must be FIELD=COLUMN with one of symbol, time, price"
    )
    assert str(caught.value).endswith(f"was {word!r}")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("market timestamp px qty", {"symbol": "market", "time": "timestamp", "price": "px"}),
        ("pair date rate amount size", {"size": "size", "symbol": "pair"}),  # the best first
        ("symbol transact_time price quantity agg_trade_id is_buyer_maker", {"id": "agg_trade_id"}),
        ("symbol time price size block log_index tx_hash", {"block_number": "block"}),
    ],
)
def test_columns_are_guessed(columns: str, expected: dict[str, str]) -> None:
    found = guess(columns.split(), {}, "")
    assert expected.items() <= found.items()


def test_mapping_overrules_the_guess() -> None:
    found = guess(["symbol", "time", "price", "mid", "size"], {"price": "mid"}, "")
    assert found["price"] == "mid"


def test_one_symbol_for_all_beats_the_column() -> None:
    found = guess(["symbol", "time", "price", "size"], {}, "GOLD")
    assert "symbol" not in found
    assert made({**GOOD, "symbol": "SILVER"}, symbol="GOLD")[0].symbol == "GOLD"


def test_half_a_place_on_a_chain_is_no_place() -> None:
    """A block number alone is a remark; mapped by the user, it is meant."""
    columns = ["symbol", "time", "price", "size", "block_number"]
    assert "block_number" not in guess(columns, {}, "")
    assert guess(columns, {"block_number": "block_number"}, "")["block_number"] == "block_number"
    assert "block_number" in guess([*columns, "log_index"], {}, "")


@pytest.mark.parametrize(
    ("columns", "mapping", "expected"),
    [
        (
            "time price size",
            {},
            "symbol: name it by --market SYMBOL or --map symbol=COLUMN (the file has time, price,",
        ),
        ("symbol price size", {}, "no column looks like the time: name it by --map time=COLUMN"),
        ("", {}, "(the file has no columns)"),
        ("a b", {"price": "p"}, "--map must name a column of the file (a, b), was 'p'"),
    ],
)
def test_a_missing_column_is_named(columns: str, mapping: dict[str, str], expected: str) -> None:
    with pytest.raises(BadRequest) as caught:
        guess(columns.split(), mapping, "")
    assert expected in str(caught.value)


def test_cells_become_a_trade() -> None:
    (trade,) = made({**GOOD, "side": "B", "id": "007", "fee": " 0.5 ", "trader": "0xab"})
    expected = Trade("GOLD", "1700000000", Decimal(10), Decimal(1), side="buy", id="007")
    expected.fee, expected.trader = Decimal("0.5"), "0xab"
    assert expected == trade


def test_rows_without_an_id_are_known_by_file_and_line() -> None:
    """So are those whose id is nothing; others keep theirs."""
    rows: list[dict[str, Any]]
    rows = [GOOD, GOOD | {"id": ""}, GOOD | {"id": "NULL"}, GOOD | {"id": None}, GOOD | {"id": 5}]
    ids = [trade.id for trade in made(*rows, numbers=[2, 3, 5, 6, 7])]
    assert ["abc:2", "abc:3", "abc:5", "abc:6", 5] == ids
    (placed,) = made(GOOD | {"block_number": "5", "log_index": "0"})
    assert (None, 5, 0) == (placed.id, placed.block_number, placed.log_index)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        *(({"side": "Bid"}, "buy"), ({"side": "S"}, "sell"), ({"side": "ASK"}, "sell")),
        *(({"side": ""}, None), ({}, None), ({"side": "null"}, None)),
        ({"is_buyer_maker": "true"}, "sell"),
        ({"is_buyer_maker": False}, "buy"),
        ({"is_buyer_maker": "True", "side": "buy"}, "buy"),
        ({"is_buyer_maker": ""}, None),
    ],
)
def test_sides_have_many_names(cells: dict[str, Any], expected: str | None) -> None:
    assert expected == made(GOOD | cells)[0].side


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"price": "ten"}, "line 3: price must be a number like 1234.5, was 'ten'"),
        ({"price": True}, "line 3: price must be a number like 1234.5, was 'True'"),
        ({"price": "1,000.5"}, "line 3: price must be a number like 1234.5, was '1,000.5'"),
        ({"price": "x" * 999}, f"line 3: price must be a number like 1234.5, was '{'x' * 64}'"),
        ({"size": [1]}, "line 3: size must be a number like 1234.5, was '[1]'"),
        ({"log_index": "first"}, "line 3: log_index must be a whole number, was 'first'"),
        ({"block_number": "1.5"}, "line 3: block_number must be a whole number, was '1.5'"),
        ({"time": True}, "line 3: time must be unix time or ISO 8601, was 'True'"),
        ({"id": Decimal("1.5")}, "line 3: id must be text or a whole number, was '1.5'"),
        ({"symbol": 5}, "line 3: symbol must be text, was '5'"),
        ({"trader": {}}, "line 3: trader must be text, was '{}'"),
        ({"price": ""}, "line 3: price must be given, was empty"),
        ({"time": None}, "line 3: time must be given, was empty"),
        ({"symbol": " "}, "line 3: symbol must be given, was empty"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(cells: dict[str, Any], expected: str) -> None:
    assert expected == refusal(GOOD, GOOD | cells, GOOD | {"price": "later"})
