"""Calendars, clocks and crowds.

Batches across every boundary, a clock that runs backwards, and many writers at once.
"""

import itertools
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from appliance.interval import STORED
from appliance.model import Attached, Checkpoint, MarketSpec
from appliance.store import checkpoints
from tests.conftest import Opened, Opener
from tests.fault.chain import Batch
from tests.fault.test_simulation import Progress, compare, history, store_all, submission
from tests.fault.world import World, state
from tests.oracle import T, table

CHAIN: Final = 7
POOL = MarketSpec("POOL", chain_id=CHAIN, contract="0x" + "7" * 40, order="chain")
FEED = MarketSpec("FEED")
WRITERS, EACH = 64, 5


class Backwards:
    """A clock that is put back by an hour, or ahead by half of one, whenever somebody looks."""

    def __init__(self) -> None:
        self._steps = itertools.count()

    def time_ns(self) -> int:
        """Return the time."""
        step = next(self._steps)
        return (1_750_000_000 - 3_600 * step + 1_800 * (step % 2)) * 10**9

    def time(self) -> float:
        """Return the time in seconds."""
        return self.time_ns() / 1e9


@pytest.fixture
def backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the clock run backwards, between commits and during them."""
    clock = Backwards()
    monkeypatch.setattr("time.time", clock.time)
    monkeypatch.setattr("time.time_ns", clock.time_ns)


@pytest.mark.usefixtures("backwards")
def test_the_newest_word_counts_while_the_clock_runs_backwards(open_store: Opener) -> None:
    """Of a market and of a checkpoint the last version wins, over restarts and a retraction."""
    for number in range(4):
        opened = open_store()
        if number:
            assert _expected(number - 1) == _known(opened)
        spec = MarketSpec(
            POOL.symbol,
            chain_id=CHAIN,
            contract=POOL.contract,
            order="chain",
            price_decimals=number,
        )
        attached = Attached((), (Checkpoint("edges", "step", str(number)),))
        rows = table([T((1_749_000_000 + number) * 10**6, 1.0, 10**18, block=number + 1)])
        opened.store.writer.submit(rows, (spec,), attached=attached).result(60)
        opened.store.writer.retract(CHAIN, 1 if number % 2 else number + 2).result(60)
        assert _expected(number) == _known(opened)
        opened.store.close()


def _expected(number: int) -> tuple[int, str, str]:
    """Return price digits, status and checkpoint: every second step retracts all trades."""
    return number, "empty" if number % 2 else "active", str(number)


def _known(opened: Opened) -> tuple[Any, ...]:
    market = opened.store.catalogue.all()[0]
    found = opened.store.writer.call(lambda client: checkpoints.read(client, "edges")).result(60)
    return market.spec.price_decimals, market.status, found.get("step")


def test_many_small_writers_share_commits(opened: Opened) -> None:
    """64 of them wait about as long as one alone does, each with a market of its own."""
    alone = _latencies(opened, 0, 20)
    commits = opened.store.writer.finished
    with ThreadPoolExecutor(WRITERS) as pool:
        gate = threading.Barrier(WRITERS)
        rounds = pool.map(lambda n: _latencies(opened, n, EACH, gate), range(1, WRITERS + 1))
        together = [latency for each in rounds for latency in each]
    commits = opened.store.writer.finished - commits
    assert commits <= WRITERS * EACH / 8, commits
    ratio = statistics.median(together) / statistics.median(alone)
    print(f"{statistics.median(together) * 1e3:.0f} ms, {ratio:.1f} times as long as one alone")
    assert ratio < 10
    counted = opened.store.writer.call(
        lambda client: client.query("SELECT interval, sum(trades) FROM candles GROUP BY ALL")
    ).result(60)
    assert {(each.seconds, 20 + WRITERS * EACH) for each in STORED} == set(counted.result_rows)


def _latencies(
    opened: Opened, number: int, count: int, gate: threading.Barrier | None = None
) -> list[float]:
    """Return how many seconds each of some trades took, one after another."""
    if gate is not None:
        gate.wait(60)
    took = []
    for place in range(count):
        row = table([T((1_749_000_000 + place) * 10**6, 5.0, 10**18, trade_id=f"{place}")])
        begun = time.perf_counter()
        opened.store.writer.submit(row, (MarketSpec(f"M{number}"),)).result(60)
        took.append(time.perf_counter() - begun)
    return took


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Open one engine for all tests of this file that kill what uses it."""
    with pytest.MonkeyPatch.context() as patch:
        world = World(tmp_path_factory.mktemp("edges"), patch)
        yield world
        world.close()


def boundary(month: int) -> int:
    """Return the first microsecond of a month, counted from 2009-01."""
    year, index = divmod(month, 12)
    return int(datetime(2009 + year, index + 1, 1, tzinfo=UTC).timestamp()) * 10**6


def across(months: range) -> Batch:
    """Return trades of two markets around the first moment of each month, newest first.

    The last microsecond before and the first one after are in different buckets of every interval,
    also where a year, or February, ends.
    """
    trades: Batch = []
    for month in reversed(months):
        at = boundary(month)
        for number, time_us in enumerate((at - 1, at, at + 1)):
            block = (month + 1) * 10 + number
            price = 10.0 + month % 7 + number
            trades += [
                (POOL, T(time_us, price, 10**18 + month, "buy", "", block, number)),
                (FEED, T(time_us, price / 4, 10**17 + number, "sell", f"{month}-{number}")),
            ]
    return trades


def test_one_batch_across_two_hundred_months(world: World) -> None:
    """Killed at any of its steps, all of it is stored or nothing; then all of it, once."""
    for seed, calls in enumerate((3, 7, 12), 10**6):
        world.begin(seed)
        trades = across(range(seed % 2, 200))
        world.client.calls_to_live = calls
        outcome = world.store.writer.submit(*submission(trades, ()))
        acknowledged = outcome.exception(60) is None
        world.kill()
        world.start()
        stored = state(world.client.client, "SELECT count() FROM trades", ())[0][0]
        assert stored in ({len(trades)} if acknowledged else {0, len(trades)})
        store_all(world, [trades], Progress("edges"))
        compare(world, trades, f"killed after {calls} calls")
        world.stop()
        _empty(world)


def _empty(world: World) -> None:
    for name in ("trades", "candles", "markets", "marks"):
        world.client.client.command(f"TRUNCATE TABLE {name}")


@pytest.mark.usefixtures("backwards")
def test_histories_end_well_while_the_clock_runs_backwards(world: World) -> None:
    """Kills, power cuts, reorgs and replays do not depend on it."""
    for seed in range(8):
        history(world, 2 * 10**6 + seed)
