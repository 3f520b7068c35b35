"""The folder of finished backups: which there are, room for a new one, which are too old.

A file has its final name only when it is whole; until then it is a draft, and what a kill leaves
of it is removed by `clean`. One appliance keeps one folder.
"""

import errno
import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Final

from appliance.errors import BadRequest, DiskFull, NotFound
from appliance.store import archive

log = logging.getLogger(__name__)
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = re.compile(r"appliance-([0-9]{8}T[0-9]{6}Z)(?:-[0-9]{1,3})?\.tar\.zst")
_DRAFT: Final = ".partial"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Archive:
    """A finished backup: its file, `size` in bytes, `created` in unix seconds."""

    name: str
    path: Path
    size: int
    created: int


class Archives:
    """One folder of archives."""

    def __init__(
        self, folder: Path, floor: int = 0, clock: Callable[[], float] = time.time
    ) -> None:
        """Touch nothing before the first call; `floor` bytes of the disk are left free."""
        self.folder = folder
        self._floor = floor
        self._clock = clock
        self._naming = threading.Lock()

    def clean(self) -> None:
        """Remove the drafts that a kill left; only the owner of the store may."""
        if self.folder.is_dir():
            for path in self.folder.glob(f"*{_DRAFT}"):
                path.unlink(missing_ok=True)

    def all(self) -> list[Archive]:
        """Return the finished archives, newest first."""
        if not self.folder.is_dir():
            return []
        paths = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        found = [_archive(path) for path in paths if path.is_file() and not path.is_symlink()]
        return sorted(found, key=_age, reverse=True)

    def get(self, name: str) -> Archive:
        """Return one archive.

        Raises:
            NotFound: no archive of the folder has this name.
        """
        for each in self.all():
            if each.name == name:
                return each
        raise NotFound(f"name must be one that /api/admin/backups lists, was {name[:80]!r}", "name")

    def elsewhere(self, folder: Path) -> "Archives":
        """Return another folder under the same rules."""
        return Archives(folder, self._floor, self._clock)

    def require_room(self, size: int) -> None:
        """Return if `size` bytes may be written.

        Raises:
            DiskFull: they could leave less than the floor.
        """
        free = shutil.disk_usage(self.folder).free
        if free < size + self._floor:
            raise DiskFull(
                f"a backup takes up to {size:,} bytes, {free:,} are free in {self.folder} and "
                f"{self._floor:,} (DISK_FLOOR) stay free: free some space, or choose another folder"
            )

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """Yield a path to write a new archive to; what is there at the end is removed.

        Raises:
            DiskFull: there is no room for it.
            BadRequest: the folder cannot be written.
        """
        path = self.folder / f"{token_hex(8)}{_DRAFT}"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            yield path
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            with suppress(OSError):  # there may be no folder, or no disk
                path.unlink()

    def _unwritable(self, error: OSError) -> DiskFull | BadRequest:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            return DiskFull(f"the backup does not fit into {self.folder}: {reason}")
        text = f"the folder of the backup must be one that can be written, was {self.folder}"
        return BadRequest(f"{text}: {reason}", "BACKUP_DIR")

    def keep(self, draft: Path, created: int) -> Archive:
        """Give a whole draft the name of its moment, numbered if that is taken."""
        archive.sync(draft)
        stamp = datetime.fromtimestamp(created, UTC).strftime(_STAMP)
        with self._naming:
            path, number = self.folder / f"appliance-{stamp}.tar.zst", 1
            while path.exists():
                number += 1
                path = self.folder / f"appliance-{stamp}-{number}.tar.zst"
            draft.rename(path)
        archive.sync(self.folder)
        return _archive(path)

    def prune(self, days: int) -> list[Archive]:
        """Remove archives older than `days`, but never the newest that is one; return them."""
        found = self.all()
        kept = next((each for each in found if _readable(each.path)), None)
        before = self._clock() - days * DAY_S
        old = [each for each in found if each.created < before and each != kept]
        for each in old:
            each.path.unlink(missing_ok=True)
            log.info("backup %s is older than %d days: removed", each.name, days)
        return old


def _age(each: Archive) -> tuple[int, int, str]:
    return each.created, len(each.name), each.name  # -10 comes after -9


def _archive(path: Path) -> Archive:
    stamp = path.name.removeprefix("appliance-")[: len("20260101T000000Z")]
    moment = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    return Archive(path.name, path, path.stat().st_size, int(moment.timestamp()))


def _readable(path: Path) -> bool:
    try:
        archive.manifest_of(path)
    except (BadRequest, OSError):
        return False
    return True
