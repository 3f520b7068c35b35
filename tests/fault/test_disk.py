"""A disk that is really full: nothing breaks, nothing acknowledged is lost, and it comes back."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import DiskFull
from appliance.metrics import Metrics
from appliance.model import Commit, MarketSpec
from appliance.settings import Settings
from appliance.store.rebuild import unequal
from appliance.store.store import Store
from tests.fault.pushers import FIRST_S, KEY, Pushers
from tests.oracle import T, table
from tests.processes import Server, run

GOLD = MarketSpec("GOLD")
MB = 1 << 20
SIZE_MB = 72
DAY = 86_400


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a small file system of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"mounting a tmpfs is not permitted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def fill(folder: Path, leave: int = 0) -> Path:
    """Take all space but `leave` bytes, as some other program's log would."""
    path = folder / f"filler-{leave}"
    for _ in range(100):
        try:
            with path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, free(folder) - leave)
        except OSError:
            continue  # the server took some of it in between
        return path
    raise AssertionError(f"{folder} could not be filled")


def rows(start: int, count: int) -> list[T]:
    return [
        T((start + i) * 10**6, 1.0 + i % 9, 10**18, trade_id=f"{start + i}") for i in range(count)
    ]


def disk_part(server: Server) -> dict[str, Any]:
    parts = server.ask("/health/ready")[1]["parts"]
    return next(part for part in parts if part["name"] == "disk")


def test_a_full_disk_refuses_writes_and_serves_everything_else(small: Path) -> None:
    """507 at the floor, also to the last byte; with space it goes on, and nothing is missing."""
    variables = {"DISK_FLOOR": "24mb", "BALLAST_SIZE": "4mb", "API_KEYS": KEY}
    server = Server(small, "--no-demo", **variables).until("ready at")
    try:
        with Pushers(server, count=2) as pushers:
            pushers.until(2_000)
            assert "ok" == disk_part(server)["state"]
            filler = fill(small, leave=23 * MB)
            pushers.until_answered(507)
            state = disk_part(server)
            assert ("failing", 24 * MB) == (state["state"], state["floor_bytes"])
            assert state["free_bytes"] < 24 * MB
            assert "DISK_FLOOR" in state["reason"]
            rest = fill(small)
            query = f"symbol=M0&resolution=1&from={FIRST_S}&to={FIRST_S + 10**6}"
            status, body = server.ask(f"/api/tradingview/history?{query}")
            assert (200, "ok") == (status, body["s"])
            rest.unlink()
            filler.unlink()
            before = len(pushers.acknowledged)
            pushers.until(before + 2_000)
        assert "ok" == disk_part(server)["state"]
        assert server.ask("/health/ready")[1]["trades_stored"] >= len(pushers.acknowledged)
        assert server.process.poll() is None
    finally:
        server.kill()
    assert pushers.acknowledged <= ids_of(small)


def ids_of(data_dir: Path) -> set[str]:
    """Return what is stored, having compared candles with trades."""
    store, _ = opened(data_dir)
    try:
        return store.writer.call(lambda client: look(client, store)).result(60)
    finally:
        store.close()


def look(client: Any, store: Store) -> set[str]:
    assert [] == unequal(client, [m.id for m in store.catalogue.all()], 0, FIRST_S + 10**7)
    ids = client.query("SELECT trade_id FROM trades").result_columns[0]
    assert len(ids) == len(set(ids))
    return set(ids)


def opened(data_dir: Path, **settings: Any) -> tuple[Store, list[Commit]]:
    """Return a store without a floor unless one is given."""
    commits: list[Commit] = []
    values = {"disk_floor": 0, "ballast_size": 0} | settings
    data_dir.mkdir(exist_ok=True)
    store = Store(Settings(data_dir=data_dir, **values), Metrics(), commits.append)
    store.open()
    return store, commits


@pytest.mark.fault
@pytest.mark.parametrize("seed", range(6))
def test_an_insert_that_hits_the_end_is_finished_when_there_is_room(small: Path, seed: int) -> None:
    """Without a floor, so that the engine itself runs out of space: each time elsewhere."""
    store, _ = opened(small)
    acknowledged, start, refused = 0, FIRST_S, 0
    filler = fill(small, leave=2 * MB + seed * 300_000)
    try:
        while refused < 3:
            try:
                receipt = store.writer.submit(table(rows(start, 2_000)), (GOLD,)).result(60)
                acknowledged += receipt.accepted + receipt.duplicates
                start += 2_000
            except DiskFull:
                refused += 1
        query = {"market": 1, "before": 1 << 63, "limit": 100}
        assert 100 == len(store.reader.query_here("select_trades", query)[0])
        print(f"full after {acknowledged:,} trades, waiting: {store.pending}")
        filler.unlink()
        store.finish().result(60)
        assert not store.pending
        store.writer.submit(table(rows(start, 2_000)), (GOLD,)).result(60)
    finally:
        store.close()
    expected = {str(FIRST_S + i) for i in range(start + 2_000 - FIRST_S)}
    assert expected == ids_of(small)


@pytest.mark.fault
def test_the_ballast_is_what_pruning_needs(small: Path) -> None:
    """Full to the last byte nothing can be removed; without the ballast it can."""
    now = FIRST_S + 90 * DAY
    store, _ = opened(small, retention_trades_days=30, ballast_size=8 * MB)
    store.disk.inflate()
    for month in range(3):
        store.writer.submit(table(rows(FIRST_S + month * 30 * DAY, 5_000)), (GOLD,)).result(60)
    store.writer.call(lambda _: store._commits.rest()).result(60)  # pruning would free its files
    fill(small)
    try:
        with pytest.raises(DiskFull):
            store.prune(now).result(60)
        result = run("disk", "--data-dir", small, "--release-ballast")
        assert "8,388,608 bytes given back" in result.stdout
        assert store.prune(now).result(60) is True
        left = store.writer.call(lambda c: c.query("SELECT count() FROM trades").result_rows)
        assert [(5_000,)] == left.result(60)
    finally:
        store.close()


@pytest.mark.fault
def test_a_server_starts_on_a_full_disk(small: Path) -> None:
    """To serve what is there; it says what is wrong, and takes trades when there is space."""
    store, _ = opened(small)
    store.writer.submit(table(rows(FIRST_S, 500)), (GOLD,)).result(60)
    store.close()
    filler = fill(small)
    server = Server(small, "--no-demo", API_KEYS=KEY, BALLAST_SIZE="4mb", DISK_FLOOR="8mb")
    try:
        server.until("ready at")
        query = f"symbol=GOLD&resolution=1&from={FIRST_S}&to={FIRST_S + 3600}"
        assert "ok" == server.ask(f"/api/tradingview/history?{query}")[1]["s"]
        assert "failing" == disk_part(server)["state"]
        filler.unlink()
        with Pushers(server, count=1) as pushers:
            pushers.until(1_000)
    finally:
        server.kill()
    assert "Traceback" not in server.log
