"""The last 24 hours of markets: exact, fresh, and nobody waits for the summaries of others."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.errors import Retryable
from appliance.interval import parse
from appliance.metrics import Metrics
from appliance.model import TRADE_SCHEMA, Commit, Market, MarketId, MarketSpec, Revision
from appliance.statistics.span import starts
from appliance.statistics.summaries import Summaries, Summary
from appliance.store.reader import Columns
from tests.conftest import NOW, Opened
from tests.oracle import T, candles, table

DAY_S = 86_400
HOUR = NOW - NOW % 3_600


def summaries(reader: Any, clock: "Clock") -> Summaries:
    return Summaries(reader, Metrics().cache_lookups, clock)


class Clock:
    """Stands still, unless it is put on."""

    def __init__(self, now: float = NOW) -> None:
        self.now = float(now)

    def __call__(self) -> float:
        return self.now


def expected(trades: list[T], now: int) -> Summary | None:
    """Return what the trades' 1,440 minute candles say together."""
    minutes = [c for c in candles(trades, parse("1m")) if c.time <= now]
    inside = [c for c in minutes if c.time > now // 60 * 60 - DAY_S]
    priced = [c for c in inside if c.close is not None]
    last = [c.close for c in minutes if c.close is not None]
    if not last:
        return None
    volume = float(sum((c.volume for c in inside), Decimal(0)))
    trade_count = sum(c.trades for c in inside)
    if not priced:
        return Summary(last[-1], volume=volume, quote_volume=2 * volume, trades=trade_count)
    first, price = priced[0].open, priced[-1].close
    assert first is not None
    assert price is not None
    hours = [c for c in candles(trades, parse("1h")) if starts(now)["hour"] <= c.time <= now]
    return Summary(
        *(price, price - first, 100 * (price - first) / first, first),
        max(c.high for c in priced if c.high is not None),
        min(c.low for c in priced if c.low is not None),
        volume=volume,
        quote_volume=2 * volume,
        trades=trade_count,
        sparkline=[c.close for c in hours if c.close is not None],
    )


TIMES = (
    st.integers(NOW - 26 * 3_600, NOW)
    | st.integers(NOW - DAY_S - 200, NOW - DAY_S + 200)
    | st.integers(HOUR - DAY_S + 3_000, HOUR - DAY_S + 7_500)
    | st.just(NOW - 40 * DAY_S)
)
TRADES = st.lists(
    st.builds(
        T,
        time_us=TIMES.map(lambda second: second * 10**6),
        price=st.floats(1e-12, 1e9) | st.none(),
        size=st.integers(0, 2**40).map(lambda n: n << 40),
        kind=st.sampled_from(["trade", "mark"]),
    ),
    min_size=1,
    max_size=25,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(TRADES, st.integers(0, 7_200))
def test_a_summary_is_what_its_1440_minutes_say(opened: Opened, drawn: list[T], later: int) -> None:
    """To the digit, wherever the window begins within an hour."""
    number = len(opened.store.catalogue)
    trades = [T(**{**vars(t), "trade_id": f"{number}-{i}"}) for i, t in enumerate(drawn)]
    opened.store.writer.submit(table(trades), (MarketSpec(f"M{number}"),)).result(30)
    market = opened.store.catalogue.resolve(f"M{number}")
    clock = Clock(NOW + later)
    found = asyncio.run(summaries(opened.store.reader, clock).of([market]))
    assert expected(trades, NOW + later) == found.get(market.id)


class FakeReader:
    """Answers from a table of prices; each query may be made to wait."""

    def __init__(self) -> None:
        self.price = 1.0
        self.asked: list[tuple[str, tuple[int, ...]]] = []
        self.is_asked = asyncio.Event()
        self.gates: dict[int, asyncio.Event] = {}
        self.failure: Exception | None = None

    async def query(self, name: str, **parameters: Any) -> Columns:
        ids = parameters["markets"]
        self.asked.append((name, tuple(ids)))
        self.is_asked.set()
        price = self.price
        for i in ids:
            if i in self.gates:
                await self.gates[i].wait()
        if self.failure:
            raise self.failure
        if name == "select_day_hours":
            one = Decimal(1)
            return list(
                zip(*((i, *[price] * 3, one, one, 1, price, [price]) for i in ids), strict=True)
            )
        return ()

    def counted(self) -> dict[str, int]:
        names = [name for name, _ in self.asked]
        self.asked.clear()
        return {name.removeprefix("select_"): names.count(name) for name in sorted(set(names))}


MARKETS = [Market(MarketId(i), MarketSpec(f"M{i}")) for i in range(1, 9)]
ALL = {"day_hours": 1, "day_minutes": 1, "rates": 1}


def commit(
    *markets: Market, at: int | None = NOW, revised: bool = False, number: int = 1
) -> Commit:
    """Return a commit of one trade at a time, or of none."""
    trades = TRADE_SCHEMA.empty_table() if at is None else table([T(at * 10**6, 1.0, 1)])
    revisions = tuple(Revision(m.id, NOW, NOW) for m in markets) if revised else ()
    return Commit(number, trades, markets, revisions)


async def price_of(own: Summaries, market: Market) -> float:
    return (await own.of([market]))[market.id].price


@pytest.mark.parametrize(
    ("seconds", "happens", "read"),
    [
        (0.9, commit(MARKETS[0]), {}),
        (1.1, commit(MARKETS[1]), {}),
        (1.1, commit(MARKETS[0]), {"day_hours": 1, "rates": 1}),  # the edge is as it was
        (1.1, commit(MARKETS[0], at=NOW - 7_200), ALL),  # it may be in the edge
        (0.0, commit(MARKETS[1], at=None, revised=True), ALL),
        (41.0, commit(MARKETS[1]), ALL),  # the next minute
        (-5.0, commit(MARKETS[1]), {}),  # the clock was put back
    ],
)
async def test_a_summary_holds_until_something_happens(
    seconds: float, happens: Commit, read: Mapping[str, int]
) -> None:
    """For a second in any case, but for revisions; then until a trade or the next minute."""
    reader, clock = FakeReader(), Clock()
    own = summaries(reader, clock)
    own.on_commit(commit(MARKETS[2]))
    await own.of(MARKETS[:1])
    assert ALL == reader.counted()
    clock.now += seconds
    own.on_commit(happens)
    await own.of(MARKETS[:1])
    assert read == reader.counted()


async def test_without_commits_a_summary_holds_for_a_second() -> None:
    """Whoever does not hear of trades has to look."""
    reader, clock = FakeReader(), Clock()
    own = summaries(reader, clock)
    for seconds in (0, 0.9, 0.2):
        clock.now += seconds
        await own.of(MARKETS[:1])
    assert {"day_hours": 2, "day_minutes": 1, "rates": 2} == reader.counted()


async def test_a_slow_summary_does_not_hold_up_others() -> None:
    """Nor does its failure reach them; who asks for the same shares the reading."""
    reader = FakeReader()
    own = summaries(reader, Clock())
    reader.gates[1] = asyncio.Event()
    slow = [asyncio.create_task(own.of(MARKETS[:2])) for _ in range(3)]
    await asyncio.sleep(0)
    assert 1.0 == await price_of(own, MARKETS[4])
    assert not any(task.done() for task in slow)
    assert {"day_hours": 2, "day_minutes": 2, "rates": 2} == reader.counted()
    reader.failure = Retryable("busy")
    reader.gates[1].set()
    assert all(
        isinstance(e, Retryable) for e in await asyncio.gather(*slow, return_exceptions=True)
    )
    reader.failure = None
    assert 1.0 == await price_of(own, MARKETS[0])


async def test_who_goes_away_takes_nothing_from_those_who_wait() -> None:
    """A client that closes its connection cancels its request."""
    reader = FakeReader()
    own = summaries(reader, Clock())
    reader.gates[1] = asyncio.Event()
    first = asyncio.create_task(own.of(MARKETS[:1]))
    await asyncio.sleep(0)
    second = asyncio.create_task(own.of(MARKETS[:1]))
    await asyncio.sleep(0)
    first.cancel()
    reader.gates[1].set()
    assert [1] == list(await second)


@pytest.mark.parametrize(("revised", "price"), [(False, 1.0), (True, 2.0)])
async def test_what_comes_while_it_is_read_makes_it_read_again(revised: bool, price: float) -> None:
    """After a second, if it may lack trades; at once, if it may hold half of a revision."""
    reader, clock = FakeReader(), Clock()
    own = summaries(reader, clock)
    gate = reader.gates[1] = asyncio.Event()
    reading = asyncio.create_task(own.of(MARKETS[:1]))
    await reader.is_asked.wait()
    own.on_commit(commit(MARKETS[0], revised=revised))
    reader.price = 2.0
    gate.set()
    assert price == (await reading)[1].price
    clock.now += 1.1
    assert 2.0 == await price_of(own, MARKETS[0])


async def test_who_asks_after_a_revision_does_not_join_an_older_reading() -> None:
    """That one answers those who asked before."""
    reader = FakeReader()
    own = summaries(reader, Clock())
    gate = reader.gates[1] = asyncio.Event()
    reading = asyncio.create_task(own.of(MARKETS[:1]))
    await reader.is_asked.wait()
    own.on_commit(commit(MARKETS[0], at=None, revised=True))
    del reader.gates[1]
    reader.price = 2.0
    assert 2.0 == await price_of(own, MARKETS[0])
    gate.set()
    await reading
    assert 2.0 == await price_of(own, MARKETS[0])


async def test_many_markets_are_read_in_batches_and_the_oldest_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory has a bound, and a query a size."""
    monkeypatch.setattr("appliance.statistics.summaries.BATCH", 3)
    monkeypatch.setattr("appliance.statistics.summaries.KEPT", 4)
    reader = FakeReader()
    own = summaries(reader, Clock())
    found = await own.of([*MARKETS, *MARKETS])
    assert list(range(1, 9)) == list(found)
    sizes = [len(ids) for name, ids in reader.asked if name == "select_day_hours"]
    assert [3, 3, 2] == sizes
    reader.asked.clear()
    await own.of(MARKETS[4:])
    await own.of(MARKETS[:1])
    assert [(1,)] == [ids for name, ids in reader.asked if name == "select_day_hours"]


def test_a_market_that_rests_keeps_its_price(opened: Opened) -> None:
    """No change and no volume are invented; a market that never had a price has no summary."""
    for symbol, trade in (
        ("DEAD", T((NOW - 900 * DAY_S) * 10**6, 7.0, 10**18, trade_id="a")),
        ("TINY", T(NOW * 10**6, 1.23e-9, 1, trade_id="b")),
        ("MUTE", T(NOW * 10**6, None, 10**18, trade_id="c")),
    ):
        opened.store.writer.submit(table([trade]), (MarketSpec(symbol),)).result(30)
    markets = opened.store.catalogue.all()
    found = asyncio.run(summaries(opened.store.reader, Clock()).of(markets))
    dead, tiny, mute = (found.get(market.id) for market in markets)
    assert Summary(7.0) == dead
    assert mute is None
    assert tiny is not None
    assert (1.23e-9, 0.0, 1.23e-9, 1e-18, 1) == (
        *(tiny.price, tiny.price_change, tiny.low, tiny.volume, tiny.trades),
    )
