"""Programs made for Binance's streams, as they come from PyPI, with only the address changed."""

import asyncio
import importlib
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
import urllib3

from tests.processes import Server
from tests.test_clients import documented

KEY = "clients-key-0123456789"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run the appliance with two markets."""
    running = Server(tmp_path_factory.mktemp("live") / "data", "--no-demo", API_KEYS=KEY).until(
        "ready at"
    )
    trade(running, "GOLD", 100.0)
    trade(running, "WETH/USDC", 2_500.0)
    yield running
    running.kill()


def trade(server: Server, symbol: str, price: float, side: str = "buy") -> int:
    """Post a trade of this moment; return its time in microseconds."""
    time_us = time.time_ns() // 1000
    fields = {"symbol": symbol, "price": price, "size": 0.5, "side": side, "time": time_us}
    response = urllib3.request(
        "POST",
        f"http://127.0.0.1:{server.port}/api/trades",
        body=msgspec.json.encode({"trades": [fields | {"id": str(time_us)}]}),
        headers={"X-API-Key": KEY},
    )
    assert response.json() == {"accepted": 1, "duplicates": 0}
    return time_us


# -- python-binance --


@pytest.fixture(scope="module")
def binance() -> Any:
    """Import the library; how long it waits before it notices its own end is no matter of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports old names of websockets
        library = importlib.import_module("binance")
    library.ws.reconnecting_websocket.ReconnectingWebsocket.TIMEOUT = 0.5
    return library


@pytest.fixture
async def sockets(server: Server, binance: Any) -> AsyncIterator[Any]:
    client = binance.AsyncClient()
    sockets = binance.BinanceSocketManager(client)
    sockets.STREAM_URL = f"ws://127.0.0.1:{server.port}/"
    yield sockets
    await client.close_connection()


@pytest.mark.usefixtures("binance")
def test_python_binance_by_the_lines_of_the_documentation(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    documented("BinanceSocketManager(client)", server)
    assert "'e': 'kline'" in capsys.readouterr().out


async def test_python_binance_receives_candles_and_trades(server: Server, sockets: Any) -> None:
    async with sockets.kline_socket("GOLD", "1m") as bars, sockets.trade_socket("GOLD") as trades:
        first = await bars.recv()
        assert (first["e"], first["s"], first["k"]["i"]) == ("kline", "GOLD", "1m")
        time_us = await asyncio.to_thread(trade, server, "GOLD", 101.5, "sell")
        event = await trades.recv()
        assert (event["e"], event["t"], event["p"], event["m"]) == ("trade", time_us, "101.5", True)
        bar = await bars.recv()
        assert (bar["k"]["c"], bar["k"]["L"]) == ("101.5", time_us)
        await asyncio.to_thread(trade, server, "GOLD", 102.5, "")
        assert "m" not in await trades.recv()


async def test_python_binance_receives_several_streams_on_one_connection(
    server: Server, sockets: Any
) -> None:
    names = ["wethusdc@kline_1s", "wethusdc@trade", "gold@miniTicker", "gold@ticker"]
    async with sockets.multiplex_socket(names) as streams:
        assert (await streams.recv())["stream"] == "wethusdc@kline_1s"
        await asyncio.to_thread(trade, server, "WETH/USDC", 2_501.0)
        seen: dict[str, Any] = {}
        while len(seen) < 4:
            event = await streams.recv()
            seen[event["stream"]] = event["data"]
        assert seen["wethusdc@trade"]["p"] == "2501"
        assert seen["gold@ticker"]["c"] == seen["gold@miniTicker"]["c"]


async def test_python_binance_receives_all_tickers(sockets: Any) -> None:
    async with sockets.miniticker_socket() as tickers:
        assert {event["s"] for event in await tickers.recv()} == {"GOLD", "WETHUSDC"}


# -- ccxt --


@pytest.fixture
async def exchange(server: Server) -> AsyncIterator[Any]:
    ccxt = importlib.import_module("ccxt.pro")
    address = f"127.0.0.1:{server.port}"
    api = {
        "public": f"http://{address}/api/v3",
        "sapi": f"http://{address}/sapi/v1",
        "ws": {"spot": f"ws://{address}/ws"},
    }
    exchange = ccxt.binance(
        {"urls": {"api": api}, "options": {"fetchMarkets": {"types": ["spot"]}}, "newUpdates": True}
    )
    yield exchange
    await exchange.close()


async def test_ccxt_watches_candles_trades_and_tickers(server: Server, exchange: Any) -> None:
    await exchange.load_markets()
    candles = asyncio.create_task(exchange.watch_ohlcv("WETH/USDC", "1m"))
    trades = asyncio.create_task(exchange.watch_trades("WETH/USDC"))
    ticker = asyncio.create_task(exchange.watch_ticker("GOLD/USD"))
    assert (await asyncio.wait_for(candles, 30))[-1][4] > 0
    prices: list[float] = []
    while not trades.done():
        prices.append(2_502.0 + len(prices))
        await asyncio.to_thread(trade, server, "WETH/USDC", prices[-1], "sell")
        await asyncio.wait({trades}, timeout=0.5)
    (told, *_) = trades.result()
    assert (told["symbol"], told["side"]) == ("WETH/USDC", "sell")
    assert told["price"] in prices
    assert (await asyncio.wait_for(ticker, 30))["last"] > 0
