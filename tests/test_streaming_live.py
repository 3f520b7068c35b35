"""Live against a store in memory: what was published last is what the store holds."""

import asyncio
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import interval
from appliance.model import UNIT, Market
from appliance.streaming import events
from appliance.streaming.hub import Position
from tests.live_oracle import FAKE, GOLD, NOON, WETH, Pen, World, candles, deal

LOG = "appliance.streaming.live"
INTERVALS = ("1s", "7s", "1m", "7m", "1h", "1d", "1w", "1M")


async def test_the_forming_bar_comes_at_once_with_the_first_watch() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(2, 12.5, size=UNIT // 2, side="sell"))
        await world.watch("gold@kline_1m")
        [event] = world.events["gold@kline_1m"]
        first, last = (NOON + 1) * 10**6, (NOON + 2) * 10**6
        k: dict[str, Any] = {"t": NOON * 1000, "T": NOON * 1000 + 59_999, "s": "GOLD", "i": "1m"}
        k |= {"f": first, "L": last, "o": "10", "c": "12.5", "h": "12.5", "l": "10"}
        k |= {"v": "1.5", "n": 2, "x": False, "q": "3", "V": "1", "Q": "2", "B": "0"}
        assert event == {"e": "kline", "E": NOON * 1000, "s": "GOLD", "k": k}


async def test_new_trades_are_merged_without_asking_the_store() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0))
        await world.watch("gold@kline_1m")
        await world.add(deal(2, 11.0))
        reads = world.store.reads
        await world.add(deal(3, 9.0), deal(61, 8.0))
        await world.add(deal(62, 7.0))
        assert world.store.reads == reads
        expected = [(0, "10", False), (0, "11", False), (0, "9", False), (60, "8", False)]
        assert world.bars("gold@kline_1m") == [*expected, (60, "7", False)]


async def test_a_commit_of_another_market_changes_nothing() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0))
        await world.watch("gold@kline_1m")
        await world.add(deal(2, 11.0, market=FAKE))
        assert len(world.bars("gold@kline_1m")) == 1


async def test_an_empty_market_publishes_nothing_before_its_first_price() -> None:
    async with World() as world:
        await world.watch("gold@kline_1m")
        await world.add(deal(1, None))
        assert world.bars("gold@kline_1m") == []
        await world.add(deal(2, 10.0))
        assert world.events["gold@kline_1m"][-1]["k"]["v"] == "2"


async def test_volume_without_price_is_a_flat_bar_that_the_first_price_reopens() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0))
        await world.watch("gold@kline_1m")
        await world.add(deal(61, None))
        assert world.bars("gold@kline_1m")[-1] == (60, "10", False)
        await world.add(deal(62, 12.0))
        assert world.events["gold@kline_1m"][-1]["k"]["o"] == "12"


async def test_a_stored_bar_of_one_price_keeps_its_open() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0))
        await world.watch("gold@kline_1m")
        await world.add(deal(2, 11.0))
        await world.add(deal(3, 12.0))
        assert [event["k"]["o"] for event in world.events["gold@kline_1m"]] == ["10"] * 3


async def test_marks_move_prices_but_are_no_trades() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(2, 11.0))
        await world.watch("gold@kline_1m", "gold@trade")
        await world.add(deal(3, 15.0, kind="mark", size=0))
        k = world.events["gold@kline_1m"][-1]["k"]
        assert (k["h"], k["c"], k["v"], k["n"]) == ("15", "15", "2", 2)
        assert "gold@trade" not in world.events


async def test_a_late_trade_publishes_its_bar_and_the_flat_ones_after_it_again() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(61, None), deal(121, 20.0), deal(122, 21.0))
        await world.watch("gold@kline_1m")
        await world.add(deal(5, 13.0))
        assert world.bars("gold@kline_1m")[1:] == [(0, "13", False), (60, "13", False)]


async def test_a_late_trade_far_back_is_revised_too() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(9_000, 20.0), deal(9_000.5, 21.0))
        await world.watch("gold@kline_1s")
        await world.add(deal(1.5, 13.0), deal(9_001, 22.0))
        assert world.bars("gold@kline_1s")[1:] == [(1, "13", False), (9_001, "22", False)]


