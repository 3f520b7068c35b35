"""What readers are told when history changes: resets, then the bars as the store holds them."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import interval
from appliance.metrics import Metrics
from appliance.model import Market, MarketSpec, Reason, Revision
from appliance.streaming.message import Form
from tests.conftest import Opened
from tests.live_oracle import (
    FAKE,
    GOLD,
    NOON,
    WETH,
    Deal,
    Eager,
    Pen,
    Wire,
    World,
    candles,
    deal,
    streams_of,
)
from tests.oracle import T, table

BLOCK = 1 << 20
TOPIC = "gold@kline_1m"


def resets(world: World, topic: str) -> list[tuple[int, int, str]]:
    """Return (from, to, reason) of the resets of a topic, in seconds after NOON."""
    told = [event for event in world.events.get(topic, []) if event["e"] == "reset"]
    return [(e["from"] // 1000 - NOON, e["to"] // 1000 - NOON, e["reason"]) for e in told]


def kinds(world: World, topic: str) -> list[str]:
    return [event["e"] for event in world.events.get(topic, [])]


def hello(world: World) -> World:
    world.client.form = Form.EXTENDED
    return world


async def gone(world: World, market: Market, sequence: int, reason: Reason = "reorg") -> None:
    """Retract trades, tell live, and forget what was published before."""
    await world.collect()
    world.events.clear()
    world.store.retract(market, sequence, reason)
    world.tell()
    await world.settle()


def at(second: float) -> int:
    """Return the sequence of a trade of GOLD at this second after NOON."""
    return int((NOON + second) * 1_000_000)


async def test_the_newest_bars_vanish_and_the_one_before_is_the_last_again() -> None:
    """The reset comes first; what is gone is never closed later."""
    async with World() as world:
        world.stored(deal(1, 10.0), deal(61, 11.0), deal(121, 12.0))
        await hello(world).watch(TOPIC)
        await gone(world, GOLD, at(61))
        assert kinds(world, TOPIC) == ["reset", "kline"]
        [event] = [e for e in world.events[TOPIC] if e["e"] == "reset"]
        start = (NOON + 60) * 1000
        expected = {"e": "reset", "E": NOON * 1000, "s": "GOLD", "i": "1m", "from": start}
        assert event == expected | {"to": start + 120_000, "reason": "reorg", "u": 2}
        assert world.bars(TOPIC) == [(0, "10", False)]
        (newest,) = world.live.newest(TOPIC)
        assert b'"c":"10"' in newest.payload
        await world.at(500)
        assert world.bars(TOPIC)[1:] == [(0, "10", True)]


async def test_trades_after_a_retraction_are_merged_into_what_is_left() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(2, 11.0), deal(3, 99.0))
        await hello(world).watch(TOPIC)
        await gone(world, GOLD, at(3))
        assert world.bars(TOPIC) == [(0, "11", False)]
        reads = world.store.reads
        await world.add(deal(4, 12.0))
        assert world.store.reads == reads
        k = world.events[TOPIC][-1]["k"]
        assert (k["h"], k["c"], k["n"]) == ("12", "12", 3)


async def test_a_market_that_loses_everything_has_no_bar() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(61, 11.0))
        await hello(world).watch(TOPIC)
        await gone(world, GOLD, at(0))
        assert (resets(world, TOPIC), world.bars(TOPIC)) == ([(0, 120, "reorg")], [])
        assert world.live.newest(TOPIC) == []
        await world.add(deal(62, 5.0))
        assert world.bars(TOPIC) == [(60, "5", False)]


async def test_plain_clients_get_the_revised_bars_and_no_reset() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(61, 11.0))
        await world.watch(TOPIC)
        await gone(world, GOLD, at(61))
        assert kinds(world, TOPIC) == ["kline"]
        assert world.bars(TOPIC) == [(0, "10", False)]


async def test_every_watched_interval_is_told_in_its_own_buckets() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(3_700, 11.0), deal(3_800, 12.0))
        topics = [f"gold@kline_{name}" for name in ("7s", "1h", "1M")]
        await hello(world).watch(*topics)
        await gone(world, GOLD, at(3_750))
        for topic, name in zip(topics, ("7s", "1h", "1M"), strict=True):
            length = interval.parse(name)
            start = length.floor(NOON + 3_800)
            expected = (start - NOON, length.shift(start, 1) - NOON, "reorg")
            assert resets(world, topic) == [expected]


async def test_other_markets_hear_nothing() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(1, 5.0, 7 * BLOCK, market=FAKE))
        await hello(world).watch(TOPIC)
        await gone(world, FAKE, 0)
        assert world.events == {}


async def test_bars_that_only_retracted_blocks_had_closed_form_again() -> None:
    """And are closed by the blocks that come instead."""
    topic = "wethusdc@kline_1m"
    async with World() as world:
        world.stored(*(deal(s, s + 1.0, b * BLOCK, market=WETH) for b, s in ((1, 1), (2, 70))))
        world.live.processed(1, NOON + 130)
        await hello(world).watch(topic)
        await gone(world, WETH, 2 * BLOCK)
        assert world.bars(topic) == [(0, "2", False)]
        await world.add(deal(30, 5.0, 2 * BLOCK, market=WETH))
        await world.add(deal(65, 6.0, 3 * BLOCK, market=WETH))
        assert world.bars(topic)[1:] == [(0, "5", False), (0, "5", True), (60, "6", False)]
        assert resets(world, topic) == [(60, 120, "reorg")]


async def test_of_a_wide_range_the_newest_hundred_bars_are_sent() -> None:
    topic = "gold@kline_1s"
    async with World() as world:
        world.stored(*(deal(second, 10.0 + second) for second in range(800)), deal(2_000, 9.0))
        await hello(world).watch(topic)
        world.store.revise(Revision(1, NOON + 100, NOON + 499, "repair"))
        await world.collect()
        world.events.clear()
        world.tell()
        await world.settle()
        sent = [second for second, _, _ in world.bars(topic)]
        assert sent == list(range(400, 500))
        assert resets(world, topic) == [(100, 500, "repair")]


async def test_flat_bars_after_a_revised_one_are_part_of_the_range() -> None:
    """Volume without a price stands at the last close, which has changed."""
    async with World() as world:
        world.stored(deal(1, 10.0), deal(2, 12.0), deal(61, None), deal(121, 20.0))
        await hello(world).watch(TOPIC)
        await world.at(300)
        world.store.deals = [d for d in world.store.deals if d.price != 12.0]
        world.store.revise(Revision(1, NOON + 2, NOON + 2, "repair"))
        world.events.clear()
        world.tell()
        await world.settle()
        assert resets(world, TOPIC) == [(0, 120, "repair")]
        assert world.bars(TOPIC) == [(0, "10", True), (60, "10", True)]


async def test_a_late_trade_that_changes_a_closed_bar_is_told_before_the_bar() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(61, 11.0), deal(121, 12.0))
        await hello(world).watch(TOPIC)
        await world.at(125)
        world.events.clear()
        await world.add(deal(5, 13.0))
        assert kinds(world, TOPIC) == ["reset", "kline"]
        assert resets(world, TOPIC) == [(0, 60, "late_trade")]
        assert world.bars(TOPIC) == [(0, "13", True)]


async def test_a_late_trade_that_makes_a_bar_is_told_too() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(121, 12.0))
        await hello(world).watch(TOPIC)
        await world.at(125)
        world.events.clear()
        await world.add(deal(65, 13.0))
        assert resets(world, TOPIC) == [(60, 120, "late_trade")]
        assert world.bars(TOPIC) == [(60, "13", True)]


async def test_a_trade_that_is_merged_into_a_closed_bar_is_told_before_it() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(2, 11.0))
        await hello(world).watch(TOPIC)
        await world.at(61)
        world.events.clear()
        await world.add(deal(3, 12.0))
        assert kinds(world, TOPIC) == ["reset", "kline"]
        assert resets(world, TOPIC) == [(0, 60, "late_trade")]


async def test_trades_in_any_order_within_open_bars_reset_nothing() -> None:
    async with World() as world:
        world.stored(deal(30, 10.0), deal(61, 11.0))
        await world.at(60.5)
        await hello(world).watch(TOPIC)
        await world.add(deal(60.2, 12.0))
        await world.add(deal(20, 13.0))
        assert (resets(world, TOPIC), world.bars(TOPIC)[-1][0]) == ([], 0)


async def test_a_commit_that_outruns_the_bars_that_are_sent_is_told_whole() -> None:
    """300 new bars at once: the newest hundred are sent, the others can be read."""
    topic = "gold@kline_1s"
    async with World() as world:
        world.stored(deal(0, 10.0))
        await hello(world).watch(topic)
        world.events.clear()
        await world.add(*(deal(second + 0.5, 5.0) for second in range(300)))
        assert resets(world, topic) == [(0, 300, "late_trade")]
        assert [second for second, _, _ in world.bars(topic)] == list(range(200, 300))


async def test_an_import_is_one_reset_without_its_bars() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(600, 11.0))
        await hello(world).watch(TOPIC)
        world.events.clear()
        await world.add(*(deal(second, 5.0) for second in range(65, 500, 60)), bulk=True)
        assert resets(world, TOPIC) == [(60, 540, "import")]
        assert world.bars(TOPIC) == []


async def test_an_import_up_to_now_corrects_the_forming_bar() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(600, 11.0))
        await hello(world).watch(TOPIC)
        world.events.clear()
        await world.add(*(deal(second, 5.0) for second in range(65, 700, 60)), bulk=True)
        assert resets(world, TOPIC) == [(60, 720, "import")]
        assert world.bars(TOPIC) == [(600, "5", False), (660, "5", False)]
        await world.add(deal(670, 6.0))
        assert world.bars(TOPIC)[-1] == (660, "6", False)


async def test_what_a_failing_store_could_not_show_is_told_when_it_can() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(61, 11.0))
        await hello(world).watch(TOPIC)
        world.store.failures = 3
        with _quiet():
            await gone(world, GOLD, at(61))
            assert world.events == {}
            for _ in range(8):
                await world.at(3)
        assert resets(world, TOPIC) == [(60, 120, "reorg")]
        assert world.bars(TOPIC) == [(0, "10", False)]


async def test_what_waits_too_long_is_told_whole() -> None:
    """Commits are forgotten when too many wait, what they revised is not."""
    async with World() as world:
        world.stored(*(deal(60 * n + 1, 10.0) for n in range(10)))
        await hello(world).watch(TOPIC)
        world.store.failures = 1
        with _quiet():
            await gone(world, GOLD, at(541))
            world.store.commit(deal(130, 13.0))
            for second in range(100):
                world.store.commit(deal(600 + second, 20.0))
            world.tell()
            await world.at(700)
        late, reorg = sorted(resets(world, TOPIC))
        assert (late, reorg[0], reorg[2]) == ((120, 180, "late_trade"), 540, "reorg")
        shown = {second: close for second, close, _ in world.bars(TOPIC)}
        assert shown == {120: "13", 480: "10", 600: "20", 660: "20"}


async def test_a_revision_that_is_told_while_another_is_read_is_read_too() -> None:
    """The store was ahead of the news: both revisions were in the first answer's number."""
    topic = "gold@kline_1s"
    async with World() as world:
        world.stored(*(deal(second, 10.0 + second) for second in range(300)), deal(2_000, 9.0))
        await hello(world).watch(topic)
        world.events.clear()
        for first in (10, 60):
            world.store.revise(Revision(1, NOON + first, NOON + first + 9, "repair"))
        world.store.turns = 3
        world.tell(1)
        await world.turn(6)
        world.tell()
        await world.settle()
        assert resets(world, topic)[-1][1] == 70
        assert {*range(10, 20), *range(60, 70)} <= {second for second, _, _ in world.bars(topic)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Let live fail without a word: the failures are meant."""
    log = logging.getLogger("appliance.streaming.live")
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(logging.NOTSET)


# -- the law --


class Reader:
    """A client that said HELLO: it keeps what it is sent, and reads again what a reset names."""

    def __init__(self, world: World, market: Market, name: str) -> None:
        self.length = interval.parse(name)
        self.topic = f"{market.plain_symbol.lower()}@kline_{name}"
        self.world, self.market = world, market
        self.bars: dict[int, Any] = {}
        self.taken = 0
        self.read(0, 1 << 40)

    def read(self, first: int, end: int) -> None:
        stored = candles(self.world.store.of(self.market), self.length)
        self.bars = {t: bar for t, bar in self.bars.items() if not first <= t < end}
        rows = zip(stored.time, stored.open, stored.high, stored.low, stored.close, strict=True)
        self.bars |= {t: prices for t, *prices in rows if first <= t < end}

    async def follow(self) -> None:
        await self.world.collect()
        events = self.world.events.get(self.topic, [])
        for event in events[self.taken :]:
            if event["e"] == "reset":
                self.read(event["from"] // 1000, event["to"] // 1000)
            else:
                k = event["k"]
                self.bars[k["t"] // 1000] = [float(k[name]) for name in "ohlc"]
        self.taken = len(events)


_STEPS = st.sampled_from(
    [*["write"] * 6, *["retract"] * 3, "bulk", *["tell"] * 3, "turn", "rest", "at", "fail", "read"]
)
Step = tuple[str, Any]


@st.composite
def _histories(draw: st.DrawFn) -> tuple[Market, list[Step]]:
    """A market, and what happens to it."""
    market = draw(st.sampled_from([GOLD, WETH, FAKE]))
    pen = Pen(draw, market)
    steps: list[Step] = []
    for kind in draw(st.lists(_STEPS, min_size=4, max_size=25)):
        if kind in ("write", "bulk"):
            steps.append((kind, [pen.write() for _ in range(draw(st.integers(1, 4)))]))
        elif kind == "retract":
            newest: list[Deal] = [d for _, s in steps if isinstance(s, list) for d in s]
            if newest:
                steps.append((kind, draw(st.sampled_from(newest)).sequence))
        else:
            steps.append((kind, draw(st.integers(1, 600 if kind == "at" else 3))))
    return market, steps


async def _do(world: World, market: Market, readers: list[Reader], step: Step) -> None:
    kind, what = step
    if kind in ("write", "bulk"):
        world.now = max(world.now, *(d.time / 1_000_000 for d in what))
        world.store.commit(*what, bulk=kind == "bulk")
    elif kind == "retract":
        world.store.retract(market, what)
    elif kind == "tell":
        world.tell(what)
    elif kind == "turn":
        await world.turn(what)
    elif kind == "read":
        for reader in readers:
            await reader.follow()
    elif kind == "rest":
        world.tell()
        await world.at(world.now - NOON)
    elif kind == "at":
        world.now = max(world.now, NOON + float(what))
        world.live.tick()
    else:
        world.store.failures += what


async def _play(market: Market, steps: list[Step], before: int) -> list[Reader]:
    """Return the readers, who begin after `before` steps, once all is told."""
    async with World() as world:
        readers: list[Reader] = []
        for number, step in enumerate(steps):
            if number == before:
                world.tell()  # a page reads what is stored, then watches
                readers = [Reader(world, market, name) for name in ("1s", "7s", "1m", "1h")]
                world.store.turns = 2
                for reader in readers:
                    world.hub.subscribe(hello(world).client, reader.topic)
            await _do(world, market, readers, step)
        world.tell()
        for _ in range(60):
            await world.at(10**6)
        for reader in readers:
            await reader.follow()
        return readers


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_histories(), st.integers(0, 5))
def test_who_reads_again_what_resets_name_holds_what_the_store_holds(
    history: tuple[Market, list[Step]], before: int
) -> None:
    """Bar by bar: none is missing, none is left over, none is old."""
    market, steps = history
    with _quiet():
        readers = asyncio.run(_play(market, steps, before))
    for reader in readers:
        kept = dict(reader.bars)
        reader.read(0, 1 << 40)
        assert kept == reader.bars


# -- with the store --


async def test_a_reorg_in_the_store_reaches_a_reader(opened: Opened) -> None:
    """Commit, candles, retraction and stream by the real parts."""
    pool = MarketSpec("POOL", exchange="DEMO", chain_id=7, contract="0x" + "ab" * 20, order="chain")
    ingest, hub = opened.ingest(), Eager(Metrics())
    opened.store.writer._commits._publish = ingest.publish
    streams = streams_of(opened.datafeed(), hub, lambda: NOON)
    ingest.subscribe(streams.on_commit)
    trades = [T((NOON - 100 + b) * 10**6, 10.0 + b, 10**18, block=b) for b in range(1, 100)]
    await ingest.submit(table(trades), [pool], "test")
    wire = Wire()
    client = hub.connect(wire, Form.EXTENDED)
    task = asyncio.create_task(streams.run())
    try:
        hub.subscribe(client, "pool@kline_1s")
        assert b'"c":"109"' in (await _taken(wire))[0]
        await ingest.retract(7, 97)
        told = await _taken(wire)
        while len(told) < 2:
            told += await _taken(wire)
        assert b'"reason":"reorg"' in told[0]
        assert b'"c":"106"' in told[1]
        assert len(told) == 2
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _taken(wire: Wire) -> list[bytes]:
    for _ in range(1_000):
        if wire.data:
            break
        await asyncio.sleep(0.01)
    return wire.taken()


@pytest.mark.parametrize("bulk", [False, True])
async def test_imports_are_committed_apart_from_what_is_live(opened: Opened, bulk: bool) -> None:
    """What waits together is one commit, unless only one of them is history."""
    ingest = opened.ingest()
    tasks = [
        asyncio.create_task(
            ingest.submit(
                table([T((NOON + n) * 10**6, 5.0, 10**18, trade_id=str(n))]),
                [MarketSpec("GOLD")],
                "test",
                bulk=bulk and n == 1,
            )
        )
        for n in range(3)
    ]
    await asyncio.gather(*tasks)
    assert {commit.bulk for commit in opened.commits} == {False, bulk}
    for commit in opened.commits:
        assert not commit.bulk or commit.trades.num_rows == 1
