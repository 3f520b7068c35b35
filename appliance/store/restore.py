"""Make a store of an archive, in a data directory that holds none.

The archive is checked whole before anything is touched. The store is made beside its place, by the
migrations that the archive was made with, checked against the manifest and its candles against its
trades, and only then moved there: a restore that fails or is killed leaves nothing a server would
open. Later migrations are applied by the next start, as always.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Final, Protocol

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from appliance.errors import BadRequest, DiskFull
from appliance.settings import Settings
from appliance.store import archive
from appliance.store.archive import Manifest, Tick
from appliance.store.backup import SERVER
from appliance.store.compare import looks, spans
from appliance.store.engine import Engine
from appliance.store.enrol import load_markets
from appliance.store.freeze import tables
from appliance.store.journal import Span
from appliance.store.migrate import migrate, migrations
from appliance.store.reader import select
from appliance.store.rebuild import rebuild, run

_STAGE: Final = "restoring"
_HARMLESS: Final = {
    "ballast",
    "cache",
    "lost+found",
    "restoring.lock",
    "server.json",
    "store.lock",
    "tmp",
}
"""What may lie in a data directory without holding anything that is stored."""
_QUERY_MS: Final = 3_600_000


class Watch(Protocol):
    """Told how far each step is: its name, and 0 to 1."""

    def __call__(self, step: str, done: float, /) -> None:
        """Take note."""


def restore(path: Path, settings: Settings, show: Watch, repair: bool = False) -> Manifest:
    """Restore archive `path` into the data directory and return its manifest.

    Candles that were not what their trades make are refused, or with `repair` made anew.

    Raises:
        BadRequest: the directory is not empty, the archive is damaged or of a newer version, or
            what came out of it is not what its manifest says; nothing was left behind.
        DiskFull: there is no room for it.
    """
    store = _free_place(settings)
    if not path.is_file():
        raise BadRequest(f"FILE must be a backup that exists, was {str(path)!r}", "file")
    manifest = archive.check(path, partial(show, "checking"))
    _refuse_unknown(manifest)
    with _stage(store) as stage:
        _require_room(stage, manifest)
        _fill(stage, path, settings, show, repair)
        os.sync()  # the engine does not sync its files; once it is in place, it must last
        stage.rename(store)
    return manifest


def _free_place(settings: Settings) -> Path:
    """Return where the store goes, if nothing is there."""
    store = settings.store_path
    if store is None:
        raise BadRequest(SERVER, "STORE_URL")
    backups = settings.backup_folder.resolve()
    folders = {settings.data_dir.resolve(), store.parent.resolve()}
    paths = [path for each in folders if each.is_dir() for path in each.iterdir()]
    if held := sorted(p.name for p in paths if p.name not in _HARMLESS and p != backups):
        cut = f" ({_STAGE}: of a restore that was cut short)" if _STAGE in held else ""
        raise BadRequest(
            f"DATA_DIR must be empty to restore into, {str(settings.data_dir)!r} holds "
            f"{', '.join(held[:5])}{cut}: move that away, or choose another with --data-dir",
            "data_dir",
        )
    return store


def _refuse_unknown(manifest: Manifest) -> None:
    known = {each.name: each.digest for each in migrations()}
    for name, digest in manifest.migrations.items():
        if known.get(name) != digest:
            raise BadRequest(
                f"FILE must be a backup that this version can read, was made by {manifest.version} "
                f"with another schema/{name}: install that version",
                "file",
            )


@contextmanager
def _stage(store: Path) -> Iterator[Path]:
    """Yield a new folder beside the store's place; whatever is made there goes, unless moved."""
    made = [path for path in (store.parent, *store.parent.parents) if not path.exists()]
    stage = store.with_name(_STAGE)
    try:
        store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stage.mkdir(mode=0o700)
    except OSError as error:
        raise BadRequest(
            f"DATA_DIR must be a directory that can be written, was {str(store.parent)!r}: "
            f"{error.strerror}",
            "data_dir",
        ) from None
    try:
        yield stage
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        _lock_of(stage).unlink(missing_ok=True)
        for path in made:
            with suppress(OSError):
                path.rmdir()
        raise
    _lock_of(stage).unlink(missing_ok=True)


