"""What a process leaves on disk for the next one, and when that one must not believe it."""

import asyncio
import pickle
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import diskcache
import pytest

from appliance.cache.disk import BytesOnly
from appliance.interval import Interval, parse
from appliance.metrics import Metrics
from appliance.model import MarketSpec
from appliance.settings import Settings
from appliance.store.journal import Span
from appliance.store.store import Store
from tests.chunks_world import World, chunks_of, queries, small, world
from tests.conftest import NOW
from tests.oracle import T, table

SPEC = MarketSpec("GOLD")
MINUTE = parse("1m")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)


def trades(count: int, price: float = 2.0) -> list[T]:
    """Return a trade a minute, the last one an hour ago."""
    first = NOW - 3_600 - 60 * count
    return [
        T((first + 60 * i) * 10**6, price + i, 10**18, trade_id=f"{price}-{i}")
        for i in range(count)
    ]


async def older(it: World, interval: Interval = MINUTE) -> int:
    """Ask for all candles but those of the last hours, and return how many queries it took."""
    before = queries(it.metrics)
    found = await it.cached.candles(it.market, interval, 0, NOW - 5_400)
    assert found.candles.time
    return queries(it.metrics) - before


async def filled(folder: Path) -> None:
    """Run a process that answers and stops cleanly."""
    async with world(folder, 1, SPEC) as it:
        await it.submit(trades(100))
        assert await older(it) > 0
        assert await older(it) == 0


async def test_the_next_process_answers_from_disk(tmp_path: Path) -> None:
    """Without a query; and what it answers is right."""
    await filled(tmp_path)
    for _ in range(2):  # the seal is renewed with each stop
        async with world(tmp_path, 1, SPEC) as it:
            it.trades = trades(100)
            assert await older(it) == 0
            for _ in range(20):
                await it.check(it.question())


def on_disk(folder: Path) -> list[tuple[int, int, int]]:
    """Return start, end and rows of each chunk of minutes that a stopped process has left."""
    with diskcache.Cache(str(folder / "cache"), disk=BytesOnly) as kept:
        names = [bytes(name).decode().split("/") for name in kept]
    minutes = [name for name in names if name[1:2] == ["1m"]]
    return sorted((int(n[2]), int(n[3]), int(n[5])) for n in minutes)


async def test_chunks_do_not_become_smaller_with_each_process(tmp_path: Path) -> None:
    """Each one adds a candle or none; the newest page costs as little after many as after one."""
    await filled(tmp_path)
    stored = trades(100)
    costs = []
    for number in range(12):
        async with world(tmp_path, 1, SPEC) as it:
            it.trades = list(stored)
            before = queries(it.metrics)
            await it.cached.candles(it.market, MINUTE, NOW - 5_400, NOW + 60)
            costs.append(queries(it.metrics) - before)
            if number % 3 == 0:
                at = (NOW - 3_000 + 60 * number) * 10**6
                await it.submit([T(at, 3.0 + number, 1, trade_id=f"late-{number}")])
                stored = list(it.trades)
            for _ in range(10):
                await it.check(it.question())
        kept = on_disk(tmp_path)
        assert all(start < end for start, end, _ in kept)
        small = [rows for _, _, rows in kept if rows < 4]
        assert len(small) <= 4, kept
    assert max(costs[1:]) <= 3, costs


async def test_a_killed_process_leaves_nothing_that_is_believed(tmp_path: Path) -> None:
    """It stored a late trade, and was killed before it could take the chunk off the disk."""
    await filled(tmp_path)
    copy = tmp_path / "before"
    shutil.copytree(tmp_path / "cache", copy)
    async with world(tmp_path, 1, SPEC) as it:
        folder = chunks_of(it)._shelf._disk._folder
        assert folder is not None
        shutil.copytree(folder, tmp_path / "while")
        await it.submit(trades(3, price=9.0))
    for left in ("while", "before"):
        shutil.rmtree(tmp_path / "cache")
        shutil.copytree(tmp_path / left, tmp_path / "cache")
        async with world(tmp_path, 1, SPEC) as it:
            it.trades = [*trades(100), *trades(3, price=9.0)]
            assert await older(it) > 0
            for _ in range(10):
                await it.check(it.question())


def insert(store: Store) -> None:
    store.writer.submit(table(trades(3, price=7.0)), (SPEC,)).result()


def rebuild(store: Store) -> None:
    store.repair([Span(1, NOW - 9_000, NOW - 9_000)]).result()


def delete(store: Store) -> None:
    """Take a candle away, as retention does it."""
    statement = f"DELETE FROM candles WHERE interval = 60 AND bucket < toDateTime({NOW - 8_000})"
    store.writer.call(lambda client: client.command(statement)).result()


