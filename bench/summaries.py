"""Time of the 24-hour summaries of a thousand markets, each of which trades every minute.

`new`: nothing is known, as after a revision; `touched`: every market was traded since; `one`: a
single market that nobody asked for before; `kept`: nothing happened. The board orders all of them.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from appliance.metrics import Metrics
from appliance.model import TRADE_SCHEMA, Commit, MarketSpec
from appliance.settings import Settings
from appliance.statistics.board import Board
from appliance.statistics.summaries import Summaries
from appliance.store.store import Store
from bench.data import batch

MARKETS: Final = 1_000
MINUTES: Final = 1_440
NOW: Final = 1_750_000_000
ROUNDS: Final = 30


def run(folder: Path) -> None:
    """Print a line for each case."""
    store = Store(Settings(data_dir=folder), Metrics(), lambda commit: None)
    store.open()
    try:
        _fill(store)
        asyncio.run(_measure(store))
    finally:
        store.close()


def _fill(store: Store) -> None:
    specs = tuple(
        MarketSpec(f"M{i}/USD", chain_id=1, contract=f"0x{i:040x}", order="chain")
        for i in range(1, MARKETS + 1)
    )
    minutes = 60
    for first in range(0, MINUTES, minutes):
        rows = MARKETS * minutes
        trades = batch(rows, first * MARKETS, 1)
        number = np.arange(rows)
        seconds = NOW - (MINUTES - first - number // MARKETS) * 60 + 7
        times = pa.array(seconds * 10**6).cast(pa.timestamp("us", "UTC"))
        market = pa.array((number % MARKETS).astype(np.uint32))
        trades = trades.set_column(0, TRADE_SCHEMA.field(0), market)
        store.writer.submit(trades.set_column(1, TRADE_SCHEMA.field(1), times), specs).result()


async def _measure(store: Store) -> None:
    metrics, clock = Metrics(), _Clock()
    summaries = Summaries(store.reader, metrics.cache_lookups, clock)
    markets = store.catalogue.all()
    commit = Commit(1, TRADE_SCHEMA.empty_table(), tuple(markets))
    if len(await summaries.of(markets)) != MARKETS:
        raise RuntimeError("a market has no summary")
    print(f"{'ms':>10} {'median':>8} {'p95':>8}")
    summaries.on_commit(commit)
    await _line("new", summaries.forget, lambda: summaries.of(markets))
    await _line("touched", lambda: clock.later(2, summaries, commit), lambda: summaries.of(markets))
    await _line("one", summaries.forget, lambda: summaries.of(markets[:1]))
    await summaries.of(markets)
    await _line("kept", lambda: None, lambda: summaries.of(markets))
    board = Board(store.reader, store.catalogue, clock)
    await _line("board", board.forget, board.standings)


async def _line(
    name: str, before: Callable[[], None], ask: Callable[[], Awaitable[object]]
) -> None:
    taken: list[float] = []
    for _ in range(ROUNDS):
        before()
        begun = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - begun) * 1e3)
    print(f"{name:>10} {statistics.median(taken):>8.1f} {_p95(taken):>8.1f}")


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[18]


class _Clock:
    """Stands still, unless it is put on."""

    def __init__(self) -> None:
        self._now = float(NOW)

    def __call__(self) -> float:
        return self._now

    def later(self, seconds: float, summaries: Summaries, commit: Commit) -> None:
        """Put the clock on, and let trades of all markets come."""
        self._now += seconds
        summaries.on_commit(commit)
