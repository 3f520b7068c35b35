"""Backups under full ingest: each is one moment that existed, and ingest goes on."""

import re
import shutil
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from appliance.model import MarketSpec, scaled, trade_table
from appliance.settings import Settings
from appliance.store import archive
from appliance.store.backup import Backups
from tests.conftest import NOW, Opened
from tests.oracle import T, table
from tests.processes import command
from tests.restored import ask, outcomes

pytestmark = pytest.mark.fault
BACKUPS = 20
BATCH = 1_000
STEP_S = 3
POOL = MarketSpec("POOL", chain_id=1, contract="0x" + "ab" * 20, order="chain")
NUMBERS = """
SELECT symbol, count(), uniqExact(trade_id), max(toInt64OrZero(trade_id))
FROM trades INNER JOIN (SELECT market_id, symbol FROM markets FINAL) AS known USING (market_id)
WHERE symbol != 'POOL' GROUP BY symbol ORDER BY symbol
"""


@dataclass
class Pusher:
    """Stores batches of one market, one after another; trade i carries number i."""

    opened: Opened
    symbol: str
    acknowledged: int = 0
    sent: int = 0
    times: list[float] = field(default_factory=list)

    def push(self) -> None:
        first, self.sent = self.sent, self.sent + BATCH
        begun = time.perf_counter()
        specs = (MarketSpec(self.symbol),)
        self.opened.store.writer.submit(batch(first), specs).result(60)
        self.times.append(time.perf_counter() - begun)
        self.acknowledged = self.sent


@dataclass
class Reorganizer:
    """Stores a chain's blocks, takes half of them back, and stores them again."""

    opened: Opened
    stop: threading.Event
    retractions: int = 0

    def push(self) -> None:
        price = 1.0 + self.retractions
        rows = [T((NOW + 60 * b) * 10**6, price + b, 10**18, block=b) for b in range(1, 101)]
        writer = self.opened.store.writer
        writer.submit(table(rows), (POOL,)).result(60)
        writer.retract(1, 51).result(60)
        writer.submit(table(rows[50:]), (POOL,)).result(60)
        writer.retract(1, 1).result(60)
        self.retractions += 2
        self.stop.wait(1.0)  # a retraction holds up everything for some tenths of a second


def batch(first: int) -> pa.Table:
    """Return trades that follow each other, over several years."""
    numbers = np.arange(first, first + BATCH)
    time_us = (NOW - 100_000_000 + STEP_S * numbers) * 1_000_000
    price = 100 + numbers % 977 / 8
    units = scaled([10**18] * BATCH)
    return trade_table(
        BATCH,
        market_id=[0] * BATCH,
        time=pa.array(time_us, pa.timestamp("us", "UTC")),
        sequence=time_us,
        tie=numbers,
        price=price,
        execution_price=price,
        base_volume=units,
        quote_volume=units,
        side=["buy", "sell"] * (BATCH // 2),
        kind=["trade"] * BATCH,
        trade_id=[str(number) for number in numbers],
    )


@dataclass
class Made:
    """One backup, how long it took, and the trades acknowledged before and sent until its end."""

    path: Path
    seconds: float
    before: list[int]
    after: list[int]


def made_while_pushing(opened: Opened, folder: Path, pushers: list[Pusher]) -> list[Made]:
    """Return backups that were made one after another, at no particular moments."""
    backups = Backups(Settings(data_dir=folder), opened.store)
    made = []
    try:
        for number in range(BACKUPS):
            time.sleep(0.05 * (number % 4))
            before = [pusher.acknowledged for pusher in pushers]
            start = time.perf_counter()
            path = backups.start().result(120).path
            seconds = time.perf_counter() - start
            made.append(Made(path, seconds, before, [pusher.sent for pusher in pushers]))
    finally:
        backups.close()
    return made


def test_twenty_backups_under_full_ingest(
    opened: Opened,
    tmp_path: Path,
    report: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Everything acknowledged before is in it, nothing sent after; trades equal candles."""
    caplog.set_level("INFO", "appliance.store.backup")
    pushers = [Pusher(opened, symbol) for symbol in ("ONE", "TWO")]
    stop = threading.Event()
    reorganizer = Reorganizer(opened, stop)
    for pusher in pushers:
        pusher.push()

    def run(push: Callable[[], None]) -> None:
        while not stop.is_set():
            push()

    begun = time.perf_counter()
    with ThreadPoolExecutor(3) as threads:
        pushes = [reorganizer.push, *(pusher.push for pusher in pushers)]
        runs = [threads.submit(run, push) for push in pushes]
        try:
            made = made_while_pushing(opened, tmp_path, pushers)
            assert not any(each.done() for each in runs), "ingest went on"
        finally:
            stop.set()
    ran = time.perf_counter() - begun
    stored = sum(pusher.acknowledged for pusher in pushers)
    each_s = statistics.median(each.seconds for each in made)
    report(
        f"{BACKUPS} backups in {ran:.1f} s, {each_s:.2f} s each (median), while {stored:,} trades "
        f"({stored / ran:,.0f}/s) and {reorganizer.retractions} retractions were stored; the last "
        f"archive has {made[-1].path.stat().st_size:,} bytes"
    )
    times = [seconds for pusher in pushers for seconds in pusher.times]
    report(f"a batch of {BATCH:,}: {_milliseconds(times)}")
    waits = re.findall(r"inserts waited ([0-9]+) ms", caplog.text)
    report(f"inserts waited {_milliseconds([int(found) / 1e3 for found in waits])}")
    restored_two_by_two(made, tmp_path / "elsewhere", report)


def _milliseconds(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:.0f} ms (median), at most {max(seconds) * 1e3:.0f}"


def restored_two_by_two(made: list[Made], folder: Path, report: Callable[[str], None]) -> None:
    """Restore each archive in a process of its own, two side by side, and look what is in it."""
    seconds = []
    for pair in (made[i : i + 2] for i in range(0, len(made), 2)):
        targets = [folder / each.path.name for each in pair]
        begun = time.perf_counter()
        words = [
            command("restore", each.path, "--data-dir", target)
            for each, target in zip(pair, targets, strict=True)
        ]
        for code, said in outcomes(words):
            assert (0, True) == (code, "; candles equal trades: " in said), said
        seconds.append(time.perf_counter() - begun)
        for each, rows in zip(pair, ask(targets, NUMBERS), strict=True):
            _assert_a_moment(each, rows)
        for target in targets:
            shutil.rmtree(target)
    report(
        f"{len(made)} restored with candles equal to trades, every acknowledged trade once, whole "
        f"commits only; {statistics.median(seconds):.1f} s for two side by side"
    )


def _assert_a_moment(made: Made, rows: list[list[Any]]) -> None:
    held = 0
    for (_, count, ids, highest), least, most in zip(rows, made.before, made.after, strict=True):
        assert (count, count - 1, 0) == (ids, highest, count % BATCH)
        assert least <= count <= most
        held += count
    assert archive.manifest_of(made.path).trades - held in {0, 50, 100}
