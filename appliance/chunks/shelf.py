"""Chunks on disk, for what memory has no room for, and for after a restart.

What is on disk is known by a list in memory: a commit takes names off it at once, the bytes go
when the disk's thread gets to it, and a name is used once only. So while a process lives, what it
reads is what it wrote and nothing changed since. From one process to the next that is proven by a
seal (seal.py): a store that was changed by anybody in between, or a process that was killed, leaves
none that fits, and the disk is emptied.
"""

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np
import pyarrow as pa

from appliance import forming
from appliance.cache.disk import Disk
from appliance.chunks.chunk import END, Chunk, load
from appliance.chunks.read import Read
from appliance.chunks.strip import Gap, Question, Strip, revised, touched
from appliance.errors import ApplianceError
from appliance.interval import Interval, parse, stored_divisor
from appliance.model import Market

log = logging.getLogger(__name__)
SEAL: Final = b"seal"
_LOADED_MAX: Final = 64
"""Chunks that are loaded at a time."""


@dataclass(slots=True)
class Entry:
    """A chunk on disk: its range, how many candles it has, and its name."""

    start: int
    end: int
    leans: bool
    rows: int
    name: bytes
    alive: bool = True


class Shelf:
    """The chunks on disk, by market and interval."""

    def __init__(self, disk: Disk) -> None:
        """Know nothing before `open`."""
        self._disk = disk
        self._entries: dict[int, dict[Interval, list[Entry]]] = {}
        self._serials = count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, unseal: Callable[[], Awaitable[str]]) -> None:
        """Take over what an earlier process left, if the store is as it was sealed then.

        `unseal` returns the store's seal and breaks it.
        """
        await self._disk.open()
        [found] = await self._disk.get([SEAL])
        await self._disk.delete([SEAL])
        seal = ""
        try:
            seal = await unseal()
        except ApplianceError as error:
            log.warning("this start begins without cached answers: %s", error)
        if not seal or found != seal.encode():
            await self._disk.clear()
            return
        highest = 0
        for name in await self._disk.names():
            market, interval, start, end, leans, rows, serial = name.decode().split("/")
            entry = Entry(int(start), int(end), leans == "1", int(rows), name)
            self._of(int(market), parse(interval)).append(entry)
            highest = max(highest, int(serial))
        for by_interval in self._entries.values():
            for entries in by_interval.values():
                entries.sort(key=lambda entry: entry.start)
        self._serials = count(highest + 1)

    async def close(
        self,
        chunks: Iterable[tuple[Chunk, Market, Interval]],
        seal: Callable[[], Awaitable[str]],
    ) -> None:
        """Put chunks on disk, and seal them together with the store."""
        for each in chunks:
            while self._tasks and not self._disk.has_room:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            self.put(*each)
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._disk.works:
            try:
                await self._disk.put([(SEAL, (await seal()).encode())])
            except ApplianceError as error:
                log.warning("the next start begins without cached answers: %s", error)
        await self._disk.close()

    def _of(self, market_id: int, interval: Interval) -> list[Entry]:
        return self._entries.setdefault(market_id, {}).setdefault(interval, [])

    def _known(self, market: Market, interval: Interval) -> list[Entry]:
        return self._entries.get(market.id, {}).get(interval, [])

    # -- chunks --

    def put(self, chunk: Chunk, market: Market, interval: Interval) -> None:
        """Write a chunk, unless it is there or too much waits to be written."""
        is_closed = chunk.start < chunk.end < END
        if not is_closed or not self._disk.has_room:
            return
        entries = self._of(market.id, interval)
        over = [e for e in entries if e.start < chunk.end and e.end > chunk.start]
        if len(over) == 1 and (over[0].start, over[0].end) == (chunk.start, chunk.end):
            return
        self._drop(entries, over)
        words = market.id, interval.name, chunk.start, chunk.end, int(chunk.leans), len(chunk)
        name = "/".join(map(str, (*words, next(self._serials)))).encode()
        entry = Entry(chunk.start, chunk.end, chunk.leans, len(chunk), name)
        entries.insert(bisect_left(entries, entry.start, key=lambda e: e.start), entry)
        self._begin(self._disk.put([(name, chunk.dump())]))

    def end_before(self, market: Market, interval: Interval, at: int) -> int:
        """Return where the newest chunk before a time ends, 0 if there is none."""
        return max((e.end for e in self._known(market, interval) if e.end <= at), default=0)

    async def fetch(self, strip: Strip, gap: Gap, question: Question) -> Read | None:
        """Return what is on disk of a gap, from its newest end on; None if nothing is."""
        wanted = self._wanted(strip, gap)
        if not wanted:
            return None
        chunks: list[Chunk] = []
        found = await self._disk.get([entry.name for entry in wanted])
        for entry, data in zip(wanted, found, strict=True):
            chunk = load(data) if data is not None and entry.alive else None
            if chunk is None:
                self._drop(self._of(strip.market.id, strip.interval), [entry])
                break
            start, end = max(chunk.start, gap.below), min(chunk.end, gap.above)
            whole = (start, end) == (chunk.start, chunk.end)
            chunks.insert(0, chunk if whole else chunk.part(start, end))
        return Read(chunks[0].start, chunks, None, 0) if chunks else None

    def _wanted(self, strip: Strip, gap: Gap) -> list[Entry]:
        """Return the entries that join each other from the gap's newest end on, newest first."""
        entries = self._known(strip.market, strip.interval)
        found: list[Entry] = []
        at, rows = gap.at, 0
        i = bisect_left(entries, at, key=lambda e: e.start) - 1
        while i >= 0 and entries[i].end >= at > gap.below and len(found) < _LOADED_MAX:
            found.append(entries[i])
            at, rows = entries[i].start, rows + entries[i].rows
            if at <= gap.start and rows >= gap.count:
                break
            i -= 1
        return found

    # -- changes --

    def touch(self, market_id: int, first: int, last: int) -> None:
        """Take off the list what holds one of the seconds from `first` to `last`."""
        for interval, entries in self._entries.get(market_id, {}).items():
            self._drop(entries, revised(entries, interval, first, last))

    def add(self, trades: pa.Table) -> None:
        """Take off the list what new trades fall into."""
        if not self._entries:
            return
        ids = trades["market_id"].to_numpy()
        seconds = trades["time"].cast(pa.int64()).to_numpy() // 1_000_000
        for market_id in self._entries.keys() & set(ids.tolist()):
            of_market = np.unique(seconds[ids == market_id])
            for interval, entries in self._entries[market_id].items():
                if entries and of_market[0] < entries[-1].end:
                    starts = np.unique(forming.floors(interval, of_market))
                    self._drop(entries, touched(entries, starts))

    def prune(self, kept_from: Mapping[int, int]) -> None:
        """Take off the list what begins before the second from which candles are kept."""
        for by_interval in self._entries.values():
            for interval, entries in by_interval.items():
                limit = kept_from.get(stored_divisor(interval).seconds, 0)
                if limit:
                    self._drop(entries, revised(entries, interval, 0, limit - 1))

    def forget(self) -> None:
        """Take everything off the list."""
        for by_interval in self._entries.values():
            for entries in by_interval.values():
                self._drop(entries, list(entries))

    def _drop(self, entries: list[Entry], gone: list[Entry]) -> None:
        if gone:
            for entry in gone:
                entry.alive = False
            entries[:] = [entry for entry in entries if entry.alive]
            self._begin(self._disk.delete([entry.name for entry in gone]))

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
