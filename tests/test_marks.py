"""What is worth a mark: asked of a store, compared with plain Python."""

import asyncio
from statistics import median_high
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import marks
from appliance.datafeed import Datafeed
from appliance.interval import parse
from appliance.marks import LARGE_MAX, LARGE_TIMES, WINDOW_MAX_S, ChartMark
from appliance.model import Attached, Mark, MarketSpec
from tests.conftest import NOW, Opened
from tests.oracle import T, table

CHAIN = MarketSpec("POOL", chain_id=1, contract="0x" + "ab" * 20, order="chain")
START = NOW - NOW % 86_400
UNIT = 10**18


def trade(second: int, size: int = 1, block: int | None = None, **more: Any) -> T:
    """Return a trade of `size` units, worth twice that in quote units."""
    number = second if block is None else block
    return T((START + second) * 10**6, 3.0, size * UNIT, block=1 + number, log_index=1, **more)


def funding(second: int, rate: float, kind: str = "funding", label: str = "") -> Mark:
    return Mark(
        *(0, (START + second) * 10**6, (1 + second) << 20 | 2, kind, rate, label),
        chain_id=1,
        block_number=1 + second,
    )


async def stored(
    opened: Opened, trades: list[T], told: tuple[Mark, ...] = (), spec: MarketSpec = CHAIN
) -> Datafeed:
    await opened.ingest().submit(table(trades), [spec], "test", attached=Attached(told))
    return opened.datafeed()


async def read(
    datafeed: Datafeed, first: int = 0, last: int = 86_400, **more: Any
) -> list[ChartMark]:
    market = datafeed.catalogue.resolve("POOL")
    return await datafeed.marks(market, START + first, START + last, **more)


def brief(found: list[ChartMark]) -> list[tuple[str, int, float | None]]:
    return [(mark.kind, mark.time - START, mark.value) for mark in found]


async def test_liquidations_large_trades_funding_and_notes_come_in_order(opened: Opened) -> None:
    """Marks of kinds that are made of trades are not taken from the table again."""
    trades = [
        *(trade(i) for i in range(40)),
        trade(50, 2, kind="liquidation", side="sell"),
        trade(51, LARGE_TIMES, side="buy"),
        trade(52, LARGE_TIMES - 1),
    ]
    told = (
        *(funding(49, 0.0001), funding(60, -0.0002), funding(61, 7.0, "note", "listed")),
        funding(62, 1.0, "liquidation"),
    )
    found = await read(await stored(opened, trades, told))
    assert [
        ("funding", 49, 0.0001),
        ("liquidation", 50, 4.0),
        ("large_trade", 51, 40.0),
        ("funding", 60, -0.0002),
        ("note", 61, 7.0),
    ] == brief(found)
    assert ("sell", 3.0, 2.0) == (found[1].side, found[1].price, found[1].size)
    assert ["", "listed"] == [found[0].label, found[-1].label]
    assert len({mark.id for mark in found}) == len(found)


async def test_the_span_ends_before_its_end_and_limits_keep_the_newest(opened: Opened) -> None:
    trades = [trade(i, kind="liquidation") for i in range(10)]
    datafeed = await stored(opened, trades, (funding(4, 1.0), funding(5, 2.0)))
    times = [mark.time - START for mark in await read(datafeed, 4, 6)]
    assert [4, 4, 5, 5] == times
    newest = await read(datafeed, limit=3)
    assert [("liquidation", 7, 2.0), ("liquidation", 8, 2.0), ("liquidation", 9, 2.0)] == brief(
        newest
    )


async def test_a_span_of_years_is_looked_at_for_its_last_one(opened: Opened) -> None:
    old = trade(0, block=0, kind="liquidation")
    datafeed = await stored(opened, [old, trade(WINDOW_MAX_S, kind="liquidation")])
    assert [WINDOW_MAX_S] == [
        mark.time - START for mark in await read(datafeed, 1, WINDOW_MAX_S + 1)
    ]
    ever = await read(datafeed, -(10**9), WINDOW_MAX_S + 1)
    assert [WINDOW_MAX_S] == [mark.time - START for mark in ever]


async def test_of_funding_only_the_last_of_a_bucket_is_wanted(opened: Opened) -> None:
    """A market that tells it with each trade must not hide everything else."""
    told = tuple(funding(i, float(i)) for i in range(0, 300, 7))
    datafeed = await stored(opened, [trade(0)], told)
    found = await read(datafeed, interval=parse("1m"))
    assert [56.0, 119.0, 175.0, 238.0, 294.0] == [mark.value for mark in found]
    assert [294.0] == [mark.value for mark in await read(datafeed, interval=parse("1w"))]
    assert len(told) == len(await read(datafeed))


async def test_a_mark_that_is_told_twice_counts_once(opened: Opened) -> None:
    """A journal that is replayed stores it again."""
    for _ in range(2):
        datafeed = await stored(opened, [trade(0)], (funding(1, 0.5),))
    assert [("funding", 1, 0.5)] == brief(await read(datafeed))


async def test_what_a_reorg_takes_away_is_no_mark(opened: Opened) -> None:
    trades = [trade(0), trade(5, kind="liquidation"), trade(9, kind="liquidation")]
    datafeed = await stored(opened, trades, (funding(4, 0.5), funding(8, 0.7)))
    await opened.ingest().retract(1, 7)
    assert [("funding", 4, 0.5), ("liquidation", 5, 2.0)] == brief(await read(datafeed))


async def test_at_most_so_many_large_trades_the_largest(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the newest that are looked at."""
    trades = [trade(i) for i in range(500)]
    trades += [trade(1_000 + i, 100 + i) for i in range(LARGE_MAX + 5)]
    datafeed = await stored(opened, trades)
    sizes = [mark.size for mark in await read(datafeed)]
    assert [float(105 + i) for i in range(LARGE_MAX)] == sizes
    monkeypatch.setattr(marks, "SAMPLE_ROWS", 4)
    assert [] == await read(datafeed)  # these are all alike


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 1, 1, 1, 2, 20, 39, 40, 41, 10**6]),
            st.sampled_from(["trade", "trade", "open", "mark", "liquidation"]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_large_is_what_the_rule_says(opened: Opened, drawn: list[tuple[int, str]]) -> None:
    """At least so many times the median of what was paid, marks left out; never nothing."""
    spec = MarketSpec(f"M{len(opened.store.catalogue.all())}")
    trades = [
        T((START + i) * 10**6, 3.0, size * UNIT, kind=kind, trade_id=f"{spec.symbol}{i}")
        for i, (size, kind) in enumerate(drawn)
    ]

    async def check() -> None:
        datafeed = await stored(opened, trades, spec=spec)
        market = datafeed.catalogue.resolve(spec.symbol)
        found = await datafeed.marks(market, START, START + 100)
        paid = [2 * size for size, kind in drawn if kind != "mark"]
        least = LARGE_TIMES * median_high(paid) if paid else 0
        expected = [
            (i, float(2 * size))
            for i, (size, kind) in enumerate(drawn)
            if kind not in ("mark", "liquidation") and 2 * size >= max(least, 1)
        ]
        large = [mark for mark in found if mark.kind == "large_trade"]
        assert expected == [(mark.time - START, mark.value) for mark in large]
        liquidated = [i for i, (_, kind) in enumerate(drawn) if kind == "liquidation"]
        assert liquidated == [m.time - START for m in found if m.kind == "liquidation"]

    asyncio.run(check())