def _lock_of(stage: Path) -> Path:
    return stage.with_name(f"{stage.name}.lock")


def _require_room(stage: Path, manifest: Manifest) -> None:
    free = shutil.disk_usage(stage).free
    if free < manifest.size:
        raise DiskFull(
            f"the backup takes {manifest.size:,} bytes unpacked, {free:,} are free in "
            f"{stage.parent}: free some space, or choose another with --data-dir"
        )


def _fill(stage: Path, path: Path, settings: Settings, show: Watch, repair: bool) -> None:
    engine = Engine(f"chdb://{stage.resolve()}", settings.memory_limit_mb, _QUERY_MS)
    client = engine.open()
    try:
        manifest = archive.manifest_of(path)
        migrate(client, manifest.migrations)
        run(client, "stop_merges", {})  # of the tables there are; rows are compared by parts
        before = _rows(client)
        folders = _folders(client, manifest)
        archive.unpack(path, lambda name: _placed(folders, name), partial(show, "unpacking"))
        _attach(client, manifest)
        _compare(client, manifest, before)
        run(client, "start_merges", {})  # a deletion of candles waits for one
        _settle(client, _unequal(client, partial(show, "comparing")), repair)
    except ClickHouseError as error:
        reason = str(error).partition("\n")[0]
        raise BadRequest(f"FILE cannot be restored: {reason[:300]}", "file") from error
    finally:
        engine.close()


def _folders(client: Client, manifest: Manifest) -> dict[str, Path]:
    folders = {table: folder / "detached" for table, folder in tables(client).items()}
    for file in manifest.files:
        table = file.name.partition("/")[0]
        if table not in folders:
            raise BadRequest(f"FILE holds a table that this version has not: {table!r}", "file")
    return folders


@contextmanager
def _placed(folders: dict[str, Path], name: str) -> Iterator[IO[bytes]]:
    table, _, rest = name.partition("/")
    path = folders[table] / rest
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with path.open("xb") as sink:
        yield sink


def _attach(client: Client, manifest: Manifest) -> None:
    """Attach the parts in the order of their first block: of equal rows the last one counts."""
    parts = {tuple(file.name.split("/")[:2]) for file in manifest.files}
    for table, part in sorted(parts, key=lambda each: (each[0], _first_block(each[1]), each[1])):
        run(client, "attach_part", {"table": table, "part": part})


def _first_block(part: str) -> int:
    """Return the second of partition_first_last_level[_mutation]."""
    pieces = part.split("_")
    return int(pieces[1]) if len(pieces) > 3 and pieces[1].isdecimal() else 0


def _rows(client: Client) -> Counter[str]:
    columns = select(client, "select_table_rows", {})
    return Counter(dict(zip(*columns, strict=True)) if columns else {})


def _compare(client: Client, manifest: Manifest, before: Counter[str]) -> None:
    """Refuse a store that does not hold what the manifest says."""
    rows = _rows(client)
    rows.subtract(before)
    for table, expected in manifest.rows.items():
        _refuse_other(f"rows of {table}", expected, rows[table])
    _refuse_other("trades", manifest.trades, int(select(client, "select_trade_count", {})[0][0]))
    _refuse_other("markets", manifest.markets, len(load_markets(client)))


def _refuse_other(what: str, expected: int, actual: int) -> None:
    if expected != actual:
        raise BadRequest(f"FILE must restore {expected:,} {what}, made {actual:,}", "file")


def _unequal(client: Client, tick: Tick) -> list[Span]:
    """Return the days with a candle that is not what its trades make."""
    floors = {int(m.id): m.raw_complete_from for m in load_markets(client) if m.raw_complete_from}
    found: list[Span] = []
    for look in looks(client, 0, floors):
        found += spans(look.found)
        tick(look.done)
    return found


def _settle(client: Client, broken: list[Span], repair: bool) -> None:
    """Make unequal candles anew, if that is wanted; else refuse them."""
    if broken and not repair:
        raise BadRequest(
            f"FILE must hold candles that equal their trades, {len(broken):,} ranges of days do "
            "not: they were unequal when it was made; restore with --repair to make them anew",
            "file",
        )
    for span in broken:
        rebuild(client, span)
