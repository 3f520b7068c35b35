"""Requests per second of a warm `/history`, against a bare Sanic handler with the same bytes.

One question for one market, then 200 markets in six resolutions with the slightly different `from`
and `to` that widgets send, with and without gzip, in turns with the bare server and under the same
client. Then the same while 200 trades arrive each second: how many of the requests needed a query
(those that were read ahead count). Everything runs at once on one machine: read the ratios.
"""

import http.client
import os
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from appliance.metrics import Metrics
from appliance.model import MarketSpec
from appliance.settings import Settings
from appliance.store.store import Store
from bench.client import Load, load
from bench.data import spread
from bench.history import connect, free_port

MARKETS: Final = 200
BARS: Final = 329
RESOLUTIONS: Final = {"1": 60, "5": 300, "15": 900, "60": 3_600, "240": 14_400, "1D": 86_400}
HELD: Final = 700
"""Bars of each market and resolution: two pages and some more."""
_AT_ONCE: Final = 4
_PAUSE_S: Final = 0.02
TRADES_S: Final = 200
ROUNDS: Final = 9
SECONDS: Final = 1.0
"""Short turns, so that what else the machine does meets both servers."""
_LIVE_S: Final = 12.0
KEY: Final = "bench-key-0123456789"
GZIP: Final = "Accept-Encoding: gzip, deflate, br, zstd\r\n"
_QUERIES: Final = re.compile(
    rb'^appliance_query_seconds_count\{query="select_(?:candles|nth_bucket|last_price)"\} (\S+)',
    re.MULTILINE,
)


def run(folder: Path) -> None:
    """Print a line for each kind of load."""
    _fill(folder / "served")
    port, bare_port = free_port(), free_port()
    with _serving(folder / "served", port) as server:
        connect(port).close()
        now = int(time.time())
        one = [_path("M0", "1", now - BARS * 60, now, BARS)]
        many = _widgets(now)
        body = _get(port, one[0], {})
        (folder / "body.json").write_bytes(body)
        (folder / "body.gz").write_bytes(_get(port, one[0], {"Accept-Encoding": "gzip"}))
        print(f"a body has {len(body):,} bytes, with gzip {(folder / 'body.gz').stat().st_size:,}")
        with _bare(folder / "body.json", bare_port):
            connect(bare_port).close()
            begun = time.perf_counter()
            for path in many:
                _get(port, path, {})
            took = time.perf_counter() - begun
            print(f"{len(many):,} different questions asked once: {took:.1f} s, {_memory(server)}")
            _heads()
            for name, paths in (("one question", one), ("widgets", many)):
                for kind, headers in (("plain", ""), ("gzip", GZIP)):
                    _compare(f"{name}, {kind}", (port, bare_port), paths, headers)
            _live((port, bare_port), many, server)


def _heads() -> None:
    print(
        f"{'':>26} {'bare/s':>8} {'ours/s':>8} {'ratio':>6} "
        f"{'p99 bare':>9} {'ours':>7} {'ratio':>6}"
    )


def _compare(name: str, ports: tuple[int, int], paths: list[str], headers: str) -> None:
    """Measure both servers in turns and print the medians."""
    ours: list[Load] = []
    bare: list[Load] = []
    for _ in range(ROUNDS):
        bare.append(load(ports[1], paths, headers, seconds=SECONDS))
        ours.append(load(ports[0], paths, headers, seconds=SECONDS))
    if any(each.failed for each in ours):
        raise RuntimeError(f"{sum(each.failed for each in ours)} requests were not answered")
    rates = [statistics.median(each.rate for each in side) for side in (bare, ours)]
    late = [statistics.median(each.p99_ms for each in side) for side in (bare, ours)]
    ratio = statistics.median(o.rate / b.rate for o, b in zip(ours, bare, strict=True))
    slower = statistics.median(o.p99_ms / b.p99_ms for o, b in zip(ours, bare, strict=True))
    print(
        f"{name:>26} {rates[0]:>8,.0f} {rates[1]:>8,.0f} {ratio:>6.2f} "
        f"{late[0]:>9.1f} {late[1]:>7.1f} {slower:>6.2f}"
    )


