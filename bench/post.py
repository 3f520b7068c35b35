"""Trades per second through `POST /api/trades` as NDJSON, against the bare engine's insert.

The server runs in a process of its own and shares the cores with the clients that feed it. Every
trade is new and is acknowledged once it is durable. The bare engine inserts batches of as many
rows, in the same run, in this process. How trades are told from each other is measured in turns, as
a server gets faster while it warms up. The last table is one trade a request, one at a time.
"""

import http.client
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from appliance.settings import Settings
from appliance.store.engine import Engine
from appliance.store.migrate import migrate
from bench.data import START, batch
from bench.history import connect, free_port

ROWS: Final = 5_000
PER_SECOND: Final = 1_000
ROUNDS: Final = 4
REQUESTS: Final = 20
"""In each round."""
CLIENTS: Final = 4
SINGLE: Final = 100
WARM: Final = 5
KEY: Final = "bench-key-0123456789"
_HEADERS: Final = {"X-API-Key": KEY, "Content-Type": "application/x-ndjson"}
Place = Callable[[int], str]
PLACES: Final[dict[str, Place]] = {
    "ids": lambda n: f',"id":"{n}"',
    "chain": lambda n: f',"block_number":{n // 8 + 1},"log_index":{n % 8}',
    "key": lambda _: "",
}
"""How each trade is told from all others; with neither, requests have an Idempotency-Key."""


def run(folder: Path) -> None:
    """Print the throughput for each kind of place, then the latency of single trades."""
    bare = _bare(folder / "bare")
    port = free_port()
    command = [sys.executable, "-m", "appliance", "serve", "--port", str(port), "--no-demo"]
    server = subprocess.Popen(
        [*command, "--data-dir", str(folder / "served")],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"API_KEYS": KEY},
    )
    try:
        connection = connect(port)
        rates = {name: [0.0] * ROUNDS for name in PLACES}
        for number in range(ROUNDS):
            for name in PLACES:
                rates[name][number] = _throughput(port, name, number)
        print(f"{'place':>7} {'batch':>7} {'bare rows/s':>12} {'POST rows/s':>12} {'ratio':>6}")
        for name, measured in rates.items():
            rate = statistics.median(measured)
            print(f"{name:>7} {ROWS:>7,} {bare:>12,.0f} {rate:>12,.0f} {rate / bare:>6.2f}")
        ratios = [ids / chain for ids, chain in zip(rates["ids"], rates["chain"], strict=True)]
        print(f"ids against chain coordinates: {statistics.median(ratios):.2f}")
        print(f"{'place':>7} {'batch':>7} {'median ms':>12} {'p99 ms':>12}")
        for name in PLACES:
            took = _singles(connection, name)
            p99 = statistics.quantiles(took, n=100)[98]
            print(f"{name:>7} {1:>7} {statistics.median(took):>12.1f} {p99:>12.1f}")
    finally:
        server.terminate()
        server.wait()


def _bare(folder: Path) -> float:
    """Return the rows per second of the engine alone."""
    engine = Engine(Settings(data_dir=folder).store_dsn)
    client = engine.open()
    took = []
    try:
        migrate(client)
        for number in range(REQUESTS):
            table = batch(ROWS, number * ROWS, PER_SECOND)
            begun = time.perf_counter()
            client.insert_arrow("trades", table)
            took.append(time.perf_counter() - begun)
    finally:
        engine.close()
    return ROWS / statistics.median(took)


def _body(symbol: str, name: str, first: int, rows: int) -> bytes:
    place = PLACES[name]
    lines = []
    for n in range(first, first + rows):
        time_us = START * 10**6 + n * (10**6 // PER_SECOND)
        price, size = 2_000 + n * 7_919 % 10_007 / 100, 1 + n * 104_729 % 999_983
        lines.append(
            f'{{"symbol":"{symbol}","time":{time_us},"price":{price},"size":"0.{size:06d}",'
            f'"side":"{"sell" if n % 2 else "buy"}"{place(n)}}}\n'
        )
    return "".join(lines).encode()


def _throughput(port: int, name: str, number: int) -> float:
    """Return the trades per second that CLIENTS connections get acknowledged together."""
    first = number * (WARM + REQUESTS)
    bodies = [
        _body(f"BULK-{name}", name, each * ROWS, ROWS)
        for each in range(first, first + WARM + REQUESTS)
    ]
    warm = connect(port)
    for body in bodies[:WARM]:
        _post(warm, name, body, ROWS)
    shares = [bodies[WARM + i :: CLIENTS] for i in range(CLIENTS)]
    threads = [threading.Thread(target=_push, args=(port, name, share)) for share in shares]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return REQUESTS * ROWS / (time.perf_counter() - begun)


def _push(port: int, name: str, bodies: list[bytes]) -> None:
    connection = connect(port)
    for body in bodies:
        _post(connection, name, body, ROWS)


def _singles(connection: http.client.HTTPConnection, name: str) -> list[float]:
    """Return the milliseconds that each of some single trades took."""
    took = []
    for number in range(WARM + SINGLE):
        body = _body(f"ONE-{name}", name, number, 1)
        begun = time.perf_counter()
        _post(connection, name, body, 1)
        took.append((time.perf_counter() - begun) * 1e3)
    return took[WARM:]


def _post(connection: http.client.HTTPConnection, name: str, body: bytes, rows: int) -> None:
    key = {"Idempotency-Key": blake2b(body, digest_size=16).hexdigest()} if name == "key" else {}
    connection.request("POST", "/api/trades", body, _HEADERS | key)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200 or msgspec.json.decode(text)["accepted"] != rows:
        raise RuntimeError(f"{rows} new trades were answered {answer.status}: {text[:200]!r}")
