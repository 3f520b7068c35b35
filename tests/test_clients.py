"""Programs made for Binance, as they come from PyPI, with only the address changed."""

import asyncio
import importlib
import re
import time
import warnings
from ast import literal_eval
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import urllib3

from tests.processes import Server

DOCS = (Path(__file__).parents[1] / "docs" / "api.md").read_text()
KEY = "clients-key-0123456789"
MINUTES = 1_200
"""More than the 1,000 candles of one answer; half of them lie before a hole of ten days."""
HOLE_S = 10 * 86_400
SIZE = 0.25


@pytest.fixture(scope="module")
def last_minute() -> int:
    return int(time.time()) // 60 * 60 - 120


@pytest.fixture(scope="module")
def starts(last_minute: int) -> list[int]:
    """Return the minutes in which GOLD was traded, once in each."""
    half = MINUTES // 2
    newer = [last_minute - 60 * i for i in range(half)]
    older = [newer[-1] - HOLE_S - 60 * i for i in range(half)]
    return sorted(newer + older)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, starts: list[int]) -> Iterator[Server]:
    """Run the appliance with two markets."""
    running = Server(tmp_path_factory.mktemp("clients") / "data", "--no-demo", API_KEYS=KEY).until(
        "ready at"
    )
    gold = [
        {
            "symbol": "GOLD",
            "time": start + 7,
            "price": price(i),
            "size": SIZE,
            "side": "buy" if i % 3 else "sell",
            "id": str(i),
        }
        for i, start in enumerate(starts)
    ]
    weth = {"symbol": "WETH/USDC", "time": starts[-1], "price": "2500.125", "size": 2, "id": "w"}
    response = urllib3.request(
        "POST",
        f"http://127.0.0.1:{running.port}/api/trades",
        body=msgspec.json.encode({"trades": [*gold, weth]}),
        headers={"X-API-Key": KEY},
    )
    assert {"accepted": MINUTES + 1, "duplicates": 0} == response.json()
    yield running
    running.kill()


def price(i: int) -> float:
    """Return the price of the i-th trade."""
    return 100 + i / 8


# -- ccxt --


