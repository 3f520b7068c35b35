"""Watch lists and symbol lists of TradingView widgets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.model import Market, MarketId, MarketSpec
from appliance.store.catalogue import DEMO_EXCHANGE
from tests.web_server import Web, serving

UDF = "/api/tradingview"
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


def golden(name: str) -> Any:
    return msgspec.json.decode((GOLDEN / f"{name}.json").read_bytes())


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("udf_quotes", "/quotes?symbols=gold,TEST:TINY,WETHUSDC,%20nope%20"),
        ("udf_symbol_info", "/symbol_info?group=test"),
        ("udf_symbol_info_all", "/symbol_info?group="),
    ],
)
def test_answers_are_golden(web: Web, name: str, path: str) -> None:
    """The whole body, key by key; a quote has the name it was asked by."""
    answer = web.ask(UDF + path)
    assert answer.status == 200
    assert golden(name) == answer.json


@pytest.mark.parametrize("query", ["", "?symbols=", "?symbols"])
def test_no_symbols_have_no_quotes(web: Web, query: str) -> None:
    assert {"s": "ok", "d": []} == web.ask(f"{UDF}/quotes{query}").json


def test_every_quote_asked_for_is_answered(web: Web) -> None:
    """In this order, and as often as it was asked for, however many characters that takes."""
    names = ["gold", "GOLD", "", "EXCHANGE-WITH-A-LONG-NAME:GOLD"] * 25
    rows = web.ask(f"{UDF}/quotes?symbols={','.join(names)}").json["d"]
    assert names == [row["n"] for row in rows]
    assert ["ok", "ok", "error", "error"] * 25 == [row["s"] for row in rows]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "/quotes?symbols=" + ",".join(["A"] * 101),
            (
                "symbols must be at most 100, separated by commas, were 101: ask for the others "
                "in another request"
            ),
        ),
        ("/quotes?symbols=" + "A" * 4_097, "symbols must be at most 4096 characters, was 4097"),
        ("/quotes?symbol=" + "A" * 257, "symbol must be at most 256 characters, was 257"),
        ("/symbol_info?group=x", "group must be an exchange, DEX, TEST; was 'x'"),
    ],
)
def test_bounds_say_what_to_do(web: Web, path: str, message: str) -> None:
    answer = web.ask(UDF + path)
    assert (400, {"s": "error", "errmsg": message}) == (answer.status, answer.json)


def test_symbol_info_is_for_small_catalogues() -> None:
    """Of a hundred markets; a group may be small in a large one. Hidden markets do not count."""
    with serving() as web:
        for i in range(10, 109):
            web.parts.catalogue.put(Market(MarketId(i), MarketSpec(f"M{i}", exchange="BIG")))
        demo = MarketSpec("DEMO", exchange=DEMO_EXCHANGE)
        web.parts.catalogue.put(Market(MarketId(200), demo))
        answer = web.ask(f"{UDF}/symbol_info")
        assert {
            "s": "error",
            "errmsg": "group must have at most 100 markets, has 102: ask /search, /symbols",
        } == answer.json
        assert 99 == len(web.ask(f"{UDF}/symbol_info?group=BIG").json["symbol"])
        assert ["WETH/USDC"] == web.ask(f"{UDF}/symbol_info?group=DEX").json["symbol"]


def test_without_markets_the_columns_are_empty() -> None:
    with serving() as web:
        for market in web.parts.catalogue.all():
            web.parts.catalogue.put(Market(market.id, market.spec, "empty"))
        body = web.ask(f"{UDF}/symbol_info").json
        assert ("ok", []) == (body["s"], body["symbol"])
