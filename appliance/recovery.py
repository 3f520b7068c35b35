"""`appliance backup` and `appliance restore`.

A backup goes through the running server, if there is one; a restore needs an empty directory, and
so no server.
"""

import argparse
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal

import msgspec

from appliance import running
from appliance.errors import BadRequest, Retryable
from appliance.metrics import Metrics
from appliance.progress import bars
from appliance.settings import Settings
from appliance.store import archive
from appliance.store import restore as stores
from appliance.store.archives import Archives
from appliance.store.backup import SERVER, Backups
from appliance.store.store import Store

_PATH: Final = "/api/admin/backup"
_LOOK_S: Final = 0.1
Show = Callable[[str, float], None]


class _Made(msgspec.Struct, frozen=True):
    """The part of an archive's row that is read here."""

    path: str


class _State(msgspec.Struct, frozen=True):
    """What the server answers about its backup."""

    state: Literal["idle", "running", "done", "failed"]
    step: str
    progress: float
    archive: _Made | None
    error: str | None


def backup(settings: Settings, options: argparse.Namespace) -> str:
    """Make a backup and return the summary for a person.

    Raises:
        BadRequest: there is nothing to back up, or the folder cannot be written.
        Retryable: the store, the disk or the server failed.
    """
    if settings.store_path is None:
        raise BadRequest(SERVER, "STORE_URL")
    folder: Path | None = options.to
    with bars() as show:
        if server := running.find(settings.data_dir):
            path = _by_server(server, show)
            if folder is not None and folder.resolve() != path.parent.resolve():
                path = _moved(path, Archives(folder, settings.disk_floor), show)
        else:
            path = _alone(settings, settings.store_path, folder, show)
    return (
        f"{_sentence('backup', archive.manifest_of(path))}, {path.stat().st_size:,} bytes: {path}"
    )


def restore(settings: Settings, options: argparse.Namespace) -> str:
    """Restore an archive into the data directory and return the summary for a person.

    Raises:
        BadRequest: the directory is not empty, or the archive cannot be restored.
        Retryable: there is no room.
    """
    with bars() as show:
        manifest = stores.restore(options.file, settings, show, repair=options.repair)
    return f"{_sentence('restored', manifest)}; candles equal trades: {settings.data_dir}"


def _sentence(what: str, manifest: archive.Manifest) -> str:
    created = datetime.fromtimestamp(manifest.created, UTC)
    return (
        f"{what}: {manifest.trades:,} trades of {manifest.markets:,} markets "
        f"as of {created:%Y-%m-%d %H:%M:%S} UTC"
    )


def _alone(settings: Settings, path: Path, folder: Path | None, show: Show) -> Path:
    if not path.is_dir():
        raise BadRequest(
            f"DATA_DIR must hold a store to back up, {str(settings.data_dir)!r} holds none: name "
            "another with --data-dir",
            "data_dir",
        )
    store = Store(settings, Metrics(), publish=lambda commit: None)
    store.open()
    backups = Backups(settings, store)
    try:
        backups.clean()
        future = backups.start(folder)
        while not future.done():
            show(backups.progress.step, backups.progress.done)
            time.sleep(_LOOK_S)
        return future.result().path
    finally:
        backups.close()
        store.close()


def _by_server(server: running.Running, show: Show) -> Path:
    state = _read(*running.post(server, _PATH, b"", "application/json"))
    while state.state == "running":
        show(state.step, state.progress)
        time.sleep(_LOOK_S)
        state = _read(*running.ask(server, _PATH))
    if state.archive is None:
        raise Retryable(f"the server made no backup: {state.error or 'its log says why'}")
    return Path(state.archive.path)


def _read(status: int, body: bytes) -> _State:
    if status >= 400:
        raise running.refusal(status, body)
    try:
        return msgspec.json.decode(body, type=_State)
    except (msgspec.MsgspecError, ValueError):
        raise Retryable(f"the server answered {status} with something else") from None


def _moved(path: Path, target: Archives, show: Show) -> Path:
    """Move an archive to another folder, perhaps of another disk, read back before it goes here."""
    with target.draft() as draft:
        target.require_room(path.stat().st_size)
        with path.open("rb") as source, archive.create(draft) as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
        manifest = archive.check(draft, partial(show, "moving"))
        moved = target.keep(draft, manifest.created)
    path.unlink()
    return moved.path
