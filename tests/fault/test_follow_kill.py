"""`kill -9` of a server that follows a chain, in the backfill and at the head, with reorgs between.

While the server is down the chain goes on, and often loses blocks that were stored. After each
restart and catching up, the data directory is copied from under the stopped server and compared
with what the chain holds by then: every trade once, every candle of every stored interval.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import chain_oracle
from tests.anvil import Anvil, Contract, Request
from tests.following_proof import assert_directory
from tests.processes import PATIENCE_S, Server
from tests.reorgs import Miner, replace_blocks

MARKETS = 5
DEEPEST = 60
HISTORY = 300
LONGEST_S = 0.8
AT_HEAD = "followed up to block"
Report = Callable[[str], None]


@dataclass
class Kills:
    """A chain, the server that follows it, and what was seen."""

    node: Anvil
    data_dir: Path
    seed: str
    kills: int = 0
    starting: int = 0
    backfilling: int = 0
    reorgs: int = 0
    trades: int = 0
    highest: int = 0
    _bursts: int = field(default=0)

    def __post_init__(self) -> None:
        """Give the chain its history, and start the server."""
        self.random = random.Random(self.seed)
        token = self.node.deploy("TextToken", "US Dollar", "USDC", 6)
        self.factory: Contract = self.node.deploy("VammFactory", token.address)
        self.factory.transact("createMarkets", "M", MARKETS)
        self.floor = self.node.head
        self._grow(HISTORY)
        self.server = self._start()

    def work(self, number: int) -> list[Request]:
        """Return what a block holds; seeds are not repeated by a reorg."""
        self._bursts += 1
        return [self.factory.request("burstAll", self._bursts, 6)]

    def _grow(self, blocks: int) -> None:
        self.node.mine_each(request for n in range(blocks) for request in self.work(n))

    def _start(self) -> Server:
        return Server(
            self.data_dir,
            "--no-demo",
            RPC_URL=self.node.url,
            WS_RPC_URL=f"ws://127.0.0.1:{self.node.port}",
            FACTORY_ADDRESS=self.factory.address,
            PRESET="vamm",
            CONFIRMATION_BLOCKS="8",
            RPC_MAX_RETRIES="1",
        )

    def once(self) -> None:
        """Kill at a random moment, change the chain, start, catch up, compare."""
        with Miner(self.node, self.work, pause_s=0.02):
            self.server.until(self.random.choice(("", "ready at", "ready at", AT_HEAD)))
            time.sleep(self.random.uniform(0.0, LONGEST_S))
            self.server.end(signal.SIGKILL)
            self.kills += 1
            self.starting += "ready at" not in self.server.log
            self.backfilling += AT_HEAD not in self.server.log
        if self.random.random() < 0.7:
            self._reorganize()
        if self.random.random() < 0.7:  # so much that ranges are read again
            self._grow(self.random.randint(40, 120))
        self.server = self._start()

    def _reorganize(self) -> None:
        self.highest = max(self.highest, self.node.head)
        depth = min(self.random.randint(1, DEEPEST), self.node.head - self.floor)
        replace_blocks(self.node, depth, self.work, self.random.randrange(10**6))
        self.reorgs += 1

    def compare(self) -> None:
        """Let the server catch up, and compare what it has stored."""
        self.node.mine(max(1, self.highest + 1 - self.node.head))  # not as high as what is gone
        self._until_at(self.node.head)
        copy = self.data_dir.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        os.kill(self.server.process.pid, signal.SIGSTOP)
        shutil.copytree(self.data_dir, copy, symlinks=True)
        os.kill(self.server.process.pid, signal.SIGCONT)
        expected = chain_oracle.read(self.node, [self.factory.address])
        told = f"seed {self.seed}, kill {self.kills}"
        self.trades = assert_directory(copy, expected, told)

    def _until_at(self, number: int) -> None:
        self.server.until("ready at")
        deadline = time.monotonic() + PATIENCE_S
        while True:
            parts = self.server.ask("/health/ready")[1]["parts"]
            chain: dict[str, Any] = next((s for s in parts if s["name"].startswith("chain")), {})
            if (chain.get("state"), chain.get("block")) == ("live", number):
                return
            assert time.monotonic() < deadline, (chain, self.server.log)
            time.sleep(0.02)


@pytest.fixture
def killing(anvil: Anvil, tmp_path: Path) -> Iterator[Callable[[], Kills]]:
    """Start a chain and its server; both end with the test."""
    started: list[Kills] = []

    def start() -> Kills:
        seed = os.environ.get("FAULT_SEED") or str(random.SystemRandom().randrange(10**6))
        print(f"FAULT_SEED={seed}")
        started.append(Kills(anvil, tmp_path / "data", seed))
        return started[-1]

    yield start
    for each in started:
        each.server.kill()


def _run(kills: Kills, count: int, every: int, report: Report) -> None:
    """Kill `count` times, and compare after every so many restarts."""
    begun = time.monotonic()
    for number in range(1, count + 1):
        kills.once()
        if number % every == 0 or number == count:
            kills.compare()
    report(
        f"{kills.kills} kills, {kills.backfilling} of them before the head was reached and "
        f"{kills.starting} of these while starting, in {time.monotonic() - begun:.0f} s "
        f"(seed {kills.seed})"
    )
    report(
        f"  {kills.reorgs} reorgs while it was down; {kills.node.head:,} blocks, {kills.trades:,} "
        "trades: none lost, none twice, 0 candles unequal"
    )


def test_few_kills(killing: Callable[[], Kills], quiet: Report) -> None:
    """The short form of the next."""
    _run(killing(), 3, 3, quiet)


@pytest.mark.fault
def test_kills(killing: Callable[[], Kills], report: Report) -> None:
    """Nothing is lost or doubled, whenever the server dies and whatever the chain did meanwhile."""
    _run(killing(), int(os.environ.get("FAULT_KILLS", "20")), 2, report)
