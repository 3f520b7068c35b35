import itertools
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import BadRequest
from appliance.files.symbol import assets, canonical_symbol
from appliance.files.times import BadTime, microsecond, microseconds
from appliance.files.trades import Intake, Trade, convert, id_tie
from appliance.model import TRADE_SCHEMA, MarketSpec

NOW_US = 1_800_000_000_000_000
CHAIN = {"block_number": 7, "log_index": 3}


def trade(**fields: Any) -> Trade:
    """Return one good trade with `fields` changed, decoded as a body would be."""
    good = {"symbol": "GOLD", "time": 1_700_000_000, "price": "10", "size": "1"}
    return msgspec.convert(good | fields, Trade, strict=False)


def converted(
    *trades: Trade, markets: dict[str, MarketSpec] | None = None
) -> tuple[pa.Table, tuple[MarketSpec, ...]]:
    return convert(trades, Intake(markets or {}, NOW_US, itertools.count(100)))


def column(name: str, *trades: Trade) -> list[Any]:
    values: list[Any] = converted(*trades)[0][name].to_pylist()
    return values


def test_a_table_has_the_columns_that_ingest_takes() -> None:
    table, _ = converted(trade(), trade(symbol="WETH/USDC", **CHAIN))
    table.validate(full=True)
    assert TRADE_SCHEMA == table.schema


def test_no_trades_make_an_empty_table() -> None:
    table, specs = converted()
    assert (0, ()) == (table.num_rows, specs)


def test_numbers_are_exact() -> None:
    """Neither a float nor the default decimal context comes near them."""
    row = b'{"symbol":"A","time":1700000000,"price":0.1,"size":12345678901.000000000000000001}'
    table, _ = converted(msgspec.json.decode(row, type=Trade))
    assert Decimal("12345678901.000000000000000001") == table["base_volume"][0].as_py()
    assert Decimal("1234567890.100000000000000000") == table["quote_volume"][0].as_py()
    assert table["price"].to_pylist() == [0.1]


def test_digits_beyond_the_eighteenth_are_cut() -> None:
    """Not rounded: a sum never exceeds what was traded."""
    (size,) = column("base_volume", trade(size="0.0000000000000000019"))
    assert Decimal("0.000000000000000001") == size


@pytest.mark.parametrize("name", ["size", "amount", "quantity"])
def test_a_size_has_three_names(name: str) -> None:
    (size,) = column("base_volume", trade(**{"size": None, name: "2.5"}))
    assert Decimal("2.5") == size


def test_order_by_time_is_by_microsecond_and_id() -> None:
    """Without an id the position on arrival decides."""
    table, specs = converted(trade(id="a"), trade(id=7), trade())
    assert [1_700_000_000_000_000] * 3 == table["sequence"].to_pylist()
    assert [id_tie("a"), id_tie("7"), 100] == table["tie"].to_pylist()
    assert ["a", "7", ""] == table["trade_id"].to_pylist()
    assert specs[0].order == "time"


def test_order_on_a_chain_is_by_block_and_log() -> None:
    table, specs = converted(trade(**CHAIN, transaction_hash="0xab", id="x"))
    assert [(7 << 20) | 3] == table["sequence"].to_pylist()
    assert [0] == table["tie"].to_pylist()
    assert [(7, 3, "0xab")] == [
        (row["block_number"], row["log_index"], row["transaction_hash"])
        for row in table.to_pylist()
    ]
    assert specs[0].order == "chain"


def test_marks_move_prices_but_are_no_executions() -> None:
    table, _ = converted(trade(kind="mark", size=None), trade())
    assert [10.0, 10.0] == table["price"].to_pylist()
    assert [10.0, None] == table["mark_price"].to_pylist()
    assert [None, 10.0] == table["execution_price"].to_pylist()


def test_markets_that_follow_the_price_after_a_trade_take_no_price_from_trades() -> None:
    """Such a trade adds volume only."""
    spec = MarketSpec("GOLD", price_rule="after")
    table, _ = converted(trade(), trade(kind="mark", size=0), markets={"GOLD": spec})
    assert [None, 10.0] == table["price"].to_pylist()


