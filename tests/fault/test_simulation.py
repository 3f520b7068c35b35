"""Thousands of short histories in which everything goes wrong; in the end all is as it must be.

Sources repeat themselves, deliver late and out of order, and reorganize up to 300 blocks; the
engine fails before, after and in the middle of what it does; the process is stopped, killed
between any two calls, and loses power. Then the trades, every candle of every stored interval, the
marks and the source's progress are what plain Python makes of the sources. `FAULT_SEED=n` runs one
history again.
"""

import os
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pytest

from appliance.interval import STORED
from appliance.model import Attached, Checkpoint, Mark, MarketSpec
from appliance.store import checkpoints
from appliance.store.store import Store
from tests.fault.chain import Batch, Chain, Feed
from tests.fault.world import World, state
from tests.oracle import T, candles, exact, table

SHORT: Final = 30
LONG: Final = int(os.environ.get("FAULT_SEEDS", "2000"))
_TRADES: Final = """
SELECT symbol, sequence, tie, price, base_volume, side, kind
FROM trades INNER JOIN (SELECT market_id, symbol FROM markets FINAL) AS known USING (market_id)
WHERE symbol IN {symbols:Array(String)}
ORDER BY symbol, sequence, tie
"""
_CANDLES: Final = """
SELECT symbol, interval, toInt64(toUnixTimestamp(bucket)) AS start, argMinMerge(open), max(high),
    min(low), argMaxMerge(close), sum(base_volume), sum(buy_volume), sum(trades), sum(rows)
FROM candles INNER JOIN (SELECT market_id, symbol FROM markets FINAL) AS known USING (market_id)
WHERE symbol IN {symbols:Array(String)}
GROUP BY symbol, interval, start
ORDER BY symbol, interval, start
"""
_MARKS: Final = """
SELECT symbol, sequence, value
FROM (SELECT * FROM marks FINAL) AS marks
INNER JOIN (SELECT market_id, symbol FROM markets FINAL) AS known USING (market_id)
WHERE symbol IN {symbols:Array(String)}
ORDER BY symbol, sequence
"""
Report = Callable[[str], None]


class Progress:
    """How far the sources of a history have come, as they say with what they send."""

    def __init__(self, history: str) -> None:
        """Remember it under the name of the history."""
        self.history = history
        self.steps = 0

    def next(self) -> tuple[Checkpoint, ...]:
        """Return what comes with the next batch or retraction."""
        self.steps += 1
        return (Checkpoint("simulation", self.history, str(self.steps)),)


def submission(batch: Batch, progress: tuple[Checkpoint, ...]) -> tuple[Any, ...]:
    """Return a batch as the writer takes it: each trade in a block has a mark beside it."""
    specs = tuple(dict.fromkeys(spec for spec, _ in batch))
    rows = table([trade for _, trade in batch])
    ids = pa.array([specs.index(spec) for spec, _ in batch], pa.uint32())
    marks = tuple(
        Mark(specs.index(s), t.time_us, t.sequence, "note", t.price or 0.0, "", s.chain_id, t.block)
        for s, t in batch
        if t.block
    )
    attached = Attached(marks, progress)
    return rows.set_column(0, rows.schema.field(0), ids), specs, False, attached


def store_all(world: World, batches: list[Batch], progress: Progress) -> None:
    """Have all batches acknowledged; they wait together, so that they may go into one commit."""
    ready = [submission(batch, progress.next()) for batch in batches]

    def begin(store: Store) -> Any:
        rest = threading.Event()
        held = store.writer.call(lambda _: rest.wait(10))
        futures = [store.writer.submit(*each) for each in ready]
        rest.set()
        return [held, *futures]

    world.until_done(begin)


def retract(world: World, chain: Chain, block: int, progress: Progress) -> None:
    """Take the chain's blocks back."""
    step = progress.next()
    world.until_done(lambda store: [store.writer.retract(chain.id, block, step)])


