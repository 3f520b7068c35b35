"""Connections that drop at random: the joined sequence has no hole, or the server said so."""

import asyncio
import random
import time
from typing import Any

import pytest

from appliance import interval
from appliance.model import UNIT
from appliance.streaming.limits import Limits
from tests.live_oracle import GOLD, NOON, Deal, candles, deal
from tests.stream_follower import Bars, Follower
from tests.stream_served import Served, serving

STREAMS = ("gold@kline_1s", "gold@kline_7s", "gold@kline_1m", "gold@trade")
SPEED = 20.0
"""How much faster than ours the server's clock goes."""


class StoredPast:
    """What the store in memory holds."""

    def __init__(self, served: Served) -> None:
        self.store = served.store

    async def bars(self, stream: str) -> Bars:
        found = candles(self.store.of(GOLD), interval.parse(stream.partition("kline_")[2]))
        columns = (found.open, found.high, found.low, found.close, found.volume, found.trades)
        rows = zip(*columns, strict=True)
        return {t * 1000: numbers for t, numbers in zip(found.time, rows, strict=True)}

    async def trades(self, _: str) -> dict[int, float]:
        return {d.sequence: d.price for d in self.store.of(GOLD) if d.price is not None}


async def trading(served: Served, now: Any, seconds: float, choose: random.Random) -> None:
    """Trade, mostly now, sometimes late; now and then take the newest trades away."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        late = choose.choice([0, 0, 0, 0, 0, 0, 0, 1, 3, 20])
        second = now() - NOON - late - choose.random() / 100
        served.add(*(_trade(second + n / 1e5, choose) for n in range(choose.randint(1, 3))))
        if choose.random() < 0.03:
            served.store.retract(GOLD, int((now() - choose.choice([0.5, 3])) * 1e6))
            served.add()
        await asyncio.sleep(choose.random() / 50)


def _trade(second: float, choose: random.Random) -> Deal:
    return deal(second, choose.choice([1.0, 2.0, 3.0, 4.0]), size=UNIT * choose.randint(1, 4))


async def coming_and_going(follower: Follower, ending: asyncio.Event, seed: int) -> None:
    choose = random.Random(seed)
    while not ending.is_set():
        await follower.connected(choose.random() * 0.4, choose)
        await asyncio.sleep(choose.choice([0.0, 0.02, 0.1, 0.5]) * choose.random())


@pytest.mark.parametrize("history", [1_000, 30])
async def test_dropped_connections_lose_nothing_or_are_told_so(history: int) -> None:
    """And in the end everyone holds what the store holds."""
    begun, ahead = time.monotonic(), [0.0]

    def now() -> float:
        return NOON + (time.monotonic() - begun) * SPEED + ahead[0]

    async with serving(Limits(history_messages=history), now) as served:
        served.add(deal(0, 1.0), deal(0.1, 2.0))
        address, ending = f"ws://127.0.0.1:{served.port}", asyncio.Event()
        followers = [Follower(address, STREAMS, StoredPast(served)) for _ in range(6)]
        tasks = [
            asyncio.create_task(coming_and_going(follower, ending, seed))
            for seed, follower in enumerate(followers)
        ]
        await trading(served, now, 3.0, random.Random(history))
        ending.set()
        await asyncio.gather(*tasks)
        ahead[0] = 1_000.0  # every bar closes
        await asyncio.gather(*(f.connected(0.7, random.Random(0)) for f in followers))
        past = StoredPast(served)
        for follower in followers:
            for name, bars in follower.bars.items():
                assert bars == await past.bars(name)
            for name, trades in follower.trades.items():
                assert (await past.trades(name)).items() <= trades.items()
    assert sum(f.recovered for f in followers) > 5  # a busy machine has time for no more
    lost = sum(f.lost for f in followers)
    assert lost > 0 if history == 30 else lost <= 5
