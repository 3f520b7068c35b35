"""Rows per second through `store.writer`, against the bare engine's insert_arrow.

Both write the same batches into the same tables with the same view, in turns, in one engine: ours
into the product's database, the bare ones into a second database beside it.
"""

import statistics
import time
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client

from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.store.migrate import migrate
from appliance.store.store import Store
from bench.data import SPEC, batch

ROUNDS: Final = 15
CASES: Final = ((10_000, 1_000), (10_000, 1), (1_000, 1_000), (100, 1_000), (1, 1_000))
"""Rows in a batch, trades in one second."""


def run(folder: Path) -> None:
    """Print a line for each case."""
    store = Store(Settings(data_dir=folder), Metrics(), lambda commit: None)
    store.open()
    try:
        bare = store.engine.client()
        bare.command("CREATE DATABASE bare")
        bare.database = "bare"
        migrate(bare)
        print(f"{'batch':>7} {'density':>9} {'bare rows/s':>12} {'ours rows/s':>12} {'ratio':>6}")
        first = 0
        for rows, per_second in CASES:
            first = _case(store, bare, rows, per_second, first)
    finally:
        store.close()


def _case(store: Store, bare: Client, rows: int, per_second: int, first: int) -> int:
    """Measure one case and return the number of the next trade."""
    first = -(-first // per_second) * per_second
    bare_s, ours_s = [], []
    for _ in range(ROUNDS):
        table = batch(rows, first, per_second)
        begun = time.perf_counter()
        bare.insert_arrow("trades", table)
        turned = time.perf_counter()
        store.writer.submit(table, (SPEC,)).result()
        bare_s.append(turned - begun)
        ours_s.append(time.perf_counter() - turned)
        first += rows
    bare_median, ours_median = statistics.median(bare_s), statistics.median(ours_s)
    print(
        f"{rows:>7,} {per_second:>7,}/s {rows / bare_median:>12,.0f} "
        f"{rows / ours_median:>12,.0f} {bare_median / ours_median:>6.2f}"
    )
    return first * (1_000 // per_second if per_second == 1 else 1)
