"""Bars that a reorg may still change say so, and are told once more when they are final."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance import interval
from appliance.model import Market
from appliance.streaming.series import PROVISIONAL_MAX
from tests.live_oracle import FAKE, GOLD, NOON, WETH, Deal, World, candles, deal

TOPIC = "wethusdc@kline_1m"
Told = tuple[int, bool, bool]


def block(number: int, second: float, price: float | None = 10.0, market: Market = WETH) -> Deal:
    return deal(second, price, number << 20 | 5, market=market)


def told(world: World, topic: str = TOPIC) -> list[Told]:
    """Return (second after NOON, closed, final) of the klines since last asked."""
    events = [event["k"] for event in world.events.pop(topic, []) if event["e"] == "kline"]
    assert all(k.get("final", False) is False for k in events)  # never "final": true
    return [(k["t"] // 1000 - NOON, k["x"], "final" not in k) for k in events]


async def test_a_closed_bar_is_told_again_when_it_is_final_and_then_no_more() -> None:
    async with World() as world:
        world.live.processed(1, NOON, 0)
        world.stored(block(1, 1))
        await world.watch(TOPIC)
        assert [(0, False, False)] == told(world)
        await world.add(block(2, 61))
        assert [(0, True, False), (60, False, False)] == told(world)
        world.live.processed(1, NOON + 61, 1)
        await world.at(62)
        assert [(0, True, True)] == told(world)
        world.live.processed(1, NOON + 130, 2)
        await world.at(63)
        assert [(60, True, True)] == told(world)
        world.live.processed(1, NOON + 500, 99)
        await world.at(64)
        assert [] == told(world)


async def test_a_forming_bar_that_becomes_final_waits_for_its_next_trade() -> None:
    """It is not over; but who comes new is told how it is."""
    async with World() as world:
        world.live.processed(1, NOON, 0)
        world.stored(block(1, 1))
        await world.watch(TOPIC)
        assert [(0, False, False)] == told(world)
        world.live.processed(1, NOON + 2, 1)
        await world.at(2)
        assert [] == told(world)
        (newest,) = world.live.newest(TOPIC)
        assert "final" not in msgspec.json.decode(newest.payload)["k"]


async def test_bars_that_readers_may_hold_are_told_too_though_nobody_watched_them_close() -> None:
    """The page came with them, as provisional; watching begins with the newest bar only."""
    async with World() as world:
        world.live.processed(1, NOON, 1)
        world.stored(*(block(n, 60 * n) for n in range(1, 7)))
        await world.watch(TOPIC)
        assert [(360, False, False)] == told(world)
        world.live.processed(1, NOON + 361, 4)
        await world.at(361)
        assert [(120, True, True), (180, True, True), (240, True, True)] == told(world)


@pytest.mark.parametrize("market", [GOLD, FAKE, WETH])
async def test_without_a_follower_nothing_is_provisional(market: Market) -> None:
    async with World() as world:
        topic = f"{market.plain_symbol.lower()}@kline_1m"
        if market is not WETH:
            world.live.processed(1, NOON, 0)
        world.stored(block(1, 1, market=market), block(2, 61, market=market))
        await world.watch(topic)
        await world.add(block(3, 121, market=market))
        await world.at(500)
        assert all(final for _, _, final in told(world, topic))


async def test_revised_bars_are_provisional_until_their_new_blocks_are_final() -> None:
    """What is gone is never told as final."""
    async with World() as world:
        world.live.processed(1, NOON, 1)
        world.stored(block(1, 1), block(2, 61), block(3, 121), block(4, 181))
        await world.watch(TOPIC)
        told(world)
        world.store.retract(WETH, 3 << 20)
        world.tell()
        await world.settle()
        assert [(60, False, False)] == told(world)
        await world.add(block(3, 62, 7.0), block(4, 241))
        assert [(60, True, False), (240, False, False)] == told(world)
        world.live.processed(1, NOON + 400, 9)
        await world.at(400)
        assert [(60, True, True), (240, True, True)] == told(world)


async def test_finality_that_comes_late_is_told_of_so_many_bars_only() -> None:
    """A chain whose finality stalls must not fill the memory; the newest are told."""
    async with World() as world:
        world.live.processed(1, NOON, 0)
        await world.watch("wethusdc@kline_1s")
        count = PROVISIONAL_MAX + 50
        for number in range(1, count + 1):
            await world.add(block(number, number))
        series = world.live._series["wethusdc@kline_1s"]
        assert PROVISIONAL_MAX + 1 == len(series.bars)
        world.events.clear()
        world.live.processed(1, NOON + count, count)
        await world.at(count)
        expected = [(n, True, True) for n in range(count - PROVISIONAL_MAX, count)]
        assert expected == told(world, "wethusdc@kline_1s")
        assert len(series.bars) == 1


@st.composite
def _steps(draw: st.DrawFn) -> list[tuple[str, int]]:
    kinds = st.sampled_from(["block", "block", "block", "final", "reorg", "tick"])
    return draw(st.lists(st.tuples(kinds, st.integers(0, 90)), min_size=1, max_size=40))


@settings(max_examples=60, deadline=None)
@given(_steps(), st.sampled_from(["1s", "1m", "7m"]))
async def test_what_was_told_last_of_each_bar_is_what_holds(
    steps: list[tuple[str, int]], name: str
) -> None:
    """Whatever comes in whatever order: closed bars end as the store holds them, and as final."""
    length, topic = interval.parse(name), f"wethusdc@kline_{name}"
    async with World() as world:
        head, second, final = 1, 1, 0
        world.live.processed(1, NOON, final)
        world.stored(block(head, second))
        await world.watch(topic)
        for kind, size in steps:
            if kind == "block":
                head, second = head + 1, second + size
                await world.add(block(head, second, float(size)))
                world.live.processed(1, NOON + second, final)
            elif kind == "final":
                final = min(head, final + size % 4)
                world.live.processed(1, NOON + second, final)
            elif kind == "reorg" and head > final + 1:
                world.store.retract(WETH, head << 20)
                world.tell()
                head -= 1
            await world.at(second)
        world.live.processed(1, NOON + 10**6, head)
        await world.at(second + 1)
        held = candles(world.store.of(WETH), length)
        last = {k["t"] // 1000: k for k in (e["k"] for e in world.events[topic] if "k" in e)}
        for i, start in enumerate(held.time):
            k = last[start]
            assert (True, True) == (k["x"], "final" not in k)
            assert (held.close[i], held.trades[i]) == (float(k["c"]), k["n"])
