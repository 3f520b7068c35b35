"""How few queries answers take, and how much is kept."""

import asyncio
import gc
import logging
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from appliance import forming
from appliance.chunks.chunk import END, Chunk
from appliance.errors import Retryable
from appliance.interval import parse
from appliance.model import Candles, MarketSpec
from tests.chunks_world import World, chunks_of, queries, small, world
from tests.conftest import NOW
from tests.oracle import T

SPEC = MarketSpec("GOLD")
MINUTE = parse("1m")


def trades(minutes: list[int]) -> list[T]:
    """Return a trade in each of these minutes before NOW."""
    return [T((NOW - 60 * m) * 10**6, 1.5 + m % 7, 10**18, trade_id=str(m)) for m in minutes]


async def taken(it: World, *questions: tuple[Any, ...]) -> int:
    """Ask, and return how many queries that took, what was read ahead included."""
    before = queries(it.metrics)
    for question in questions:
        found = await it.cached.candles(it.market, *question)
        assert found.candles.time
    chunks = chunks_of(it)
    while chunks._ahead:
        await asyncio.wait(chunks._ahead)
    return queries(it.metrics) - before


async def test_questions_that_differ_a_little_need_no_query(tmp_path: Path) -> None:
    """As widgets ask them: `to` is now, `from` some bars before it."""
    async with world(tmp_path, 1, SPEC) as it:
        await it.submit(trades([*range(2_000)]))
        first = (MINUTE, NOW - 329 * 60, NOW, 329)
        assert await taken(it, first) <= 2  # one, and one ahead
        jittered = [(MINUTE, NOW - (329 + i) * 60 - i, NOW + i, 329 - i) for i in range(30)]
        assert await taken(it, *jittered) <= 1  # further ahead


