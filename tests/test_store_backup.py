"""A backup is one moment that existed, and restores elsewhere; nothing else is left behind."""

import errno
import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from appliance.errors import BadRequest, Conflict, DiskFull, NotFound, Retryable
from appliance.model import MarketSpec
from appliance.settings import Settings
from appliance.store import archive
from appliance.store.archive import Manifest
from appliance.store.archives import DAY_S, Archives
from appliance.store.backup import Backups
from appliance.store.freeze import freeze
from appliance.store.migrate import migrations
from appliance.store.restore import restore
from tests.archives import rewritten, whole
from tests.conftest import NOW, Opened, Opener
from tests.oracle import T, table
from tests.processes import command, run
from tests.restored import ask, outcomes, restored

GOLD = MarketSpec("GOLD")
POOL = MarketSpec("POOL", chain_id=1, contract="0x" + "ab" * 20, order="chain")
BATCH = 7
NEWEST = migrations()[-1].name
NUMBERS = "SELECT toInt64(trade_id) FROM trades WHERE trade_id != '' ORDER BY 1"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return those that the fixture `opened` opens its store with."""
    return Settings(data_dir=tmp_path)


def put(opened: Opened, first: int, count: int = BATCH, spec: MarketSpec = GOLD) -> None:
    """Store trades that carry their numbers."""
    rows = [
        T((NOW - 10_000_000 + 1_000 * i) * 10**6, 1.0 + i, 10**18, trade_id=str(i))
        for i in range(first, first + count)
    ]
    opened.store.writer.submit(table(rows), (spec,)).result(60)


def reorganized(opened: Opened) -> None:
    """Store a chain's blocks, take some back, and store them again."""
    rows = [T((NOW + 100 * b) * 10**6, 1.0 + b, 10**18, block=b) for b in range(1, 21)]
    opened.store.writer.submit(table(rows), (POOL,)).result(60)
    opened.store.writer.retract(1, 11).result(60)
    opened.store.writer.submit(table(rows[10:15]), (POOL,)).result(60)


def left(folder: Path) -> list[str]:
    """Return what is left of backups that did not end."""
    shadow = folder / "store" / "shadow"
    frozen = [path for path in shadow.iterdir() if path.is_dir()] if shadow.is_dir() else []
    return [path.name for path in (*frozen, *folder.rglob("*.partial"))]


def test_backups_under_ingest_are_moments_that_existed(
    opened: Opened, settings: Settings, tmp_path: Path
) -> None:
    """Each restores elsewhere with trades equal to candles: whole commits, none missing between."""
    reorganized(opened)
    put(opened, 0)
    stop, numbers = threading.Event(), itertools.count(BATCH, BATCH)

    def ingest() -> None:
        while not stop.is_set():
            put(opened, next(numbers))

    writer = threading.Thread(target=ingest)
    writer.start()
    backups = Backups(settings, opened.store)
    try:
        made = [backups.start().result(60) for _ in range(3)]
    finally:
        stop.set()
        writer.join()
        backups.close()
    stored = next(numbers)
    assert made[::-1] == backups.archives.all()
    assert [0o600] * 3 == [each.path.stat().st_mode & 0o777 for each in made]
    assert [] == left(tmp_path)
    manifests = [archive.manifest_of(each.path) for each in made]
    targets = restored([each.path for each in made], tmp_path / "elsewhere")
    for manifest, rows in zip(manifests, ask(targets, NUMBERS), strict=True):
        found = [row[0] for row in rows]
        assert list(range(manifest.trades - 15)) == found
        assert (0, 2) == (len(found) % BATCH, manifest.markets)
        assert manifest.trades - 15 <= stored
    commits = [manifest.commit for manifest in manifests]
    assert sorted(commits) == commits
    assert manifests[0].trades - 15 < stored, "ingest went on"


