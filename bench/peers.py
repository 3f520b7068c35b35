"""The same ten million trades of one market: ours, DuckDB, SQLite and the bare engine, in turns.

Each answers /history over HTTP for random ranges of a year, under the same client, one after the
other on the same machine: DuckDB from sorted raw trades, SQLite from ready candles, the engine from
the product's own candles. Then what a chart does that is scrolled back through the whole year, one
bar a day over all of it, and the memory that ours takes.
"""

import http.client
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.client import Client

from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.store.store import Store
from bench.client import load
from bench.data import SPEC, START, batch
from bench.history import connect, free_port
from bench.warm import queries

TRADES: Final = int(os.environ.get("BENCH_TRADES", "10_000_000"))
STEP_US: Final = 3_153_600
"""From one trade to the next: ten million last a year."""
END: Final = START + TRADES * STEP_US // 10**6
BARS: Final = 329
DAY: Final = 86_400
_BATCH: Final = 100_000
_SECONDS: Final = 4.0
_PAUSE_S: Final = 0.05
_COLD: Final = 40
_HOT: Final = 2_000
"""Different questions, which memory has answered once when it is measured warm."""
_READY: Final = """
    SELECT interval, toUnixTimestamp(bucket), argMinMerge(open), max(high), min(low),
        argMaxMerge(close), toFloat64(sum(base_volume))
    FROM candles WHERE interval IN (60, 86400) GROUP BY interval, bucket ORDER BY interval, bucket
"""
PEERS: Final = {"duckdb": "DuckDB, raw trades", "sqlite": "SQLite, ready candles"}


def run(folder: Path) -> None:
    """Print what each answers."""
    _fill(folder)
    print(f"{TRADES:,} trades of one market; {BARS} bars of a minute at random places of a year")
    print(f"{'':>24} {'ms, one at a time':>18} {'requests/s':>11} {'ms, days':>9}")
    paths = _paths(random.Random(5), _HOT)
    rates = {}
    for kind, name in (PEERS | {"engine": "bare engine, candles"}).items():
        with _served(["bench/peer.py", kind], folder) as (port, _):
            rates[kind] = _measure(name, port, paths, is_ours=False)
    command = ["-m", "appliance", "serve", "--no-demo", "--data-dir", str(folder / "served")]
    with _served([*command, "--port"], None) as (port, server):
        _measure("ours, cold", port, paths, is_ours=True)
        for path in paths:
            _get(port, path)
        _settle(port)
        rates["ours"] = _measure("ours, warm", port, paths, is_ours=False)
        best = max(rate for kind, rate in rates.items() if kind != "ours")
        print(f"warm, ours answers {rates['ours'] / best:.1f} × the requests/s of the best of them")
        print(f"{_resident(server)} MB resident")
    with _served([*command, "--port"], None) as (port, server):
        _page_back(port)
        print(f"{_resident(server)} MB resident")


def _measure(name: str, port: int, paths: list[str], *, is_ours: bool) -> float:
    """Print a line, return requests per second (0 for the cold one: it is not cold for long)."""
    times = []
    for path in paths[:_COLD]:
        times.append(_timed(port, path))
        if is_ours:
            time.sleep(_PAUSE_S)  # what is read ahead is not to be waited for
    days = [_timed(port, _path("1D", START, END)) for _ in range(1 if is_ours else 5)]
    rate = 0.0 if is_ours else load(port, paths, seconds=_SECONDS).rate
    one, whole = statistics.median(times) * 1e3, statistics.median(days) * 1e3
    print(f"{name:>24} {one:>18.2f} {rate or float('nan'):>11,.0f} {whole:>9.1f}")
    return rate


def _page_back(port: int) -> None:
    """Ask for page after page from the newest bar to the oldest, as a chart does."""
    before, pages, to = queries(port), 0, END
    while to > START:
        first = to - BARS * 60
        body = _get(port, _path("1", first, to, BARS))
        pages += 1
        if not body.startswith(b'{"s":"ok"'):
            break
        to = first
    time.sleep(_PAUSE_S)
    asked = queries(port) - before
    print(f"scrolled back through a year: {pages:,} pages, {asked:,.0f} queries, ", end="")
    print(f"{asked / pages:.3f} for each")


