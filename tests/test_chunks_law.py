"""The law of the cache: what it answers is what the store answers, whatever happened before."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.interval import parse
from appliance.model import MarketSpec
from appliance.store.journal import Span
from tests.chunks_world import CHAIN, World, chunks_of, small, world
from tests.conftest import NOW

TIMED = MarketSpec("GOLD")
ONCHAIN = MarketSpec("POOL", chain_id=CHAIN, contract="0x" + "ab" * 20, order="chain")


async def happen(it: World) -> None:
    """Let something happen to the market."""
    kind = it.choose.randrange(100)
    if kind < 55 or len(it.trades) < 5:
        gap = it.choose.choice([0.3, 20, 20, 3_000])
        await it.submit([it.next_trade(gap) for _ in range(it.choose.choice([1, 1, 3, 30]))])
    elif kind < 70:
        await it.submit([it.late_trade() for _ in range(it.choose.choice([1, 1, 4]))])
    elif kind < 77:
        await it.submit(it.choose.sample(it.trades, 3))  # again: they are known
    elif kind < 84:
        await it.submit([it.late_trade() for _ in range(40)], bulk=True)
    elif kind < 92 and it.by_chain:
        await it.retract()
    elif kind < 97:
        second = it.choose.choice(it.trades).time_us // 10**6
        await asyncio.wrap_future(it.store.repair([Span(it.market.id, second, second)]))
    else:
        await it.prune()


@pytest.mark.parametrize("spec", [TIMED, ONCHAIN], ids=["by time", "by chain"])
@pytest.mark.parametrize("seed", range(2))
async def test_answers_are_those_of_the_store_and_of_plain_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spec: MarketSpec, seed: int
) -> None:
    """After any trades, late ones, retractions, imports, repairs and prunings, in any order."""
    small(monkeypatch)
    kept: dict[str, Any] = {"retention_candles": ("1s=2d",)} if seed % 2 else {}
    async with world(tmp_path, seed, spec, cache_memory_mb=1, **kept) as it:
        await it.submit([it.next_trade() for _ in range(10)])
        for step in range(50):
            await happen(it)
            for _ in range(3):
                await it.check(it.question())
            if step % 10 == 0:
                chunks_of(it)._memory._limit = it.choose.choice([30_000, 1 << 20])


@pytest.mark.parametrize("count", [1, 3, 40])
async def test_a_market_without_any_price_has_no_candles(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int
) -> None:
    """Its trades are there, and cannot be drawn; the first price draws them that come after."""
    small(monkeypatch)
    async with world(tmp_path, 1, TIMED) as it:
        await it.submit([replace(it.next_trade(), price=None) for _ in range(count)])
        for _ in range(20):
            await it.check(it.question())
        await it.submit([replace(it.next_trade(), price=2.0)])
        await it.submit([replace(it.next_trade(), price=None)])
        for _ in range(20):
            await it.check(it.question())
        await it.submit([replace(it.late_trade(), price=3.0)])
        for _ in range(20):
            await it.check(it.question())


async def test_what_is_acknowledged_is_answered_while_everything_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No answer lacks a trade that was acknowledged before, or counts one twice."""
    small(monkeypatch)
    async with world(tmp_path, 1, TIMED) as it:
        await it.submit([it.next_trade() for _ in range(30)])
        done = asyncio.Event()
        begun = acknowledged = sum(t.kind != "mark" for t in it.trades)

        async def write() -> None:
            nonlocal begun, acknowledged
            for number in range(60):
                late = number % 5 == 4
                trades = [it.late_trade() if late else it.next_trade(2) for _ in range(3)]
                begun += sum(t.kind != "mark" for t in trades)
                await it.submit(trades)
                acknowledged = begun
            done.set()

        async def ask(name: str) -> int:
            asked = 0
            while not done.is_set():
                least = acknowledged
                found = await it.cached.candles(it.market, parse(name), 0, NOW + 60)
                counted = sum(found.candles.trades)
                hidden = _undrawn(it)
                assert least - hidden <= counted <= begun
                asked += 1
                await asyncio.sleep(0)
            return asked

        counts = await asyncio.gather(*map(ask, ("1s", "1m", "1h", "1m", "7m")), write())
        assert all(count is None or count > 3 for count in counts)
        for _ in range(30):
            await it.check(it.question())


def _undrawn(it: World) -> int:
    """Return how many trades came before any price: candles before it are not drawn."""
    first = min((t.time_us for t in it.trades if t.price is not None), default=0)
    return sum(t.time_us < first for t in it.trades)
