"""Half an hour, second by second: each closed bar of each interval is the stored one."""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

from appliance import interval
from appliance.interval import OFFERED, Interval
from appliance.model import UNIT, Candles, MarketId
from tests.conftest import Opened
from tests.live_oracle import GOLD, NOON, Deal, World, deal, table

MONTH = 1_756_684_800
"""2025-09-01, a Monday: a day, a week and a month end in the middle of the half hour."""
START = MONTH - 900 - NOON
SECONDS = 1_800
FIRST = replace(GOLD, id=MarketId(0))
"""A trade that is submitted names its market by the place in a list."""
INTERVALS = (*OFFERED, "7s", "90s", "7m", "45m", "7h", "2w", "2M")


async def half_an_hour(world: World, choose: random.Random) -> tuple[list[Deal], list[Deal]]:
    """Trade in some seconds, once or more often, a few times late; return all, and the late."""
    deals: list[Deal] = []
    late_deals: list[Deal] = []
    for second in range(START, START + SECONDS):
        world.now = float(NOON + second)
        if choose.random() < 0.3:
            late = choose.choice([5, 90, 600]) if choose.random() < 0.03 else 0
            first = second - late + 0.05 + len(deals) / 1e6  # no two at the same microsecond
            new = [_trade(first + n / 10, choose) for n in range(choose.randint(1, 4))]
            deals += new
            late_deals += new if late else []
            await world.add(*new)
        await world.at(second + 1)
    return deals, late_deals


def _trade(second: float, choose: random.Random) -> Deal:
    return deal(
        second,
        100 + choose.randint(0, 400) / 8,
        size=choose.randint(1, 10**7) * UNIT // 10**6,
        side=choose.choice(["buy", "sell", ""]),
    )


async def test_every_closed_bar_of_half_an_hour_is_the_stored_one(opened: Opened) -> None:
    choose = random.Random(1)
    async with World() as world:
        world.now = float(NOON + START)
        before = [_trade(START - 3_000 + n, choose) for n in range(50)]
        world.stored(*before)
        await world.watch(*(f"gold@kline_{name}" for name in INTERVALS))
        deals, late_deals = await half_an_hour(world, choose)
    trades = table([replace(d, market=FIRST) for d in before + deals])
    opened.store.writer.submit(trades, (GOLD.spec,)).result(60)
    gold = opened.store.catalogue.resolve("GOLD")
    for name in INTERVALS:
        length = interval.parse(name)
        history = await opened.datafeed().candles(gold, length, 0, NOON + START + 3_600)
        stored = rows(history.candles)
        topic = f"gold@kline_{name}"
        closed = closed_bars(world.events[topic])
        assert closed == {start: stored.get(start) for start in closed}
        over = {start for start in stored if is_over(start, length)}
        assert closed.keys() >= over
        times = Counter(e["k"]["t"] // 1000 for e in world.events[topic] if e["k"]["x"])
        late = {length.floor(d.time // 1_000_000) for d in late_deals}
        assert {start: times[start] for start in over - late} == dict.fromkeys(over - late, 1)


def is_over(start: int, length: Interval) -> bool:
    """Return whether a bar ended in the half hour, its grace included."""
    return NOON + START < length.shift(start, 1) <= NOON + START + SECONDS - 1


def closed_bars(events: list[Any]) -> dict[int, tuple[Any, ...]]:
    """Return the last of the closed bars by their start; late trades send them again."""
    bars = (event["k"] for event in events if event["k"]["x"])
    numbers = ("o", "h", "l", "c", "v", "q", "V", "Q")
    return {
        k["t"] // 1000: (*(float(k[name]) for name in numbers), k["n"], k["f"], k["L"])
        for k in bars
    }


def rows(candles: Candles) -> dict[int, tuple[Any, ...]]:
    """Return stored candles by their start."""
    columns = (getattr(candles, name) for name in Candles.__slots__[1:])
    ordered = list(zip(*columns, strict=True))
    names = Candles.__slots__[1:]
    wanted = [names.index(n) for n in ("open", "high", "low", "close", "volume", "quote_volume")]
    wanted += [names.index(n) for n in ("buy_volume", "buy_quote_volume", "trades")]
    wanted += [names.index(n) for n in ("first_sequence", "last_sequence")]
    return {t: tuple(row[i] for i in wanted) for t, row in zip(candles.time, ordered, strict=True)}
