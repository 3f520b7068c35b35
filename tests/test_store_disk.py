"""Below the floor nothing is written and everything is read; with space it goes on by itself."""

import os
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from appliance import cli
from appliance.caretaker import Caretaker, DiskState
from appliance.errors import DiskFull
from appliance.model import MarketSpec, Receipt
from appliance.settings import Settings
from appliance.store.disk import Disk, Room
from appliance.store.engine import failing
from tests.conftest import NOW, Opened, Opener
from tests.oracle import T, table

GOLD = MarketSpec("GOLD")
MB = 1 << 20
NO_SPACE = DatabaseError("Code: 243. DB::Exception: Cannot reserve 1 MiB. (NOT_ENOUGH_SPACE)")


def rows(start: int = NOW - 100, count: int = 5) -> list[T]:
    return [T((start + i) * 10**6, 1.0 + i, 10**18, trade_id=f"{start}-{i}") for i in range(count)]


def put(opened: Opened, trades: list[T]) -> Receipt:
    return opened.store.writer.submit(table(trades), (GOLD,)).result(60)


def disk(folder: Path, free: int, floor: int = 10 * MB, ballast: int = MB) -> Disk:
    """Return a disk that says how much is free."""
    answer: Any = SimpleNamespace(f_bavail=free, f_frsize=1)
    return Disk(folder, floor, ballast, statvfs=lambda _: answer)