def test_side_and_kind_are_read_in_any_case() -> None:
    table, _ = converted(trade(side="BUY", kind="Liquidation"), trade(side="sell"))
    assert ["buy", "sell"] == table["side"].to_pylist()
    assert ["liquidation", "trade"] == table["kind"].to_pylist()


def test_spellings_of_one_symbol_are_one_market() -> None:
    known = MarketSpec("WETH/USDC", exchange="DEX", base="WETH", quote="USDC", price_decimals=6)
    table, specs = converted(
        *(trade(symbol=s) for s in ("gold", "WETHUSDC", "Gold", "weth/usdc")),
        markets={"WETHUSDC": known, "weth/usdc": known},
    )
    assert [0, 1, 0, 1] == table["market_id"].to_pylist()
    assert [("GOLD", "GOLD", "USD", 2), ("WETH/USDC", "WETH", "USDC", 6)] == [
        (s.symbol, s.base, s.quote, s.price_decimals) for s in specs
    ]


@pytest.mark.parametrize(
    ("prices", "decimals"),
    [
        (["10"], 2),
        (["10.5", "10.1234"], 4),
        (["0.00000123"], 8),
        (["0.30000000000000004"], 2),
        (["123456789.125"], 3),
        (["1e-18"], 18),
        (["1.23e-20"], 18),
    ],
)
def test_price_decimals_come_from_the_prices_seen(prices: list[str], decimals: int) -> None:
    """The noise of floating-point arithmetic is not a digit."""
    _, specs = converted(*(trade(price=price) for price in prices))
    assert decimals == specs[0].price_decimals


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"price": "0"}, "trades[1].price must be above 0 and below 1e20, was 0"),
        ({"price": "-1"}, "trades[1].price must be above 0 and below 1e20, was -1"),
        ({"price": "NaN"}, "trades[1].price must be above 0 and below 1e20, was NaN"),
        ({"price": "Infinity"}, "trades[1].price must be above 0 and below 1e20, was Infinity"),
        ({"price": "1e20"}, "trades[1].price must be above 0 and below 1e20, was 1E+20"),
        ({"price": "1e-400"}, "trades[1].price must be above 0 and below 1e20, was 1E-400"),
        ({"size": "-0.1"}, "trades[1].size must be 0 or more and below 1e20, was -0.1"),
        ({"size": "sNaN"}, "trades[1].size must be 0 or more and below 1e20, was sNaN"),
        (
            {"size": None},
            "trades[1].size must be given once, as size, amount or quantity, was None",
        ),
        (
            {"amount": "2"},
            "trades[1].size must be given once, as size, amount or quantity, was '1 and 2'",
        ),
        (
            {"price": "1e15", "size": "1e15"},
            "trades[1].size times the price 1E+15 must be below 1e20, was 1E+15",
        ),
        ({"kind": "mark"}, "trades[1].size must be 0 or absent for kind mark, was 1"),
        ({"fee": "-1e20"}, "trades[1].fee must be above -1e20 and below 1e20, was -1E+20"),
        ({"side": "long"}, "trades[1].side must be one of buy, sell, was 'long'"),
        (
            {"kind": "swap"},
            (
                "trades[1].kind must be one of trade, mark, increase, liquidation, open, close, "
                "was 'swap'"
            ),
        ),
        ({"id": ""}, "trades[1].id must be 1 to 256 characters, or absent, was ''"),
        (
            {"block_number": 1},
            (
                "trades[1].log_index must be given, as block_number and log_index go together, "
                "was None"
            ),
        ),
        (
            {"log_index": 1},
            (
                "trades[1].block_number must be given, as block_number and log_index go together, "
                "was None"
            ),
        ),
        (CHAIN | {"log_index": 1 << 20}, "trades[1].log_index must be from 0 to 1048575, "),
        (CHAIN | {"block_number": -1}, "trades[1].block_number must be from 0 to 17592186044415, "),
        (
            CHAIN,
            "trades[1].block_number must be absent, as GOLD is ordered by time, was 7",
        ),
        (
            {"symbol": "GO LD"},
            (
                "trades[1].symbol must be up to 32 letters, digits and . _ - with at most one /, "
                "was 'GO LD'"
            ),
        ),
        (
            {"time": "soon"},
            (
                "trades[1].time must be unix seconds, milliseconds or microseconds, or ISO 8601, "
                "was 'soon'"
            ),
        ),
        ({"time": -1}, "trades[1].time must be unix seconds, milliseconds or microseconds, "),
        ({"time": "9" * 18}, "trades[1].time must be unix seconds, milliseconds or microseconds, "),
        ({"time": 10**30}, "trades[1].time must be unix seconds, milliseconds or microseconds, "),
        (
            {"time": 946_684_799},
            (
                "trades[1].time must be from 2000-01-01 to one minute ahead (on a chain: to 2100), "
                "was 946684799"
            ),
        ),
        ({"time": 1_800_000_001}, "trades[1].time must be from 2000-01-01 to one minute ahead"),
    ],
)
def test_a_bad_trade_is_named(fields: dict[str, Any], message: str) -> None:
    """With its position, field, value and cure; nothing of the batch is taken."""
    with pytest.raises(BadRequest) as error:
        converted(trade(), trade(**fields), trade())
    assert str(error.value).startswith(message)
    assert (error.value.field or "").startswith("trades[1].")


