"""What is held, added up by the store and in plain Python."""

from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from appliance.interval import parse
from appliance.model import Attached, Mark, Market, MarketSpec
from appliance.positions import AGE_S, Positions
from tests.binance_world import on_loop, store
from tests.conftest import NOW, Opened
from tests.oracle import T, table

UNIT = 10**18
START = NOW - NOW % 86_400 - 86_400
SIGNS = {"open": 1, "increase": 1, "close": -1, "liquidation": -1}


def event(second: int, kind: str, size: int, side: str = "buy") -> T:
    """Return an event that moved `size` units at a price of 2, worth twice that."""
    name = f"{second}.{kind}.{size}"
    return T((START + second) * 10**6, 2.0, size * UNIT, trade_id=name, kind=kind, side=side)


def held(opened: Opened, trades: list[T]) -> tuple[Positions, Market]:
    market = store(opened, MarketSpec(f"M{len(opened.store.catalogue.all())}"), trades)
    return Positions(opened.store.reader), market


@effort(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(sorted(SIGNS)), st.integers(0, 80_000), st.integers(1, 9)),
        max_size=20,
        unique_by=lambda step: step[1],
    ),
    name=st.sampled_from(["1s", "1m", "7m", "1h", "1d", "1w", "1M"]),
    limit=st.integers(1, 30),
)
def test_open_interest_is_what_was_opened_and_not_closed(
    opened: Opened, steps: list[tuple[str, int, int]], name: str, limit: int
) -> None:
    """At the end of each bucket, whatever part of history is asked for."""
    first = [("open", 80_001, 500), ("close", 80_002, 1)]  # late ones: nothing is ever below zero
    trades = [event(second, kind, size) for kind, second, size in [*steps, *first]]
    first_open = event(-1, "open", 500)
    positions, market = held(opened, [first_open, *trades])
    levels: dict[int, float] = {}
    level = 0
    for trade in sorted([first_open, *trades], key=lambda t: t.time_us):
        level += SIGNS[trade.kind] * 2 * trade.size // UNIT
        levels[parse(name).floor(trade.time_us // 10**6)] = float(level)
    assert level == on_loop(positions.open_interest(market))
    got = on_loop(positions.history(market, parse(name), 0, NOW + 1, limit))
    assert list(levels.items())[-limit:] == got


def test_what_is_not_known_is_not_invented(opened: Opened) -> None:
    """Spot trades, positions that never end, and those that were opened before the first block."""
    opening, closing = event(1, "open", 5), event(2, "close", 5)
    unknown: list[list[T]] = [
        [event(1, "trade", 5)],
        [opening],
        [closing],
        [opening, event(2, "close", 4), event(3, "close", 1, side="")],
    ]
    for trades in unknown:
        positions, market = held(opened, trades)
        assert on_loop(positions.open_interest(market)) is None
        assert [] == on_loop(positions.history(market, parse("1h"), 0, NOW, 10))
    positions, market = held(opened, [opening, closing])
    assert on_loop(positions.open_interest(market)) == 0.0


def test_it_is_added_up_again_after_a_moment(opened: Opened) -> None:
    now = [1_000.0]
    _, market = held(opened, [event(1, "open", 5), event(2, "close", 1)])
    positions = Positions(opened.store.reader, lambda: now[0])
    assert on_loop(positions.open_interest(market)) == 8.0
    store(opened, market.spec, [event(3, "close", 1)])
    assert on_loop(positions.open_interest(market)) == 8.0
    now[0] += AGE_S + 1
    assert on_loop(positions.open_interest(market)) == 6.0


def test_the_last_rate_of_each_bucket_is_its_funding(opened: Opened) -> None:
    def told(second: int, rate: float, kind: str = "funding") -> Mark:
        return Mark(0, (START + second) * 10**6, second, kind, rate, "", chain_id=0, block_number=0)

    rates = (
        told(1, 0.1),
        told(2, 0.2),
        told(3_599, 0.3),
        told(3_600, -0.4),
        told(4_000, 9, "note"),
    )
    spec = MarketSpec("F")
    entry = table([event(1, "trade", 1)]), (spec,)
    opened.store.writer.submit(*entry, attached=Attached(rates)).result(30)
    market = opened.store.catalogue.resolve("F")
    positions = Positions(opened.store.reader)

    def funding(name: str, limit: int = 9, **span: Any) -> list[tuple[int, float]]:
        first, end = span.get("first", START), span.get("end", START + 86_400)
        found: list[tuple[int, float]] = on_loop(
            positions.funding(market, parse(name), first, end, limit)
        )
        return found

    assert [(START, 0.3), (START + 3_600, -0.4)] == funding("1h")
    assert [(START + 3_600, -0.4)] == funding("1h", limit=1)
    assert [(START, 0.2)] == funding("1m", end=START + 60)
