"""The same candles on every interface, to the last digit: one server, asked in every way."""

import csv
import io
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import urllib3
from websockets.sync.client import ClientConnection, connect

from tests.processes import Server

KEY = "consistency-key-0123456789"
Row = tuple[int, float, float, float, float, float]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run the appliance with a market that was traded in three days."""
    folder = tmp_path_factory.mktemp("consistency") / "data"
    running = Server(folder, "--no-demo", API_KEYS=KEY).until("ready at")
    choose, now = random.Random(11), int(time.time())
    post(running, [trade(choose, now - choose.randrange(3, 3 * 86_400)) for _ in range(4_000)])
    yield running
    running.kill()


def trade(choose: random.Random, second: float) -> dict[str, Any]:
    """Return a trade with as many digits as the store holds."""
    return {
        "symbol": "GOLD",
        "time": round(second, 6),
        "price": choose.lognormvariate(0, 2),
        "size": f"{choose.randrange(10**6)}.{choose.randrange(10**18):018}",
        "side": choose.choice(["buy", "sell"]),
    }


def post(server: Server, trades: list[dict[str, Any]]) -> None:
    answer = urllib3.request(
        "POST",
        f"http://127.0.0.1:{server.port}/api/trades",
        body=msgspec.json.encode({"trades": trades}),
        headers={"X-API-Key": KEY},
    )
    assert {"accepted": len(trades), "duplicates": 0} == answer.json()


def get(server: Server, path: str) -> bytes:
    answer = urllib3.request("GET", f"http://127.0.0.1:{server.port}{path}")
    assert answer.status == 200, answer.data
    return answer.data


def everywhere(server: Server, interval: str, first: int, last: int) -> dict[str, list[Row]]:
    """Return the candles of [first, last) as each interface tells them."""
    resolution = {"1s": "1S", "1m": "1", "7m": "7", "1h": "60", "1d": "1D", "1w": "1W", "1M": "1M"}
    udf = json.loads(
        get(
            server,
            f"/api/tradingview/history?symbol=GOLD&resolution={resolution[interval]}"
            f"&from={first}&to={last}",
        )
    )
    light = f"symbol=GOLD&timeframe={interval}&from={first}&to={last}&limit=5000"
    objects = json.loads(get(server, f"/api/lightweight/ohlcv?{light}"))["data"]
    columns = json.loads(get(server, f"/api/lightweight/ohlcv?{light}&format=columns"))["data"]
    table = csv.DictReader(io.StringIO(get(server, f"/api/lightweight/ohlcv.csv?{light}").decode()))
    names = ("time", "open", "high", "low", "close", "volume")
    return {
        "udf": list(zip(*(udf[name] for name in "tohlcv"), strict=True)),
        "objects": [tuple(row[name] for name in names) for row in objects],
        "columns": list(zip(*(columns[name] for name in names), strict=True)),
        "csv": [(int(r["time"]), *(float(r[n]) for n in names[1:])) for r in table],
        "binance": klines(server, interval, first, last),
    }


def klines(server: Server, interval: str, first: int, last: int) -> list[Row]:
    """Return what Binance's REST tells, page after page."""
    rows: list[list[Any]] = []
    start = first * 1_000
    while start < last * 1_000:
        path = f"/api/v3/klines?symbol=GOLD&interval={interval}&startTime={start}&limit=1000"
        page = json.loads(get(server, f"{path}&endTime={last * 1_000 - 1}"))
        rows += page
        if len(page) < 1_000:
            break
        start = page[-1][0] + 1
    return [(row[0] // 1_000, *map(float, row[1:6])) for row in rows]


@pytest.mark.parametrize("interval", ["1s", "1m", "7m", "1h", "1d", "1w", "1M"])
def test_every_interface_tells_the_same_candles(server: Server, interval: str) -> None:
    """Stored intervals and merged ones, the forming candle included."""
    now = int(time.time())
    first = now - 86_400 // 4 if interval in ("1s", "1m") else 0
    found = everywhere(server, interval, first, now)
    assert len(found["udf"]) >= 1
    for name, rows in found.items():
        assert found["udf"] == rows, name


def test_closed_bars_of_the_stream_are_those_of_the_store(server: Server) -> None:
    """Each as it was sent, asked again on every other interface."""
    choose = random.Random(12)
    streams = "gold@kline_1s/gold@kline_2s"
    with connect(f"ws://127.0.0.1:{server.port}/ws/{streams}") as socket:
        for _ in range(12):
            post(server, [trade(choose, time.time()) for _ in range(5)])
            time.sleep(0.25)
        closed = closed_bars(socket, until=time.time() + 4)
    for interval, bars in closed.items():
        assert len(bars) >= 2
        shown = klines(server, interval, min(bars), max(bars) + 2)
        assert bars == {row[0]: row for row in shown if row[0] in bars}
    seconds = closed["1s"]
    for name, rows in everywhere(server, "1s", min(seconds), max(seconds) + 1).items():
        assert seconds == {row[0]: row for row in rows}, name


def closed_bars(socket: ClientConnection, until: float) -> dict[str, dict[int, Row]]:
    """Return the last closed state of each bar, by interval and start."""
    found: dict[str, dict[int, Row]] = {"1s": {}, "2s": {}}
    while (left := until - time.time()) > 0:
        try:
            event = json.loads(socket.recv(timeout=left))
        except TimeoutError:
            break
        k = event["k"]
        if k["x"]:
            prices = (float(k[name]) for name in "ohlcv")
            found[k["i"]][k["t"] // 1_000] = (k["t"] // 1_000, *prices)
    return found