def _settle(port: int) -> None:
    """Wait until nothing is read ahead any more."""
    before = -1.0
    while (asked := queries(port)) != before:
        before = asked
        time.sleep(1)


def _paths(choose: random.Random, count: int) -> list[str]:
    ends = [choose.randrange(START + BARS * 60, END) // 60 * 60 for _ in range(count)]
    return [_path("1", end - BARS * 60, end) for end in ends]


def _path(resolution: str, first: int, last: int, count: int = 0) -> str:
    path = f"/api/tradingview/history?symbol=BENCH&resolution={resolution}"
    return f"{path}&from={first}&to={last}&countback={count}"


def _timed(port: int, path: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    begun = time.perf_counter()
    connection.request("GET", path)
    body = connection.getresponse().read()
    took = time.perf_counter() - begun
    connection.close()
    if not body.startswith(b'{"s":"ok"'):
        raise RuntimeError(f"{path} answered {body[:200]!r}")
    return took


def _get(port: int, path: str) -> bytes:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()


def _resident(server: "subprocess.Popen[bytes]") -> int:
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") >> 20


@contextmanager
def _served(
    command: list[str], folder: Path | None
) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    port = free_port()
    words = [*command, str(port), *([str(folder)] if folder else [])]
    server = subprocess.Popen(
        [sys.executable, *words],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"CACHE_URL": "memory://"},  # nothing from an earlier run of ours
    )
    try:
        connect(port).close()
        yield port, server
    finally:
        server.terminate()
        server.wait()


def _fill(folder: Path) -> None:
    """Give every contestant the same trades."""
    import duckdb

    store = Store(Settings(data_dir=folder / "served"), Metrics(), lambda commit: None)
    store.open()
    database = duckdb.connect(str(folder / "trades.duckdb"))
    database.execute(
        "CREATE TABLE trades (time BIGINT, sequence UBIGINT, price DOUBLE, volume DOUBLE)"
    )
    for first in range(0, TRADES, _BATCH):
        trades = _spread(batch(_BATCH, first, 1), first)
        store.writer.submit(trades, (SPEC,)).result()
        _copy(database, trades)
    store.writer.call(lambda c: c.command("OPTIMIZE TABLE candles FINAL")).result()
    _candles(store, folder)
    database.close()
    store.close()


def _spread(trades: pa.Table, first: int) -> pa.Table:
    """Return the trades so far from each other that all last a year."""
    micros = START * 10**6 + np.arange(first, first + len(trades), dtype=np.int64) * STEP_US
    times = pa.array(micros).cast(pa.timestamp("us", "UTC"))
    at = trades.schema.get_field_index("time")
    return trades.set_column(at, trades.schema.field(at), times)


def _copy(database: Any, trades: pa.Table) -> None:
    """Insert what DuckDB needs of the trades, in order of time."""
    raw = pa.table(
        {
            "time": pa.array(trades["time"].cast(pa.int64()).to_numpy() // 10**6),
            "sequence": trades["sequence"],
            "price": trades["price"],
            "volume": trades["base_volume"].cast(pa.float64()),
        }
    )
    database.register("raw", raw)
    database.execute("INSERT INTO trades SELECT * FROM raw")
    database.unregister("raw")


def _candles(store: Store, folder: Path) -> None:
    """Give SQLite the candles that are ready in the store."""

    def read(client: Client) -> list[Any]:
        return list(client.query(_READY).result_rows)

    with closing(sqlite3.connect(folder / "candles.sqlite")) as database:
        database.execute(
            "CREATE TABLE candles (step INT, time INT, o REAL, h REAL, l REAL, c REAL, v REAL, "
            "PRIMARY KEY (step, time)) WITHOUT ROWID"
        )
        rows = store.writer.call(read).result()
        database.executemany("INSERT INTO candles VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        database.commit()