@pytest.fixture
def exchange(server: Server, capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Set ccxt up by the lines that docs/api.md shows."""
    exchange = documented("ccxt.binance(", server)["exchange"]
    assert 5 == len(literal_eval(capsys.readouterr().out))
    exchange.enableRateLimit = False
    yield exchange
    exchange.session.close()


def documented(line: str, server: Server) -> dict[str, Any]:
    """Run the example of docs/api.md that has `line` on this server; return its names."""
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL) if line in code]
    names: dict[str, Any] = {}
    exec(code.replace("//localhost:3000", f"//127.0.0.1:{server.port}"), names)
    return names


def test_ccxt_loads_the_markets(exchange: Any) -> None:
    markets = exchange.load_markets()
    assert {"GOLD/USD", "WETH/USDC"} == set(markets)
    gold = markets["GOLD/USD"]
    assert ("GOLD", "GOLD", "USD", "spot", True) == (
        *(gold["id"], gold["base"], gold["quote"], gold["type"], gold["active"]),
    )
    assert "100.125" == exchange.price_to_precision("GOLD/USD", 100.125)
    assert "0.000000000000000001" == exchange.amount_to_precision("GOLD/USD", 1e-18)


def test_ccxt_looks_for_futures_and_finds_none(server: Server) -> None:
    """Also without being told to look at spot markets only."""
    ccxt = importlib.import_module("ccxt")
    address = f"http://127.0.0.1:{server.port}"
    api = {"public": "api/v3", "fapiPublic": "fapi/v1", "dapiPublic": "dapi/v1"}
    urls = {"api": {name: f"{address}/{path}" for name, path in api.items()}}
    exchange = ccxt.binance({"urls": urls})
    assert 2 == len(exchange.load_markets())
    exchange.session.close()


def test_ccxt_pages_candles_over_a_hole(exchange: Any, starts: list[int]) -> None:
    """As its manual says: from the last one on, until nothing comes."""
    candles: list[list[float]] = []
    since = starts[0] * 1000
    while page := exchange.fetch_ohlcv("GOLD/USD", "1m", since=since, limit=250):
        candles += page
        since = page[-1][0] + 1
    assert [[start * 1000, *[price(i)] * 4, SIZE] for i, start in enumerate(starts)] == candles


@pytest.mark.parametrize("timeframe", ["1s", "1m", "4h", "1d", "1w", "1M", "7m"])
def test_ccxt_fetches_the_newest_candles_of_any_timeframe(
    exchange: Any, timeframe: str, starts: list[int]
) -> None:
    *_, last = exchange.fetch_ohlcv("GOLD/USD", timeframe, limit=3)
    assert price(MINUTES - 1) == last[4]
    assert last[0] <= starts[-1] * 1000 + 7_000


def test_ccxt_pages_trades(exchange: Any, starts: list[int]) -> None:
    """By time from the beginning on, and by id to the end."""
    first = exchange.fetch_trades("GOLD/USD", since=starts[0] * 1000, limit=50)
    assert [price(i) for i in range(50)] == [trade["price"] for trade in first]
    trades = first
    while page := exchange.fetch_trades(
        "GOLD/USD", limit=500, params={"fromId": int(trades[-1]["id"]) + 1}
    ):
        trades = trades + page
    assert [(start + 7) * 1000 for start in starts] == [trade["timestamp"] for trade in trades]
    assert ["sell", "buy", "buy"] == [trade["side"] for trade in trades[:3]]
    newest = exchange.fetch_trades("GOLD/USD", limit=1)[0]
    assert (price(MINUTES - 1), SIZE, "GOLD/USD") == (
        *(newest["price"], newest["amount"], newest["symbol"]),
    )


def test_ccxt_fetches_tickers(exchange: Any) -> None:
    """Of one market, of all, of some, and over a window."""
    ticker = exchange.fetch_ticker("GOLD/USD")
    assert price(MINUTES - 1) == ticker["last"] == ticker["close"]
    assert price(MINUTES - 1) - price(MINUTES // 2) == ticker["change"]
    assert (MINUTES // 2 * SIZE, None, None) == (
        *(ticker["baseVolume"], ticker["bid"], ticker["ask"]),
    )
    assert {"GOLD/USD", "WETH/USDC"} == set(exchange.fetch_tickers())
    some = exchange.fetch_tickers(["WETH/USDC"])
    assert 2500.125 == some["WETH/USDC"]["last"]
    params = {"rolling": True, "windowSize": "1h"}
    hour = exchange.fetch_tickers(["GOLD/USD"], params)["GOLD/USD"]
    assert 0 < hour["baseVolume"] <= 60 * SIZE
    last = exchange.fetch_last_prices()["GOLD/USD"]
    assert price(MINUTES - 1) == last["price"]


def test_ccxt_finds_no_order_book(exchange: Any) -> None:
    """Empty, which is true; no bid and no ask is made up."""
    book = exchange.fetch_order_book("GOLD/USD")
    assert ([], []) == (book["bids"], book["asks"])
    quote = exchange.fetch_bids_asks(["GOLD/USD"])["GOLD/USD"]
    assert (None, None) == (quote["bid"], quote["ask"])


def test_ccxt_asks_for_time_and_status(exchange: Any) -> None:
    assert abs(exchange.fetch_time() / 1000 - time.time()) < 5
    assert "ok" == exchange.fetch_status()["status"]


def test_ccxt_knows_what_went_wrong(exchange: Any) -> None:
    """Its own classes of errors, by the numbers."""
    ccxt = importlib.import_module("ccxt")
    with pytest.raises(ccxt.BadSymbol, match="Invalid symbol"):
        exchange.public_get_klines({"symbol": "NOPE", "interval": "1m"})
    with pytest.raises(ccxt.BadRequest, match="Invalid interval"):
        exchange.public_get_klines({"symbol": "GOLD", "interval": "1x"})
    with pytest.raises(ccxt.BadRequest, match="not supported"):
        exchange.public_get_ticker_tradingday({"symbol": "GOLD"})


# -- python-binance --


@pytest.fixture
def loop() -> Iterator[None]:
    """Give this thread a loop that is closed again: python-binance takes one, and leaves it."""
    with closing(asyncio.new_event_loop()) as loop:
        asyncio.set_event_loop(loop)
        yield
        asyncio.set_event_loop(None)


@pytest.fixture
def client(server: Server, loop: None) -> Iterator[Any]:
    """Set python-binance up by the lines that docs/api.md shows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports old names of websockets
        client = documented("client.API_URL", server)["client"]
    client.MARGIN_API_URL = f"http://127.0.0.1:{server.port}/sapi"
    yield client
    client.close_connection()


def test_python_binance_reads_the_whole_history(client: Any, starts: list[int]) -> None:
    """It asks for the first candle there is, and takes a short page for the last."""
    rows = client.get_historical_klines("GOLD", "1m", 0)
    assert [[start * 1000, price(i)] for i, start in enumerate(starts)] == [
        [row[0], float(row[4])] for row in rows
    ]


def test_python_binance_iterates_all_trades(client: Any, starts: list[int]) -> None:
    """From the first one on; each page begins with the last trade of the one before."""
    trades = list(client.aggregate_trade_iter(symbol="GOLD", start_str=starts[0] * 1000))
    assert [price(i) for i in range(MINUTES)] == [float(trade["p"]) for trade in trades]


def test_python_binance_reads_everything_public(client: Any) -> None:
    assert {} == client.ping()
    assert 0 == client.get_system_status()["status"]
    assert abs(client.get_server_time()["serverTime"] / 1000 - time.time()) < 5
    info = client.get_symbol_info("WETHUSDC")
    assert ("WETH", "USDC") == (info["baseAsset"], info["quoteAsset"])
    assert float(client.get_ticker(symbol="GOLD")["lastPrice"]) == price(MINUTES - 1)
    assert {"GOLD", "WETHUSDC"} == {t["symbol"] for t in client.get_all_tickers()}
    assert "2500.125" == client.get_symbol_ticker(symbol="wethusdc")["price"]
    assert 5 == client.get_avg_price(symbol="GOLD")["mins"]
    assert MINUTES // 2 < len(client.get_recent_trades(symbol="GOLD", limit=1_000))
    assert [] == client.get_order_book(symbol="GOLD")["bids"]
    assert "0" == client.get_orderbook_ticker(symbol="GOLD")["bidPrice"]


def test_python_binance_knows_what_went_wrong(client: Any) -> None:
    exceptions = importlib.import_module("binance.exceptions")
    with pytest.raises(exceptions.BinanceAPIException) as raised:
        client.get_klines(symbol="NOPE", interval="1m")
    assert (-1121, "Invalid symbol.") == (raised.value.code, raised.value.message)