def history(world: World, seed: int) -> Counter[str]:
    """Let a history happen, and compare; return what happened how often."""
    world.begin(seed)
    dice = world.random
    world.client.rate = dice.choice((0.0, 0.01, 0.05))
    chain, feed = Chain(seed, dice), Feed(MarketSpec(f"FEED{seed}"), dice)
    chain.grow(dice.choice((3, 30, 350)))
    before = world.store.writer.trades_stored
    happened: Counter[str] = Counter()
    progress = Progress(f"{seed}")
    for _ in range(dice.randint(3, 7)):
        what = dice.choices(
            ("deliver", "feed", "reorg", "die soon", "stop", "kill", "power cut"),
            (6, 3, 3, 2, 1, 1, 1),
        )[0]
        happened[what] += 1
        _happen(world, what, chain, feed, progress)
        reached = checkpoints.read(world.client.client, "simulation").get(f"{seed}", "0")
        assert str(progress.steps) == reached, (what, f"FAULT_SEED={seed}")
    world.client.rate, world.client.calls_to_live = 0.0, -1
    store_all(world, chain.deliver(everything=True), progress)
    trades = [*chain.trades(), *feed.sent]
    compare(world, trades, f"FAULT_SEED={seed}")
    counted = sum(trade.kind != "mark" for _, trade in trades)
    assert before + counted == world.store.writer.trades_stored, f"FAULT_SEED={seed}"
    world.stop()
    return happened


def _happen(world: World, what: str, chain: Chain, feed: Feed, progress: Progress) -> None:
    if what == "deliver":
        chain.grow(world.random.randint(1, 40))
        store_all(world, chain.deliver(), progress)
    elif what == "feed":
        store_all(world, feed.deliver(), progress)
    elif what == "reorg":
        retract(world, chain, chain.reorg(), progress)
    elif what == "die soon":
        world.client.calls_to_live = world.random.randint(1, 25)
    else:
        {"stop": world.stop, "kill": world.kill, "power cut": world.cut_power}[what]()
        world.start()


def compare(world: World, trades: Batch, told: str) -> None:
    """Compare what is stored with what plain Python makes of the trades."""
    client = world.client.client
    by_market: dict[str, list[T]] = {}
    for spec, trade in trades:
        by_market.setdefault(spec.symbol, []).append(trade)
    expected = sorted(
        (s, t.sequence, t.tie, *_content(t)) for s, ts in by_market.items() for t in ts
    )
    assert expected == state(client, _TRADES, by_market), told
    marks = sorted((s.symbol, t.sequence, t.price or 0.0) for s, t in trades if t.block)
    assert marks == state(client, _MARKS, by_market), told
    made = [row for symbol in sorted(by_market) for row in _candles(symbol, by_market[symbol])]
    assert made == state(client, _CANDLES, by_market), told


def _content(trade: T) -> tuple[float | None, Decimal, str, str]:
    return trade.price, exact(trade.size), trade.side, trade.kind


def _candles(symbol: str, trades: list[T]) -> Iterator[tuple[Any, ...]]:
    for interval in STORED:
        rows = Counter(interval.floor(t.time_us // 10**6) for t in trades)
        for c in candles(trades, interval):
            prices = (c.open, c.high, c.low, c.close)
            volumes = (c.volume, c.buy_volume, c.trades)
            yield (symbol, interval.seconds, c.time, *prices, *volumes, rows[c.time])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Open one engine for all histories."""
    with pytest.MonkeyPatch.context() as patch:
        world = World(tmp_path_factory.mktemp("world"), patch)
        yield world
        world.close()


def _run(world: World, count: int, report: Report) -> None:
    first = random.SystemRandom().randrange(10**9)
    chosen = os.environ.get("FAULT_SEED")
    seeds = [int(chosen)] if chosen else range(first, first + count)
    happened: Counter[str] = Counter()
    took = []
    for seed in seeds:
        begun = time.perf_counter()
        try:
            happened += history(world, seed)
        except BaseException as error:
            error.add_note(f"FAULT_SEED={seed}")
            raise
        took.append(time.perf_counter() - begun)
    report(
        f"{len(took):,} histories in {sum(took):.0f} s, seeds {seeds[0]} to {seeds[-1]}, "
        f"{statistics.median(took) * 1e3:.0f} ms each at the median"
    )
    report("  " + ", ".join(f"{what} {n:,}" for what, n in sorted(happened.items())))
    report(
        f"  calls of the engine that failed: {world.client.failures:,}; kills in all: "
        f"{world.kills:,}, of them power cuts: {world.cuts:,}; starts: {world.starts:,}"
    )
    report("  in the end: 0 histories with a trade or candle unlike the oracle's")


def test_a_few_bad_histories_end_well(world: World, quiet: Report) -> None:
    """The short form of the next."""
    _run(world, SHORT, quiet)


@pytest.mark.fault
def test_every_bad_history_ends_well(world: World, report: Report) -> None:
    """The stored state is the one of a perfect world."""
    _run(world, LONG, report)