def fill(opened: Opened, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Let the store's disk have so many free bytes."""
    answer: Any = SimpleNamespace(f_bavail=free, f_frsize=1)
    monkeypatch.setattr(opened.store.disk, "_statvfs", lambda _: answer)


def test_the_fullest_file_system_counts(tmp_path: Path) -> None:
    """The store may lie elsewhere; what is not there yet is no reason to stop."""
    sizes = {tmp_path: 5, tmp_path / "store": 3}

    def statvfs(path: Path) -> Any:
        if path not in sizes:
            raise FileNotFoundError
        return SimpleNamespace(f_bavail=sizes[path], f_frsize=MB)

    found = Disk(tmp_path, MB, 0, [tmp_path / "store", tmp_path / "gone"], statvfs).room()
    assert (Room(3 * MB, MB), False) == (found, found.low)


def test_the_ballast_is_really_there(tmp_path: Path) -> None:
    """Allocated, not sparse; made once, resized when the setting changes."""
    found = disk(tmp_path, 20 * MB)
    found.inflate()
    first = found.ballast.stat()
    assert (MB, True) == (first.st_size, first.st_blocks * 512 >= MB)
    found.inflate()
    assert first.st_ino == found.ballast.stat().st_ino
    disk(tmp_path, 20 * MB, ballast=MB // 2).inflate()
    assert MB // 2 == found.ballast.stat().st_size
    disk(tmp_path, 20 * MB, ballast=2 * MB).inflate()
    assert 2 * MB == found.ballast.stat().st_size
    disk(tmp_path, 20 * MB, ballast=0).inflate()
    assert [] == list(tmp_path.iterdir())


def test_no_ballast_takes_the_last_space(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where it would leave less than the floor it is left out, and made at a later start."""
    disk(tmp_path, 10 * MB + 5).inflate()
    assert [] == list(tmp_path.iterdir())
    assert "no room for the ballast of 1 MiB" in caplog.text
    disk(tmp_path, 11 * MB).inflate()
    assert (tmp_path / "ballast").exists()


def test_a_ballast_that_cannot_be_made_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves no half of it behind."""

    def fail(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", fail)
    disk(tmp_path, 20 * MB).inflate()
    assert [] == list(tmp_path.iterdir())
    assert "cannot be made: No space left on device" in caplog.text


def test_the_ballast_is_released_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether or not a server runs: it is a file."""
    disk(tmp_path, 20 * MB).inflate()
    settings = Settings(data_dir=tmp_path)
    assert 0 == cli._disk(settings, Namespace(release_ballast=False))
    assert f"1,048,576 bytes in {tmp_path}/ballast" in capsys.readouterr().out
    assert 0 == cli._disk(settings, Namespace(release_ballast=True))
    assert "1,048,576 bytes given back" in capsys.readouterr().out
    assert [] == list(tmp_path.iterdir())


def test_below_the_floor_writing_is_refused_and_reading_goes_on(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With reason and cure; nothing is taken, and it goes on by itself."""
    put(opened, rows())
    fill(opened, monkeypatch, 255 * MB)
    cure = r"less than 256 MiB \(DISK_FLOOR\) is free, 255 MiB is: free some space, or lower RETEN"
    with pytest.raises(DiskFull, match=cure):
        put(opened, rows(NOW - 50))
    with pytest.raises(DiskFull, match=cure):
        opened.store.writer.retract(1, 5).result(60)
    assert DiskFull.status == 507
    query = {"market": 1, "before": 1 << 63, "limit": 100}
    assert 5 == len(opened.store.reader.query_here("select_trades", query)[0])
    state = DiskState(opened.store).state()
    assert ("failing", 255 * MB, 256 * MB) == (state.state, *state.numbers.values())
    assert 255 * MB == opened.metrics.registry.get_sample_value("appliance_disk_free_bytes")
    fill(opened, monkeypatch, 256 * MB)
    assert Receipt(5, 0) == put(opened, rows(NOW - 50))
    assert "ok" == DiskState(opened.store).state().state


async def test_what_was_cut_short_is_finished_when_there_is_room(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The insert found no space: its journal entry waits, and needs nobody to send it again."""
    client, store = opened.store.writer._client, opened.store
    insert = client.insert_arrow

    def fail(*_: Any, **__: Any) -> None:
        raise NO_SPACE

    monkeypatch.setattr(client, "insert_arrow", fail)
    with pytest.raises(DiskFull, match=r"the disk is full: .*--release-ballast"):
        put(opened, rows())
    caretaker = Caretaker(store, lambda: float(NOW))
    fill(opened, monkeypatch, MB)
    await caretaker.round()
    assert (True, "failing") == (store.pending, DiskState(store).state().state)
    fill(opened, monkeypatch, 999 * MB)
    await caretaker.round()  # there is room, but the insert fails still
    state = caretaker.state()
    assert state is not None
    assert "the disk is full" in (state.reason or "")
    monkeypatch.setattr(client, "insert_arrow", insert)
    await caretaker.round()
    assert (False, None, "ok") == (
        *(store.pending, caretaker.state()),
        DiskState(store).state().state,
    )
    assert [5] == [commit.trades.num_rows for commit in opened.commits]
    assert Receipt(0, 5) == put(opened, rows())


def test_a_start_without_room_serves_and_finishes_later(
    open_store: Opener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the journal holds cannot be stored: the rest is read, and nothing is lost."""
    first = open_store()
    put(first, rows())
    client = first.store.writer._client

    def fail(*_: Any, **__: Any) -> None:
        raise NO_SPACE

    monkeypatch.setattr(client, "insert_arrow", fail)
    with pytest.raises(DiskFull):
        put(first, rows(NOW - 50))
    first.store.close()
    monkeypatch.setattr("appliance.store.commits.replay", fail)
    again = open_store()
    assert (5, True) == (again.store.writer.trades_stored, again.store.pending)
    with pytest.raises(DiskFull):
        put(again, rows(NOW - 20))
    monkeypatch.undo()
    again.store.finish().result(60)
    assert (10, False) == (again.store.writer.trades_stored, again.store.pending)
    assert Receipt(0, 5) == put(again, rows(NOW - 50))


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (NO_SPACE, True),
        (OSError(28, "No space left on device"), True),
        (DatabaseError("Code: 241. DB::Exception: memory (MEMORY_LIMIT_EXCEEDED)"), False),
        (OSError(5, "Input/output error"), False),
    ],
)
def test_a_full_disk_is_told_from_other_failures(error: Exception, full: bool) -> None:
    assert full is isinstance(failing(error), DiskFull)
