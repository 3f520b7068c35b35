"""The level on disk: bytes under names, in a folder that nobody else can read.

diskcache is synchronous, and pickles whatever is not plain: all calls are made on one thread, in
order, and anything but bytes is refused in both directions. A disk that fails is no disk: nothing
is found any more, which the log says once, and answers come from elsewhere.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import diskcache
from diskcache.core import MODE_BINARY, MODE_RAW, UNKNOWN

from appliance.metrics import Metrics

log = logging.getLogger(__name__)
LEVEL: Final = "disk"
_WAITING_MAX: Final = 512
"""Writes that wait; more are left out."""
_FAILURES: Final = (sqlite3.Error, OSError, TypeError, diskcache.Timeout)
T = TypeVar("T")


class BytesOnly(diskcache.Disk):  # type: ignore[misc] # diskcache has no types
    """Stores bytes under bytes and never pickles: loading a pickle runs what is in it."""

    def put(self, key: Any) -> Any:
        """Return the key as the database holds it."""
        return super().put(_bytes(key))

    def get(self, key: Any, raw: bool) -> Any:
        """Return the key that the database holds."""
        _require(raw)
        return _bytes(super().get(key, raw))

    def store(self, value: Any, read: bool, key: Any = UNKNOWN) -> Any:
        """Return the value as the database holds it."""
        _require(not read)
        return super().store(_bytes(value), read, key)

    def fetch(self, mode: int, filename: Any, value: Any, read: bool) -> Any:
        """Return the value that the database or a file holds."""
        _require(mode in (MODE_RAW, MODE_BINARY) and not read)
        return _bytes(super().fetch(mode, filename, value, read))


def _bytes(value: Any) -> bytes:
    _require(type(value) is bytes)
    found: bytes = value
    return found


def _require(is_plain: bool) -> None:
    if not is_plain:
        raise TypeError("the cache holds bytes only")


class Disk:
    """Bytes by name, on disk. Call it on the event loop."""

    def __init__(self, folder: Path | None, limit: int, metrics: Metrics) -> None:
        """Hold up to `limit` bytes in `folder`; without a folder, nothing."""
        self._folder = folder
        self._limit = limit
        self._cache: diskcache.Cache | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="cache-disk")
        self._waiting = 0
        self._hits = metrics.cache_lookups.labels(LEVEL, "hit")
        self._misses = metrics.cache_lookups.labels(LEVEL, "miss")
        self._evictions = metrics.cache_evictions.labels(LEVEL)
        self.bytes = 0
        metrics.cache_bytes.labels(LEVEL).set_function(lambda: self.bytes)

    @property
    def works(self) -> bool:
        """Return whether anything is kept."""
        return self._cache is not None

    @property
    def has_room(self) -> bool:
        """Return whether a write would be taken."""
        return self.works and self._waiting < _WAITING_MAX

    async def open(self) -> None:
        """Open the folder; where that fails, do without."""
        if self._folder is not None:
            await self._run(partial(self._open, self._folder), None)

    def _open(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._cache = diskcache.Cache(
            str(folder), disk=BytesOnly, size_limit=self._limit, timeout=5, sqlite_synchronous=1
        )
        self._measure()

    def _measure(self) -> None:
        self.bytes = int(self._cache.volume()) if self._cache is not None else 0

    async def names(self) -> list[bytes]:
        """Return the names of all that is held."""
        return await self._run(lambda: list(self._cache or ()), [])

    async def get(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Return what is held under each name."""
        nothing: list[bytes | None] = [None] * len(names)
        found = await self._run(lambda: [self._get(name) for name in names], nothing)
        for each in found:
            (self._misses if each is None else self._hits).inc()
        return found

    def _get(self, name: bytes) -> bytes | None:
        data: bytes | None = self._cache.get(name) if self._cache is not None else None
        return data

    async def put(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Hold things, in place of what was written first where there is no room."""
        self._waiting += 1
        try:
            await self._run(lambda: self._put(items), None)
        finally:
            self._waiting -= 1

    def _put(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        cache = self._cache
        if cache is None:
            return
        before, added = len(cache), 0
        with cache.transact():
            for name, data in items:
                cache.set(name, data)
                added += 1
        self._evictions.inc(max(0, before + added - len(cache)))
        self._measure()

    async def delete(self, names: Sequence[bytes]) -> None:
        """Hold these no more."""
        await self._run(lambda: self._delete(names), None)

    def _delete(self, names: Sequence[bytes]) -> None:
        cache = self._cache
        if cache is not None:
            with cache.transact():
                for name in names:
                    cache.delete(name)
            self._measure()

    async def clear(self) -> None:
        """Hold nothing."""
        await self._run(lambda: self._cache and self._cache.clear(), None)
        self.bytes = 0

    async def close(self) -> None:
        """Finish what waits, and close; closing again does nothing."""
        await self._run(lambda: self._cache and self._cache.close(), None)
        self._cache = None
        self._pool.shutdown(wait=False)

    async def _run(self, work: Callable[[], T], otherwise: T) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except _FAILURES as error:
            self._cache = None
            log.error("cache in %s: %s; going on without it", self._folder, error)
            return otherwise