async def test_at_most_a_hundred_bars_are_revised_by_a_commit() -> None:
    async with World() as world:
        world.stored(deal(0, 10.0), deal(1_000, 20.0), deal(1_000.5, 21.0))
        await world.watch("gold@kline_1s")
        await world.add(*(deal(second + 0.5, 5.0) for second in range(300)))
        revised = [second for second, _, _ in world.bars("gold@kline_1s")[1:]]
        assert revised == list(range(200, 300))


async def test_trades_are_announced_in_order_with_the_price_that_was_paid() -> None:
    async with World() as world:
        await world.watch("gold@trade")
        await world.add(
            deal(2, 11.0, paid=11.5, size=UNIT // 4, side="sell"), deal(1, 10.0), deal(3, None)
        )
        first, second = world.events["gold@trade"]
        assert (first["p"], first["m"], first["t"]) == ("10", False, (NOON + 1) * 10**6)
        time_ms = (NOON + 2) * 1000
        expected = {"e": "trade", "E": NOON * 1000, "s": "GOLD", "t": time_ms * 1000}
        assert second == expected | {"p": "11.5", "q": "0.25", "T": time_ms, "m": True}


async def test_a_commit_announces_at_most_a_thousand_trades() -> None:
    async with World() as world:
        await world.watch("gold@trade")
        await world.add(*(deal(second, 1.0 + second) for second in range(1_500)))
        prices = [event["p"] for event in world.events["gold@trade"]]
        assert (len(prices), prices[0], prices[-1]) == (1_000, "501", "1500")


async def test_a_bar_closes_once_by_the_clock_after_the_grace() -> None:
    async with World(grace_ms=1_000) as world:
        world.stored(deal(1, 10.0))
        await world.watch("gold@kline_1m")
        await world.at(60.9)
        assert world.bars("gold@kline_1m") == [(0, "10", False)]
        await world.at(61)
        await world.at(62)
        assert world.bars("gold@kline_1m") == [(0, "10", False), (0, "10", True)]


async def test_a_late_change_of_a_closed_bar_is_closed_again() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(2, 11.0))
        await world.watch("gold@kline_1m")
        await world.at(61)
        await world.add(deal(3, 12.0))
        await world.add(deal(2.5, 99.0))
        assert world.bars("gold@kline_1m")[1:] == [
            (0, "11", True),
            (0, "12", True),
            (0, "12", True),
        ]


async def test_a_closed_bar_is_not_sent_again_for_the_sake_of_another() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(61, 11.0), deal(62, 12.0))
        await world.watch("gold@kline_1m")
        await world.at(121)
        await world.add(deal(2, 13.0))
        bars = [(60, "12", False), (0, "10", True), (60, "12", True), (0, "13", True)]
        assert world.bars("gold@kline_1m") == bars


async def test_the_older_bar_in_its_grace_is_closed_too() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(60.5, 11.0))
        world.now = NOON + 60.5
        await world.watch("gold@kline_1m")
        await world.at(61)
        assert world.bars("gold@kline_1m") == [(60, "11", False), (0, "10", True)]


async def test_a_chain_closes_bars_by_block_time_and_not_by_the_clock() -> None:
    async with World() as world:
        block = 1 << 20
        world.stored(deal(1, 10.0, 100 * block, market=WETH))
        await world.watch("wethusdc@kline_1m")
        await world.at(600)
        assert world.bars("wethusdc@kline_1m")[-1] == (0, "10", False)
        await world.add(deal(59, 11.0, 101 * block, market=WETH))
        await world.add(deal(60, 12.0, 102 * block, market=WETH))
        assert world.bars("wethusdc@kline_1m")[-2:] == [(0, "11", True), (60, "12", False)]
        world.live.processed(1, NOON + 120)
        await world.at(600)
        assert world.bars("wethusdc@kline_1m")[-1] == (60, "12", True)


async def test_demo_markets_close_by_the_clock_whatever_their_order() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0, 1 << 20, market=FAKE))
        await world.watch("fake@kline_1m")
        await world.at(61)
        assert world.bars("fake@kline_1m")[-1] == (0, "10", True)