def test_what_a_failed_commit_left_is_finished_first(
    opened: Opened, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A table that holds what its candles lack is no moment that existed."""
    client: Any = opened.store.writer._client
    insert = client.insert_arrow

    def die(*arguments: Any, **named: Any) -> None:
        monkeypatch.setattr(client, "insert_arrow", insert)
        raise RuntimeError("died")

    put(opened, 0)
    monkeypatch.setattr(client, "insert_arrow", die)
    with pytest.raises(RuntimeError, match="died"):
        put(opened, BATCH)
    backups = Backups(settings, opened.store)
    made = backups.start().result(60)
    backups.close()
    assert 2 * BATCH == archive.manifest_of(made.path).trades


def test_what_is_restored_must_be_what_was_stored(
    opened: Opened, settings: Settings, tmp_path: Path
) -> None:
    """Else nothing is left of it; an older schema is brought up to date by the next start."""
    put(opened, 0)
    for spoil in (
        "ALTER TABLE candles UPDATE trades = trades + 1 WHERE interval = 60",
        f"ALTER TABLE checkpoints DELETE WHERE key = '{NEWEST}'",  # as the older version knows it
    ):
        opened.store.writer.call(_mutation(spoil)).result(60)
    backups = Backups(settings, opened.store)
    source = backups.start().result(60).path
    backups.close()
    changes: dict[str, tuple[Callable[[Manifest], Manifest], list[str]]] = {
        "more": (lambda m: msgspec.structs.replace(m, trades=m.trades + 1), []),
        "same": (lambda m: m, []),
        "older": (_older, ["--repair"]),
    }
    (tmp_path / "new").mkdir()
    words = [
        command(
            *("restore", rewritten(source, tmp_path / name, change), *flags),
            *("--data-dir", tmp_path / "new" / name),
        )
        for name, (change, flags) in changes.items()
    ]
    said = outcomes(words)
    assert (2, "appliance: FILE must restore 8 trades, made 7\n") == said[0]
    assert (2, True) == (said[1][0], "do not: they were unequal when it was made" in said[1][1])
    assert (0, True) == (said[2][0], "candles equal trades" in said[2][1])
    assert ["older"] == [path.name for path in (tmp_path / "new").iterdir()]
    data = tmp_path / "new" / "older"
    assert ["store"] == [path.name for path in data.iterdir()]
    result = run("get", "/health/ready", "--data-dir", data)
    assert NEWEST in result.stderr
    assert f'"trades_stored":{BATCH}' in result.stdout


def _mutation(statement: str) -> Callable[[Client], None]:
    def run_it(client: Client) -> None:
        client.command(statement, settings={"mutations_sync": 1})

    return run_it


def _older(manifest: Manifest) -> Manifest:
    known = {name: digest for name, digest in manifest.migrations.items() if name != NEWEST}
    return msgspec.structs.replace(manifest, migrations=known)


@pytest.mark.parametrize(
    ("broken", "number", "expected"),
    [
        ("write", errno.ENOSPC, "does not fit into"),
        ("write", errno.EACCES, "must be one that can be written"),
        ("check", 0, "the archive does not read back as it was written: FILE must"),
    ],
)
def test_a_backup_that_fails_leaves_nothing(
    opened: Opened,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    broken: str,
    number: int,
    expected: str,
) -> None:
    """And says why; inserts go on, and so does the next backup."""
    put(opened, 0)
    backups = Backups(settings, opened.store)
    write = archive.write

    def fail(path: Path, *arguments: Any) -> None:
        write(path, *arguments)
        if number:
            raise OSError(number, "broken")
        path.write_bytes(path.read_bytes()[:-9])

    with monkeypatch.context() as patch:
        patch.setattr(archive, "write", fail)
        future = backups.start()
        with pytest.raises((DiskFull, BadRequest, Retryable), match=expected):
            future.result(60)
    assert ("failed", True) == (backups.progress.state, expected in backups.progress.error)
    assert ([], []) == (left(tmp_path), backups.archives.all())
    put(opened, BATCH)
    assert 2 * BATCH == archive.manifest_of(backups.start().result(60).path).trades
    assert "done" == backups.progress.state
    backups.close()


def test_one_at_a_time_and_none_while_stopping(
    opened: Opened, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A stop does not wait for the end of a backup, and takes its pieces away."""
    put(opened, 0)
    backups = Backups(settings, opened.store)
    begun, go_on, write = threading.Event(), threading.Event(), archive.write

    def slow(*arguments: Any) -> None:
        begun.set()
        assert go_on.wait(60)
        write(*arguments)

    monkeypatch.setattr(archive, "write", slow)
    future = backups.start()
    assert begun.wait(60)
    with pytest.raises(Conflict, match="a backup runs already"):
        backups.start()
    put(opened, BATCH)  # inserts do not wait for the archive
    stopper = threading.Thread(target=backups.close)
    stopper.start()
    while not backups._stopping.is_set():
        stopper.join(0.01)
    go_on.set()
    with pytest.raises(Retryable, match="is stopping"):
        future.result(60)
    stopper.join()
    with pytest.raises(Retryable, match="is stopping"):
        backups.start()
    assert ([], []) == (left(tmp_path), backups.archives.all())


def test_a_start_removes_what_a_kill_left(
    open_store: Opener, settings: Settings, tmp_path: Path
) -> None:
    """The second names of parts, and the draft of an archive; finished ones stay."""
    opened = open_store()
    put(opened, 0)
    finished = whole(tmp_path / "appliance-20250101T000000Z.tar.zst")
    backups = Backups(settings, opened.store)
    backups.archives.folder.mkdir()
    finished = finished.rename(backups.archives.folder / finished.name)
    (backups.archives.folder / "0123.partial").write_bytes(b"half of it")
    assert settings.store_path is not None
    opened.store.writer.call(lambda c: freeze(c, settings.store_path)).result(60)  # type: ignore[arg-type]
    opened.store.close()
    assert 2 == len(left(tmp_path))
    again = open_store()
    Backups(settings, again.store).clean()
    assert [] == left(tmp_path)
    assert [finished] == [each.path for each in backups.archives.all()]


def test_no_backup_where_it_could_fill_the_disk(opened: Opened, tmp_path: Path) -> None:
    put(opened, 0)
    backups = Backups(Settings(data_dir=tmp_path, disk_floor=1 << 60), opened.store)
    with pytest.raises(DiskFull, match=r"\(DISK_FLOOR\) stay free"):
        backups.start().result(60)
    backups.close()
    assert [] == left(tmp_path)


def test_a_server_is_backed_up_by_itself(opened: Opened, tmp_path: Path) -> None:
    remote = Settings(data_dir=tmp_path / "none", store_url="clickhouse://host:8123/db")
    with pytest.raises(BadRequest, match="whose own BACKUP and RESTORE statements"):
        Backups(remote, opened.store).start()
    with pytest.raises(BadRequest, match="whose own BACKUP and RESTORE statements"):
        restore(whole(tmp_path / "a"), remote, lambda step, done: None)
    assert not remote.data_dir.exists()


# -- the folder --


def folder_of(path: Path, days: list[int]) -> Archives:
    """Return a folder of whole archives that are so many days old."""
    archives = Archives(path, clock=lambda: NOW)
    for age in days:
        with archives.draft() as draft:
            archives.keep(whole(draft), NOW - age * DAY_S)
    return archives


def test_old_archives_go(tmp_path: Path) -> None:
    archives = folder_of(tmp_path, [0, 10, 30, 31, 90])
    assert [31, 90] == [(NOW - each.created) // DAY_S for each in archives.prune(30)]
    assert [0, 10, 30] == [(NOW - each.created) // DAY_S for each in archives.all()]


def test_the_newest_good_one_stays_however_old(tmp_path: Path) -> None:
    """One that cannot be read does not count as such."""
    archives = folder_of(tmp_path, [40, 50, 60])
    archives.all()[0].path.write_bytes(b"broken")
    archives.prune(30)
    assert [50] == [(NOW - each.created) // DAY_S for each in archives.all()]


def test_two_of_one_second_have_two_names(tmp_path: Path) -> None:
    archives = folder_of(tmp_path, [1, 1, 1])
    names = [each.name for each in archives.all()]
    assert 3 == len(set(names))
    assert all(name.startswith("appliance-20250614T150640Z") for name in names)


def test_only_archives_of_the_folder_are_found(tmp_path: Path) -> None:
    archives = folder_of(tmp_path / "in", [1])
    (only,) = archives.all()
    outside = only.path.rename(tmp_path / only.name)
    only.path.symlink_to(outside)
    for name in (only.name, f"../{only.name}", str(outside), "", "appliance-1.tar.zst"):
        with pytest.raises(NotFound, match="name must be one that /api/admin/backups lists"):
            archives.get(name)
    assert [] == Archives(tmp_path / "missing").all()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(BadRequest, match=r"must be one that can be written, was .*/file/in"),
        Archives(tmp_path / "file" / "in").draft(),
    ):
        pass
