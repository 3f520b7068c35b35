"""Make backups while trades arrive, one at a time.

freeze (between two commits) → draft of an archive → read back, every digest compared → kept.
Inserts wait for the freeze only; what the freeze holds is let go in the end, whatever happens.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from clickhouse_connect.driver.client import Client

from appliance import __version__
from appliance.errors import ApplianceError, BadRequest, Conflict, Retryable
from appliance.settings import Settings
from appliance.store import archive
from appliance.store.archive import Manifest
from appliance.store.archives import Archive, Archives
from appliance.store.freeze import Frozen, freeze, thaw
from appliance.store.migrate import migrations
from appliance.store.store import Store

log = logging.getLogger(__name__)
SERVER: Final = (
    "STORE_URL names a ClickHouse server, whose own BACKUP and RESTORE statements are to be used: "
    "backup and restore are for the embedded store"
)


@dataclass(frozen=True, slots=True)
class Progress:
    """The newest backup: what is being done, how far that is, and what came of it."""

    state: Literal["idle", "running", "done", "failed"] = "idle"
    step: str = ""
    done: float = 0.0
    archive: Archive | None = None
    error: str = ""

    @property
    def running(self) -> bool:
        """Return whether a backup is being made."""
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The tables at one moment, what the writer knew of them, and how long it stood still."""

    frozen: Frozen
    commit: int
    markets: int
    trades: int
    seconds: float


class Backups:
    """The one thread that makes backups."""

    def __init__(self, settings: Settings, store: Store, clock: Callable[[], float] = time.time):
        """Touch nothing before `clean`."""
        self.archives = Archives(settings.backup_folder, settings.disk_floor, clock)
        self.progress = Progress()
        self._path = settings.store_path
        self._store = store
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="backup")
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def clean(self) -> None:
        """Remove what an interrupted backup left; only the owner of the store may."""
        if self._path is not None:
            thaw(self._path)
        self.archives.clean()

    def close(self) -> None:
        """End a backup that runs and remove what there is of it; the next one is refused."""
        self._stopping.set()
        self._thread.shutdown(wait=True)

    def start(self, folder: Path | None = None) -> "Future[Archive]":
        """Begin a backup into `folder`, by default BACKUP_DIR.

        Raises:
            BadRequest: the store is a server.
            Conflict: one runs already.
        """
        if self._path is None:
            raise BadRequest(SERVER, "STORE_URL")
        archives = self.archives if folder is None else self.archives.elsewhere(folder)
        with self._lock:
            if self.progress.running:
                raise Conflict("a backup runs already; GET /api/admin/backup tells how far it is")
            self._go_on()
            self.progress = Progress("running", "freezing")
            return self._thread.submit(self._run, self._path, archives)

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise Retryable("the appliance is stopping: no backup is made")

    # -- the thread --

    def _run(self, store: Path, archives: Archives) -> Archive:
        try:
            made = self._make(store, archives)
        except Exception as error:
            reason = str(error) if isinstance(error, ApplianceError) else repr(error)
            log.error("backup failed: %s", reason)
            self.progress = replace(self.progress, state="failed", error=reason)
            raise
        finally:
            thaw(store)
        self.progress = replace(self.progress, state="done", done=1.0, archive=made)
        return made

    def _make(self, store: Path, archives: Archives) -> Archive:
        snapshot = self._store.writer.at_rest(lambda client: self._snapshot(client, store)).result()
        sources = dict(snapshot.frozen.files())
        with archives.draft() as draft:
            archives.require_room(_size(sources))
            manifest = self._manifest(snapshot, sources)
            archive.write(draft, manifest, sources, self._tick("writing"))
            self._verify(draft)
            made = archives.keep(draft, manifest.created)
        log.info(
            "backup %s: %d trades in %d bytes; inserts waited %.0f ms",
            *(made.path, manifest.trades, made.size, snapshot.seconds * 1_000),
        )
        return made

    def _snapshot(self, client: Client, store: Path) -> _Snapshot:
        begun = time.perf_counter()
        frozen = freeze(client, store)
        writer, markets = self._store.writer, len(self._store.catalogue)
        seconds = time.perf_counter() - begun
        return _Snapshot(frozen, writer.finished, markets, writer.trades_stored, seconds)

    def _manifest(self, snapshot: _Snapshot, sources: Mapping[str, Path]) -> Manifest:
        meter = archive.Meter(_size(sources), self._tick("reading"))
        return Manifest(
            format=archive.FORMAT,
            version=__version__,
            created=int(self._clock()),
            migrations={each.name: each.digest for each in migrations()},
            commit=snapshot.commit,
            markets=snapshot.markets,
            trades=snapshot.trades,
            rows=snapshot.frozen.rows(),
            files=[archive.described(name, path, meter) for name, path in sources.items()],
        )

    def _verify(self, draft: Path) -> None:
        try:
            archive.check(draft, self._tick("verifying"))
        except BadRequest as error:
            raise Retryable(f"the archive does not read back as it was written: {error}") from error

    def _tick(self, step: str) -> archive.Tick:
        def tick(done: float) -> None:
            self._go_on()
            self.progress = replace(self.progress, step=step, done=done)

        return tick


def _size(sources: Mapping[str, Path]) -> int:
    return sum(path.stat().st_size for path in sources.values())
