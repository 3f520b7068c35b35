"""`kill -9` at random moments, while four writers push trades over HTTP until acknowledged.

Two number their trades, one gives blocks, one neither, but an `Idempotency-Key` for each request.

After each restart, before anything else is sent, the data directory is copied from under the
stopped server and read by another process: every acknowledged trade is there once, requests that
were on their way are there whole or not at all, nothing else is, and every candle of every stored
interval is what the trades make.
"""

import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from tests.fault import audit
from tests.fault.load import KEY, Gate, Writer, held, park, resume
from tests.processes import Server

NAMES: Final = ("GOLD", "IRON", "SALT", "POOL")
HEALED: Final = re.compile(r"journal: (\d+) entries applied again, (\d+) days mended")
TORN: Final = re.compile(r"journal: .* is torn")
LONGEST_S: Final = 1.5
Report = Callable[[str], None]


@dataclass
class Kills:
    """A server that is killed and started again, and what was seen."""

    data_dir: Path
    seed: str
    retracts: bool
    gate: Gate = field(default_factory=Gate)
    entries: int = 0
    days: int = 0
    torn: int = 0
    stored: int = 0
    lost: int = 0
    starts_killed: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.writers = [Writer(name, self.seed, self.gate, self.retracts) for name in NAMES]
        self.server = self._start()
        for writer in self.writers:
            writer.start()
        self._go_on()

    def _start(self) -> Server:
        return Server(self.data_dir, "--no-demo", API_KEYS=f"{KEY}:admin")

    def _go_on(self) -> None:
        self.server.until("ready at")
        self.gate.port = self.server.port
        resume(self.writers, self.gate)

    def once(self) -> None:
        """Kill, start, compare, and let the writers go on."""
        time.sleep(self.random.uniform(0.1, LONGEST_S))
        self.server.end(signal.SIGKILL)
        park(self.writers, self.gate)
        self._healed()
        self.server = self._start()
        if self.random.random() < 0.25:  # also while it heals
            time.sleep(self.random.uniform(0.3, LONGEST_S))
            self.server.end(signal.SIGKILL)
            self._healed()
            self.starts_killed += 1
            self.server = self._start()
        self.server.until("ready at")
        self._healed()
        self.compare()
        self._go_on()

    def _healed(self) -> None:
        for entries, days in HEALED.findall(self.server.log):
            self.entries, self.days = self.entries + int(entries), self.days + int(days)
        self.torn += len(TORN.findall(self.server.log))

    def compare(self) -> None:
        """Compare what is stored with what the writers know."""
        expected = held(self.writers)
        copy = self.data_dir.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        os.kill(self.server.process.pid, signal.SIGSTOP)
        shutil.copytree(self.data_dir, copy, symlinks=True)
        os.kill(self.server.process.pid, signal.SIGCONT)
        found = audit.report(copy, list(NAMES))
        told = f"seed {self.seed}"
        assert [0] * len(found["unequal"]) == found["unequal"].tolist(), told
        assert (0, 0) == (int(found["wrong"]), int(found["doubled"])), told
        for writer in self.writers:
            assert writer.failure is None, (writer.failure, told)
            self._compare(writer.name, found[writer.feed.name], expected[writer.feed.name], told)

    def _compare(self, name: str, found: Any, expected: Any, told: str) -> None:
        number, fork = found
        stored = np.full_like(expected[0], -1)
        stored[number] = fork
        before, after = ((stored == e).all() for e in expected)
        assert before or after, (name, *_difference(stored, expected), told)
        if (expected[0] != expected[1]).any():
            self.stored, self.lost = self.stored + bool(after), self.lost + bool(before)

    def end(self) -> None:
        """Stop everything."""
        self.gate.stopping = True
        self.server.kill()
        self.gate.open.set()
        for writer in self.writers:
            writer.join(60)


def _difference(stored: Any, expected: Any) -> tuple[str, str]:
    return tuple(  # type: ignore[return-value] # two
        f"missing {np.flatnonzero((e >= 0) & (stored < 0))[:9]}, "
        f"extra {np.flatnonzero((e < 0) & (stored >= 0))[:9]}, "
        f"other {np.flatnonzero((e >= 0) & (stored >= 0) & (e != stored))[:9]}"
        for e in expected
    )


@pytest.fixture
def killing(tmp_path: Path) -> Iterator[Callable[[bool], Kills]]:
    """Start a server and its writers; all end with the test."""
    started: list[Kills] = []

    def start(retracts: bool) -> Kills:
        seed = os.environ.get("FAULT_SEED") or str(random.SystemRandom().randrange(10**6))
        print(f"FAULT_SEED={seed}")
        started.append(Kills(tmp_path / "data", seed, retracts))
        return started[-1]

    yield start
    for each in started:
        each.end()


def _run(kills: Kills, count: int, report: Report) -> None:
    begun = time.monotonic()
    for _ in range(count):
        kills.once()
    counts = kills.gate.counts
    assert counts.trades > 0
    report(
        f"{count} kills while writing and {kills.starts_killed} while starting, in "
        f"{time.monotonic() - begun:.0f} s (seed {kills.seed})"
    )
    report(
        f"  {counts.trades:,} trades acknowledged in {counts.requests:,} requests, "
        f"{counts.retractions:,} of them retractions; {counts.again:,} had to be sent again"
    )
    report(
        f"  requests on their way at a kill: {kills.stored} stored whole, {kills.lost} not at all"
    )
    report(
        f"  healed by the next start: {kills.entries} journal entries applied again, "
        f"{kills.days} days of candles mended, {kills.torn} torn entries dropped"
    )
    report("  after each restart: 0 trades lost, doubled or changed; 0 candles unequal")


@pytest.mark.parametrize("retracts", [False, True])
def test_few_kills(killing: Callable[[bool], Kills], retracts: bool, quiet: Report) -> None:
    """The short form of the next."""
    _run(killing(retracts), 2, quiet)


@pytest.mark.fault
@pytest.mark.parametrize("retracts", [False, True])
def test_kills(killing: Callable[[bool], Kills], retracts: bool, report: Report) -> None:
    """Nothing acknowledged is lost or doubled, no candle differs, also with retractions."""
    kills = killing(retracts)
    _run(kills, int(os.environ.get("FAULT_KILLS", "30")), report)
    assert retracts == (kills.gate.counts.retractions > 0)