async def test_rounded_volumes_are_read_again_before_the_bar_closes() -> None:
    async with World() as world:
        sizes = [123_456_789_012_345_678_901, 987_654_321_098_765_432_109, 333]
        for second, size in enumerate(sizes[:2], 1):
            world.stored(deal(second, 10.0 + second, size=size))
        await world.watch("gold@kline_1m")
        await world.add(deal(5, 12.0, size=sizes[2]))
        reads = world.store.reads
        await world.at(61)
        assert world.store.reads == reads + 1
        last = world.events["gold@kline_1m"][-1]["k"]
        assert (last["x"], last["v"]) == (True, events.number_text(sum(sizes) / UNIT))


async def test_a_failing_store_is_shown_and_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(2, 11.0))
        await world.watch("gold@kline_1m")
        world.store.failures = 2
        with caplog.at_level(logging.CRITICAL, LOG):
            await world.add(deal(1.5, 99.0))
        assert world.live.state() == ("failing", "reading gold@kline_1m failed: the store is away")
        assert world.live.newest("gold@kline_1m")
        for _ in range(4):
            await world.at(3)
        assert world.live.state() == ("live", None)
        assert world.events["gold@kline_1m"][-1]["k"]["h"] == "99"


async def test_a_commit_that_cannot_be_applied_never_reaches_ingest(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with World() as world:
        world.stored(deal(1, 10.0))
        await world.watch("gold@kline_1m")
        with (
            monkeypatch.context() as patch,
            caplog.at_level(logging.CRITICAL, LOG),
        ):
            patch.setattr("appliance.forming.split", _broken)
            world.store.commit(deal(2, 11.0))
            world.tell()
        await world.settle()
        assert world.bars("gold@kline_1m")[-1] == (0, "11", False)


def _broken(*_: object) -> None:
    raise ZeroDivisionError


async def test_a_dead_task_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.live._publish = _broken  # type: ignore[assignment]
    broken = {"dirty": False, "failures": 0, "by_chain": False, "due": 0}
    world.live._series["x"] = type("S", (), broken)()
    with (
        caplog.at_level(logging.CRITICAL, LOG),
        pytest.raises(ExceptionGroup),
    ):
        await asyncio.wait_for(world.live.run(), 5)
    assert world.live.state()[0] == "failing"


async def test_nothing_is_followed_once_the_last_subscriber_left() -> None:
    async with World() as world:
        await world.watch("gold@kline_1m", "gold@trade")
        world.hub.disconnect(world.client)
        assert world.live._series  # who lost the connection may come back
        world.now += world.hub.limits.linger_s + 1
        world.hub.check()
        assert not world.live._series
        assert not world.live._trades
        await world.add(deal(1, 10.0))
        assert world.events == {}


async def test_commits_that_wait_too_long_are_forgotten_but_not_their_bars() -> None:
    async with World() as world:
        world.stored(deal(1, 10.0), deal(2, 11.0))
        await world.watch("gold@kline_1m")
        world.store.failures = 1
        logging.getLogger(LOG).setLevel(logging.CRITICAL)
        await world.add(deal(1.5, 10.5))
        for second in range(100):
            world.store.commit(deal(3 + 2 * second, 20.0 + second))
        world.tell()
        await world.at(4)
        logging.getLogger(LOG).setLevel(logging.NOTSET)
        shown = {second: close for second, close, _ in world.bars("gold@kline_1m")}
        assert shown == {0: "48", 60: "78", 120: "108", 180: "119"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(0.0, "0"), (1.0, "1"), (0.1, "0.1"), (1e-7, "0.0000001"), (-2.5e-8, "-0.000000025")],
        *[(1.25e-9, "0.00000000125"), (1e16, "10000000000000000"), (123456.789, "123456.789")],
        *[(1.5e22, "15000000000000000000000"), (1.2345678901234568e16, "12345678901234568")],
    ],
)
def test_numbers_have_no_exponent(value: float, text: str) -> None:
    assert events.number_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back_as_themselves(value: float) -> None:
    text = events.number_text(value)
    assert float(text) == value
    assert "e" not in text


_MORE = st.sampled_from([*["write"] * 6, *["next"] * 6, "tell", "turn", "rest", "at", "fail"])