def test_long_texts_are_refused() -> None:
    with pytest.raises(BadRequest, match="trader must be 1 to 256 characters, was 'xxx"):
        converted(trade(trader="x" * 257))


def test_positions_can_be_called_otherwise() -> None:
    """A file has lines."""
    intake = Intake({}, NOW_US, itertools.count(), where="line {}".format)
    with pytest.raises(BadRequest, match=r"line 0\.price must be above 0"):
        convert([trade(price="0")], intake)


def test_chain_times_may_be_far_ahead() -> None:
    """Test chains run ahead of the clock."""
    converted(trade(time=4_000_000_000, **CHAIN))
    with pytest.raises(BadRequest, match="must be from 2000-01-01"):
        converted(trade(time=4_200_000_000, **CHAIN))


@pytest.mark.parametrize(
    ("written", "us"),
    [
        (1_700_000_000, 1_700_000_000_000_000),
        (1_700_000_000.123456, 1_700_000_000_123_456),
        (1_700_000_000_123, 1_700_000_000_123_000),
        (1_700_000_000_123.456, 1_700_000_000_123_456),
        (1_700_000_000_123_456, 1_700_000_000_123_456),
        ("1700000000", 1_700_000_000_000_000),
        ("1700000000.1234567", 1_700_000_000_123_456),
        ("1700000000123", 1_700_000_000_123_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000_000_000),
        ("2023-11-14 23:13:20.5+01:00", 1_700_000_000_500_000),
        (" 2023-11-14 ", 1_699_920_000_000_000),
    ],
)
def test_times_are_read_by_magnitude_or_as_iso_8601(written: float | str, us: int) -> None:
    assert us == microsecond(written)
    assert us == microseconds([written])[0]


@given(st.lists(st.integers(0, 10**17 - 1)))
def test_many_times_are_read_like_one(times: list[int]) -> None:
    assert [microsecond(t) for t in times] == microseconds(times).tolist()


@given(st.lists(st.one_of(st.integers(), st.floats(), st.text(max_size=12)), max_size=5))
def test_times_are_read_or_refused(times: list[int | float | str]) -> None:
    """By no other error."""
    try:
        assert len(times) == len(microseconds(times))
    except BadTime as error:
        with pytest.raises(ValueError):
            microsecond(times[error.index])


@pytest.mark.parametrize(
    ("written", "symbol"),
    [("gold", "GOLD"), (" weth/usdc ", "WETH/USDC"), ("ｂｔｃ-1.x_Y", "BTC-1.X_Y"), ("0X", "0X")],
)
def test_symbols_have_one_spelling(written: str, symbol: str) -> None:
    assert symbol == canonical_symbol(written)


@pytest.mark.parametrize(
    "written", ["", "a/b/c", "a b", "/a", "a/", "a" * 33, ".", "..", "a:b", "é"]
)
def test_other_symbols_are_refused(written: str) -> None:
    with pytest.raises(BadRequest, match="symbol must be up to 32 letters"):
        canonical_symbol(written)


def test_symbols_name_assets() -> None:
    assert [("GOLD", "USD"), ("WETH", "USDC")] == [assets("GOLD"), assets("WETH/USDC")]