@pytest.mark.parametrize("change", [insert, rebuild, delete])
async def test_a_store_that_changed_without_a_server_is_noticed(
    tmp_path: Path, change: Callable[[Store], None]
) -> None:
    """By the command line, by hand, by another program: nothing on disk is believed then."""
    await filled(tmp_path)
    store = Store(Settings(data_dir=tmp_path), Metrics(), lambda _: None)
    store.open()
    change(store)
    store.close()
    async with world(tmp_path, 1, SPEC) as it:
        assert await older(it) > 0
        direct = await it.direct.candles(it.market, MINUTE, 0, NOW)
        assert direct.candles == (await it.cached.candles(it.market, MINUTE, 0, NOW)).candles


async def test_merges_of_the_engine_break_no_seal(tmp_path: Path) -> None:
    """They happen at any time and change no candle."""
    await filled(tmp_path)
    store = Store(Settings(data_dir=tmp_path), Metrics(), lambda _: None)
    store.open()
    store.writer.call(lambda client: client.command("OPTIMIZE TABLE candles FINAL")).result()
    store.close()
    async with world(tmp_path, 1, SPEC) as it:
        assert await older(it) == 0


async def test_another_store_beside_the_same_cache_is_noticed(tmp_path: Path) -> None:
    """A backup that was restored, a directory that was copied."""
    await filled(tmp_path / "one")
    async with world(tmp_path / "two", 1, SPEC) as it:
        await it.submit(trades(100, price=5.0))
    shutil.rmtree(tmp_path / "two" / "cache")
    shutil.copytree(tmp_path / "one" / "cache", tmp_path / "two" / "cache")
    async with world(tmp_path / "two", 1, SPEC) as it:
        it.trades = trades(100, price=5.0)
        assert await older(it) > 0
        await it.check((MINUTE, 0, NOW, 0, 10_000, True))


async def test_bytes_that_were_damaged_are_not_served(tmp_path: Path) -> None:
    """They are read from the store again."""
    await filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / "cache" / "cache.db")) as database:
        rows = database.execute(
            "SELECT rowid, value FROM Cache WHERE length(value) > 200"
        ).fetchall()
        assert rows
        for row, value in rows:
            database.execute("UPDATE Cache SET value = ? WHERE rowid = ?", (value[:-1] + b"x", row))
        database.commit()
    async with world(tmp_path, 1, SPEC) as it:
        it.trades = trades(100)
        assert await older(it) > 0
        await it.check((MINUTE, 0, NOW, 0, 10_000, True))


async def test_a_folder_that_cannot_be_used_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so once."""
    (tmp_path / "file").write_text("no folder")
    async with world(tmp_path, 1, SPEC, cache_url=f"disk://{tmp_path}/file") as it:
        await it.submit(trades(40))
        await older(it)
        assert await older(it) == 0
    assert caplog.text.count("going on without it") == 1


async def test_the_folder_is_for_nobody_else(tmp_path: Path) -> None:
    await filled(tmp_path)
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


async def test_what_memory_has_no_room_for_is_found_on_disk(tmp_path: Path) -> None:
    """And what trades changed since then is not."""
    async with world(tmp_path, 1, SPEC) as it:
        await it.submit(trades(100))
        await older(it)
        memory = chunks_of(it)._memory
        memory._limit = 0
        await older(it, parse("5m"))  # pushes the others out
        await asyncio.sleep(0.2)
        memory._limit = 1 << 20
        assert it.metrics.cache_lookups.labels("disk", "hit").value == 0
        assert await older(it) == 0
        assert it.metrics.cache_lookups.labels("disk", "hit").value > 0
        memory._limit = 0
        await older(it, parse("5m"))
        memory._limit = 1 << 20
        await it.submit(trades(100, price=3.0)[20:22])
        it.trades = [*trades(100), *trades(100, price=3.0)[20:22]]
        assert await older(it) > 0
        await it.check((MINUTE, 0, NOW, 0, 10_000, True))


class Evil:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("unpickled",))


@pytest.mark.parametrize("mode", ["value", "key"])
def test_pickles_are_neither_written_nor_read(tmp_path: Path, mode: str) -> None:
    """CVE-2025-69872: whoever can write into the folder could run code in the process."""
    with diskcache.Cache(str(tmp_path), disk=BytesOnly) as cache:
        for key, value in ((b"k", "text"), (b"k", 1), (b"k", Evil()), ("k", b"v"), (Evil(), b"v")):
            with pytest.raises(TypeError):
                cache.set(key, value)
        cache.set(b"k", b"v")
    data = pickle.dumps(Evil())
    with closing(sqlite3.connect(tmp_path / "cache.db")) as database:
        if mode == "value":
            database.execute("UPDATE Cache SET value = ?, mode = 4", (data,))
        else:
            database.execute("UPDATE Cache SET key = ?, raw = 0", (data,))
        database.commit()
    with diskcache.Cache(str(tmp_path), disk=BytesOnly) as cache, pytest.raises(TypeError):
        cache[b"k"] if mode == "value" else list(cache)