def _live(
    ports: tuple[int, int],
    paths: list[str],
    server: "subprocess.Popen[bytes]",
) -> None:
    stop = threading.Event()
    sent = [0]
    feeder = threading.Thread(target=_feed, args=(ports[0], stop, sent))
    before, begun = queries(ports[0]), time.perf_counter()
    feeder.start()
    try:
        bare = load(ports[1], paths, GZIP, seconds=SECONDS)
        asked_from = queries(ports[0])
        ours = load(ports[0], paths, GZIP, seconds=_LIVE_S)
    finally:
        stop.set()
        feeder.join()
    after, took = queries(ports[0]), time.perf_counter() - begun
    requests = ours.rate * _LIVE_S
    share = 1 - (after - asked_from) / requests
    print(
        f"{'widgets, gzip, live':>26} {bare.rate:>8,.0f} {ours.rate:>8,.0f} "
        f"{ours.rate / bare.rate:>6.2f} {bare.p99_ms:>9.1f} {ours.p99_ms:>7.1f} "
        f"{ours.p99_ms / bare.p99_ms:>6.2f}"
    )
    print(
        f"with {sent[0] / took:,.0f} trades/s: {share:.2%} of {requests:,.0f} requests without SQL "
        f"({after - before:,.0f} queries in all); {_memory(server)}"
    )


def _feed(port: int, stop: threading.Event, sent: list[int]) -> None:
    """Post trades at a steady rate, those that are due at a time, each of another market."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"X-API-Key": KEY, "Content-Type": "application/x-ndjson"}
    choose, begun = random.Random(1), time.perf_counter()
    while not stop.is_set():
        time.sleep(_PAUSE_S)
        batch = int((time.perf_counter() - begun) * TRADES_S) - sent[0]
        lines = [
            f'{{"symbol":"M{choose.randrange(MARKETS)}","time":{time.time_ns() // 1000},'
            f'"price":{choose.uniform(90, 110):.2f},"size":"0.5","id":"live-{sent[0] + i}"}}'
            for i in range(batch)
        ]
        connection.request("POST", "/api/trades", "\n".join(lines), headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"POST /api/trades answered {answer.status}: {text[:200]!r}")
        sent[0] += batch


def queries(port: int) -> float:
    """Return how many queries for candles a server has asked its store."""
    return sum(map(float, _QUERIES.findall(_get(port, "/metrics", {}))))


def _memory(server: "subprocess.Popen[bytes]") -> str:
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return f"{pages * os.sysconf('SC_PAGESIZE') >> 20:,} MB resident"


def _widgets(now: int) -> list[str]:
    """Return what widgets ask: mostly the newest page, sometimes one or two before it."""
    choose, paths = random.Random(7), []
    for market in range(MARKETS):
        for resolution, seconds in RESOLUTIONS.items():
            for _ in range(4):
                page = choose.choice([0, 0, 0, 0, 1, 2])
                to = now + choose.randrange(60) - page * BARS * seconds - choose.randrange(seconds)
                to = max(to, now) if page == 0 else to
                start = to - BARS * seconds - choose.randrange(2 * seconds)
                paths.append(_path(f"M{market}", resolution, start, to, BARS))
    choose.shuffle(paths)
    return paths


def _path(symbol: str, resolution: str, start: int, to: int, count: int) -> str:
    return (
        f"/api/tradingview/history?symbol={symbol}&resolution={resolution}"
        f"&from={start}&to={to}&countback={count}&firstDataRequest=true"
    )


def _get(port: int, path: str, headers: dict[str, str]) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}: {body[:200]!r}")
    return body


def _fill(folder: Path) -> None:
    """Store a trade in each of the newest HELD bars of each resolution, for every market."""
    settings = Settings(data_dir=folder, memory_limit_mb=3_000)
    store = Store(settings, Metrics(), lambda commit: None)
    store.open()
    now = int(time.time())
    offsets = {s * i + 7 for s in RESOLUTIONS.values() for i in range(HELD)}
    times = np.array(sorted(now - offset for offset in offsets), np.int64)
    random_numbers = np.random.default_rng(3)
    try:
        for first in range(0, MARKETS, _AT_ONCE):
            specs = tuple(MarketSpec(f"M{n}") for n in range(first, first + _AT_ONCE))
            store.writer.submit(spread(times, len(specs), random_numbers), specs).result()
        store.writer.call(lambda c: c.command("OPTIMIZE TABLE candles FINAL")).result()
    finally:
        store.close()


@contextmanager
def _serving(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "appliance", "serve", "--port", str(port), "--no-demo"]
    server = subprocess.Popen(
        [*command, "--data-dir", str(folder)],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"API_KEYS": KEY},
    )
    try:
        yield server
    finally:
        server.terminate()
        server.wait()


@contextmanager
def _bare(file: Path, port: int) -> Iterator[None]:
    script = str(Path(__file__).with_name("bare.py"))
    server = subprocess.Popen([sys.executable, script, str(port), str(file)])
    try:
        yield
    finally:
        server.terminate()
        server.wait()
