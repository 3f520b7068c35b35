"""The free space below the store: a floor under which nothing is written, and a ballast.

The engine cannot even drop a month of trades on a disk that is full to the last byte. So writing
stops at the floor, while there is room for merges and for pruning; and where something else filled
the disk all the same, removing the ballast file gives back enough to prune.
"""

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.errors import DiskFull

log = logging.getLogger(__name__)
BALLAST: Final = "ballast"
_MEBIBYTE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes: what is free, and the floor below which nothing is written."""

    free: int
    floor: int

    @property
    def low(self) -> bool:
        """Return whether writing is refused."""
        return self.free < self.floor


class Disk:
    """The file systems of one data directory."""

    def __init__(
        self,
        data_dir: Path,
        floor: int,
        ballast: int,
        others: Iterable[Path] = (),
        statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
    ) -> None:
        """Watch `data_dir` and `others`; sizes in bytes, a ballast of 0 is none."""
        self._paths = (data_dir, *others)
        self._floor = floor
        self._size = ballast
        self._statvfs = statvfs
        self.ballast = data_dir / BALLAST

    def room(self) -> Room:
        """Return the space of the file system that has least; takes some microseconds.

        What cannot be asked, as it is not there yet, counts as free.
        """
        free = [self._free(path) for path in self._paths]
        return Room(min(free), self._floor)

    def _free(self, path: Path) -> int:
        with suppress(OSError):
            found = self._statvfs(path)
            return found.f_bavail * found.f_frsize
        return 1 << 62

    def require_room(self) -> None:
        """Return if there is room to write.

        Raises:
            DiskFull: less is free than the floor.
        """
        room = self.room()
        if room.low:
            raise DiskFull(sentence(room))

    def inflate(self) -> None:
        """Make the ballast as large as it should be, where that leaves the floor free.

        Never raises: without a ballast everything works as well, until the disk is full.
        """
        try:
            has = self.ballast.stat().st_blocks * 512 if self.ballast.exists() else 0
            if self._size == 0:
                self.ballast.unlink(missing_ok=True)
            elif has < self._size:
                self._allocate(has)
            elif self.ballast.stat().st_size > self._size:
                os.truncate(self.ballast, self._size)
        except OSError as error:
            log.warning("the ballast %s cannot be made: %s", self.ballast, error.strerror)

    def _allocate(self, has: int) -> None:
        if self._free(self.ballast.parent) - (self._size - has) < self._floor:
            log.warning("no room for the ballast of %s: %s", _size(self._size), self.ballast)
            return
        draft = self.ballast.with_suffix(".tmp")
        try:
            with draft.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
            draft.replace(self.ballast)
        finally:
            draft.unlink(missing_ok=True)

    def release(self) -> int:
        """Remove the ballast and return how many bytes that gave back."""
        with suppress(FileNotFoundError):
            size = self.ballast.stat().st_blocks * 512
            self.ballast.unlink()
            return size
        return 0


def sentence(room: Room) -> str:
    """Return why nothing is written, and what to do."""
    return (
        f"nothing is written while less than {_size(room.floor)} (DISK_FLOOR) is free, "
        f"{_size(room.free)} is: free some space, or lower RETENTION_TRADES_DAYS; reading goes on"
    )


def _size(size: int) -> str:
    return f"{size / _MEBIBYTE:,.0f} MiB"