async def test_new_trades_need_no_query(tmp_path: Path) -> None:
    """Each shows at once in every interval that was asked for."""
    async with world(tmp_path, 1, SPEC) as it:
        await it.submit(trades([*range(50, 600)]))
        names = ["1s", "1m", "15m", "1h", "1d", "7m", "1w", "1M"]
        asked = [(parse(name), None, NOW + 60, 100) for name in names]
        await taken(it, *asked)
        for minute in range(49, 0, -1):
            await it.submit(trades([minute]))
            assert await taken(it, *asked) == 0
            last = await it.cached.candles(it.market, MINUTE, None, NOW + 60, 1)
            assert [(NOW - 60 * minute) // 60 * 60] == last.candles.time
        for question in asked:
            await it.check((*question, 10_000, False))


async def test_paging_back_reads_ahead(tmp_path: Path) -> None:
    """A query for ten pages at most, and the pages hold everything."""
    async with world(tmp_path, 1, SPEC) as it:
        for first in range(0, 60_000, 20_000):
            await it.submit(trades([*range(first, first + 20_000)]))
        before, to, bars, pages = queries(it.metrics), NOW + 60, 0, 0
        while True:
            found = await it.cached.candles(it.market, MINUTE, to - 329 * 60, to, 329)
            if not found.candles.time:
                break
            bars, pages, to = bars + len(found.candles), pages + 1, found.candles.time[0]
        assert bars == 60_000
        assert (queries(it.metrics) - before) / pages < 0.1


async def test_holes_of_any_length_are_crossed_without_widening_windows(tmp_path: Path) -> None:
    """The guess, the place of the n-th older bucket, and its candles: three queries, then none."""
    async with world(tmp_path, 1, SPEC) as it:
        await it.submit(trades([*range(5), *range(500_000, 500_300)]))
        question = (MINUTE, NOW - 600, NOW, 200)
        before = queries(it.metrics)
        found = await it.cached.candles(it.market, *question)
        assert (200, 3) == (len(found.candles), queries(it.metrics) - before)
        assert await taken(it, question, (MINUTE, NOW - 500, NOW, 190)) <= 1  # ahead


async def test_a_market_that_is_empty_before_is_known_to_be(tmp_path: Path) -> None:
    """Asking again for what is older than everything takes no query."""
    async with world(tmp_path, 1, SPEC) as it:
        await it.submit(trades([1, 2, 3]))
        question = (MINUTE, NOW - 86_400, NOW, 300, 10_000)
        await taken(it, question)
        assert await taken(it, question, (MINUTE, 0, NOW, 1_000, 10_000)) == 0
        before = queries(it.metrics)
        none = await it.cached.candles(it.market, MINUTE, 0, NOW - 86_400)
        assert (0, None) == (len(none.candles), none.older)
        assert queries(it.metrics) == before


async def test_identical_misses_share_one_read(tmp_path: Path) -> None:
    async with world(tmp_path, 1, SPEC) as it:
        await it.submit(trades([*range(400)]))
        question = (MINUTE, NOW - 329 * 60, NOW, 329)
        before = queries(it.metrics)
        await asyncio.gather(*(it.cached.candles(it.market, *question) for _ in range(20)))
        assert queries(it.metrics) - before == 1


async def test_a_failing_store_is_told_to_each_who_waits_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the failure is remembered."""
    async with world(tmp_path, 1, SPEC) as it:
        await it.submit(trades([*range(40)]))

        async def fails(name: str, **_: Any) -> None:
            raise Retryable(f"{name} fails")

        question = (it.market, MINUTE, NOW - 600, NOW, 5)
        with monkeypatch.context() as broken:
            broken.setattr(it.store.reader, "query", fails)
            asked = [it.cached.candles(*question) for _ in range(3)]
            failed = await asyncio.gather(*asked, return_exceptions=True)
            assert [Retryable] * 3 == [type(each) for each in failed]
        assert len((await it.cached.candles(*question)).candles) == 10


async def test_a_caller_who_goes_away_hinders_nobody(tmp_path: Path) -> None:
    async with world(tmp_path, 1, SPEC) as it:
        await it.submit(trades([*range(40)]))
        question = (it.market, MINUTE, NOW - 600, NOW, 5)
        first, second = (asyncio.create_task(it.cached.candles(*question)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert len((await second).candles) == 10
        assert first.cancelled()


async def test_a_commit_that_cannot_be_followed_drops_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Rather than answer what may be untrue; and others are told of the commit as always."""
    async with world(tmp_path, 1, SPEC) as it:
        await it.submit(trades([*range(10, 40)]))
        told: list[int] = []
        it.ingest.subscribe(lambda commit: told.append(commit.number))
        question = (MINUTE, NOW - 6_000, NOW, 5, 10_000, True)
        await it.check(question)
        with monkeypatch.context() as broken:
            broken.setattr(forming, "split", lambda *_: 1 / 0)
            await it.submit(trades([5]))
        await it.check(question)
        assert len(told) == 1
    assert [logging.ERROR] == [r.levelno for r in caplog.records if r.exc_info]


async def test_memory_stays_below_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not used lately goes first; what goes is counted and forgotten."""
    small(monkeypatch, 64)
    async with world(tmp_path, 1, SPEC, cache_url="memory://") as it:
        await it.submit(trades([*range(3_000)]))
        chunks = chunks_of(it)
        memory = chunks._memory
        memory._limit = 300_000
        hot = (MINUTE, NOW - 60 * 60, NOW, 60)
        for page in range(40):
            to = NOW - page * 70 * 60
            await it.cached.candles(it.market, MINUTE, to - 3_600, to, 60)
            before = queries(it.metrics)
            await it.cached.candles(it.market, *hot)
            assert memory.bytes <= 300_000
            assert queries(it.metrics) == before or page == 0
        strips = [s for story in chunks._stories.values() for s in story.strips.values()]
        held = [chunk for strip in strips for chunk in strip.chunks]
        assert {id(c) for c in held} <= set(memory._things)
        assert it.metrics.cache_evictions.labels("memory")._value.get() > 0
        memory._limit = 0
        for page in range(3):  # of a tail, the newest candle stays until the next time
            to = NOW - page * 600
            await it.cached.candles(it.market, MINUTE, to - 600, to, 3)
        assert memory.bytes == 0
        assert not memory._things
        while chunks._ahead:
            await asyncio.wait(chunks._ahead)
        assert not chunks._stories


def test_the_size_of_a_chunk_is_what_it_takes() -> None:
    """Within a fifth of what the interpreter counts, texts included."""

    def made() -> Chunk:
        times, prices = [NOW + 60 * i for i in range(256)], [i / 7 for i in range(256)]
        counts = [i << 20 for i in range(256)]
        columns: list[Sequence[float]] = [times, *([prices] * 8), *([counts] * 3)]
        chunk = Chunk(0, END, columns)
        chunk.written(0, 1)
        return chunk

    made()
    gc.collect()
    tracemalloc.start()
    try:
        chunks = [made() for _ in range(50)]
        gc.collect()
        taken_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(chunk.size for chunk in chunks) == pytest.approx(taken_bytes, rel=0.2)


def test_charts_are_sent_the_first_columns() -> None:
    """Texts are made of these six."""
    assert ("time", "open", "high", "low", "close", "volume") == Candles.__slots__[:6]
