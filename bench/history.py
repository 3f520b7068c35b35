"""Time of a cold `/history` over HTTP, against the bare SQL, in turns.

The server runs on one copy of the data in a process of its own, the bare query on another copy
here; each market is asked for once in a resolution, so nothing is cached: what the product reads
beside the 329 bars that a widget asks for is its own loss.
"""

import http.client
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from clickhouse_connect.driver.client import Client

from appliance.interval import Interval, parse
from appliance.metrics import Metrics
from appliance.model import MarketSpec
from appliance.settings import Settings
from appliance.store.engine import Engine
from appliance.store.reader import select
from appliance.store.store import Store
from bench.data import START, spread

MARKETS: Final = 200
MINUTES: Final = 5_200
BARS: Final = 329
_AT_ONCE: Final = 4
_PAUSE_S: Final = 0.05
QUESTIONS: Final = (("1", "1m"), ("15", "15m"), ("7", "7m"))


def run(folder: Path) -> None:
    """Print a line for each resolution."""
    served, bare = folder / "served", folder / "bare"
    for copy in (served, bare):
        _fill(copy)
    engine = Engine(Settings(data_dir=bare).store_dsn)
    client = engine.open()
    port = free_port()
    command = [sys.executable, "-m", "appliance", "serve", "--port", str(port), "--no-demo"]
    server = subprocess.Popen([*command, "--data-dir", str(served)], stderr=subprocess.DEVNULL)
    try:
        connection = connect(port)
        print(f"{'bars':>9} {'bare ms':>8} {'/history ms':>12} {'ratio':>6} {'p99 ms':>7}")
        for resolution, name in QUESTIONS:
            _compare(connection, client, resolution, parse(name))
    finally:
        server.terminate()
        server.wait()
        engine.close()


def _fill(folder: Path) -> None:
    """Store a trade a minute in every market."""
    store = Store(Settings(data_dir=folder), Metrics(), lambda commit: None)
    store.open()
    times = START + 60 * np.arange(MINUTES, dtype=np.int64)
    choose = np.random.default_rng(3)
    for first in range(0, MARKETS, _AT_ONCE):
        specs = tuple(MarketSpec(f"M{n}") for n in range(first, first + _AT_ONCE))
        store.writer.submit(spread(times, len(specs), choose), specs).result()
    store.writer.call(lambda c: c.command("OPTIMIZE TABLE candles FINAL")).result()
    store.close()


def _compare(
    connection: http.client.HTTPConnection, client: Client, resolution: str, interval: Interval
) -> None:
    span = BARS * interval.seconds
    divisor = 900 if interval.seconds % 900 == 0 else 60
    served_s, bare_s = [], []
    choose = random.Random(interval.seconds)
    for market in range(MARKETS):
        end = interval.floor(choose.randrange(START + span, START + 60 * MINUTES))
        path = f"/api/tradingview/history?symbol=M{market}&resolution={resolution}"
        path += f"&from={end - span}&to={end}&countback={BARS}"
        question = {"market": market + 1, "divisor": divisor, "step": interval.seconds, "offset": 0}
        question |= {"months": 0, "from": end - span, "to": end, "limit": 10_001}
        bare_s.append(_timed(partial(select, client, "select_candles", question)))
        served_s.append(_timed(partial(_get, connection, path)))
        time.sleep(_PAUSE_S)  # what is read ahead is not waited for, here as anywhere
    bare, ours = statistics.median(bare_s) * 1e3, statistics.median(served_s) * 1e3
    ratio = statistics.median(s / b for s, b in zip(served_s, bare_s, strict=True))
    p99 = statistics.quantiles(served_s, n=100)[98] * 1e3
    title = f"{BARS:>4} × {interval.name:<3}"
    print(f"{title} {bare:>7.1f} {ours:>12.1f} {ratio:>6.2f} {p99:>7.1f}")


def _timed(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _get(connection: http.client.HTTPConnection, path: str) -> None:
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200 or not body.startswith(b'{"s":"ok"'):
        raise RuntimeError(f"{path} answered {answer.status}: {body[:200]!r}")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def connect(port: int) -> http.client.HTTPConnection:
    """Return a connection to the server on this port, once it is ready."""
    for _ in range(300):
        try:
            with socket.create_connection(("127.0.0.1", port), 0.1):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request("GET", "/health/ready")
                connection.getresponse().read()
                return connection
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not start within 30 s")