@st.composite
def _histories(draw: st.DrawFn) -> tuple[Market, list[Any]]:
    """A market, and what happens: commits, deliveries, turns of the loop, failures, time."""
    market = draw(st.sampled_from([GOLD, WETH, FAKE]))
    pen = Pen(draw, market)
    steps: list[Any] = []
    for kind in draw(st.lists(_MORE, min_size=6, max_size=30)):
        if kind in ("write", "next"):
            steps.append([pen.write() for _ in range(draw(st.integers(1, 3)))])
        if kind in ("next", "rest"):  # all that was committed becomes known everywhere
            steps.append(("rest", 0))
        elif kind != "write":
            steps.append((kind, draw(st.integers(1, 600 if kind == "at" else 3))))
    return market, steps


async def _do(world: World, what: str, count: int) -> None:
    if what == "tell":
        world.tell(count)
    elif what == "turn":
        await world.turn(count)
    elif what == "rest":
        world.tell()
        for _ in range(3):
            await world.at(world.now - NOON)
    elif what == "at":
        world.now = max(world.now, NOON + float(count))
        world.live.tick()
    else:
        world.store.failures += count


async def _play(market: Market, steps: list[Any], before: int) -> World:
    """Return the world after all steps; the topics are watched after the first `before`."""
    async with World() as world:
        for number, step in enumerate(steps):
            if number == before:
                world.store.turns = 2
                for name in INTERVALS:
                    world.hub.subscribe(world.client, _topic(market, name))
            if isinstance(step, list):
                world.store.commit(*step)
            else:
                await _do(world, *step)
        world.tell()
        for _ in range(60):
            await world.at(10**8)
        world.live.processed(1, NOON + 10**8)
        await world.at(10**8)
        return world


def _topic(market: Market, name: str) -> str:
    return f"{market.plain_symbol.lower()}@kline_{name}"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_histories(), st.integers(0, 5))
def test_what_was_published_last_is_what_the_store_holds(
    history: tuple[Market, list[Any]], before: int
) -> None:
    market, steps = history
    logging.getLogger(LOG).setLevel(logging.CRITICAL)
    world = asyncio.run(_play(market, steps, before))
    if len(steps) <= before:
        return
    touched = [d for step in steps[before:] if isinstance(step, list) for d in step]
    for name in INTERVALS:
        length = interval.parse(name)
        stored = candles(world.store.of(market), length)
        last: dict[int, Any] = {}
        for event in world.events.get(_topic(market, name), []):
            k = event["k"]
            assert k["x"] or not last.get(k["t"], k)["x"]  # what is closed stays closed
            last[k["t"]] = k
        for i, start in enumerate(stored.time):
            shown = last.pop(start * 1000, None)
            if shown is not None:
                assert _published(shown) == _row(stored, i)
                assert shown["x"]
            else:
                assert start not in {length.floor(d.time // 10**6) for d in touched}
        assert last == {}


def _published(k: dict[str, Any]) -> tuple[Any, ...]:
    return (*(float(k[name]) for name in "ohlcvqVQ"), k["n"], k["f"], k["L"])


def _row(stored: Any, i: int) -> tuple[Any, ...]:
    names: tuple[str, ...] = ("open", "high", "low", "close", "volume", "quote_volume")
    names += ("buy_volume", "buy_quote_volume", "trades", "first_sequence", "last_sequence")
    return tuple(getattr(stored, name)[i] for name in names)


async def test_imported_trades_are_no_news() -> None:
    """They are neither told nor missing: who comes back has seen all that was told."""
    async with World() as world:
        await world.watch("gold@trade")
        await world.add(deal(1, 10.0))
        await world.add(deal(-500, 9.0), bulk=True)
        await world.add(deal(2, 11.0))
        assert [event["p"] for event in world.events["gold@trade"]] == ["10", "11"]
        assert len(world.hub.missed("gold@trade", Position("", u=1)) or []) == 2


async def test_trades_that_are_too_many_to_be_told_are_a_loss_to_who_comes_back() -> None:
    async with World() as world:
        await world.watch("gold@trade")
        await world.add(*(deal(second, 1.0 + second) for second in range(1_500)))
        assert world.hub.missed("gold@trade", Position("", u=1)) is None
        assert len(world.hub.missed("gold@trade", Position("", u=501)) or []) == 1_000
