"""The journal: what is about to be stored, on disk before it is, one file an entry.

An entry is written before its insert begins and synced before it is acknowledged. Once it is
applied its file is renamed to `.done`; it goes when the file system has been told to write out
everything. After a kill the unfinished entries are applied again; after a power cut (the boot id
differs) the done ones as well, as the engine does not sync its files. A torn file was never
acknowledged: it is dropped.

File: MAGIC, blake2b-256 of all that follows, length of the header (4 bytes, little-endian), the
header as JSON, the trades as an Arrow stream.
"""

import logging
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final, Literal

import msgspec
import pyarrow as pa

from appliance.errors import DiskFull
from appliance.model import NOTHING, TRADE_SCHEMA, Attached, MarketSpec

log = logging.getLogger(__name__)
MAGIC: Final = b"CHARTJ01"
_DIGEST: Final = 32
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_PACKED: Final = pa.ipc.IpcWriteOptions(compression="lz4")
"""A quarter of the bytes to hash and to sync, in half the time."""
_ENTRY: Final = ".entry"
_DONE: Final = ".done"
_FILE: Final = re.compile(r"[0-9]{20}\.(?:entry|done)")
SETTLE_BYTES: Final = 64 << 20
"""Done entries are kept up to this size, then the file system is synced and they go."""


class Span(msgspec.Struct, frozen=True):
    """Unix seconds of one market, both ends inside, whose candles an entry changes."""

    market_id: int
    first: int
    last: int


class MarketRow(msgspec.Struct, frozen=True):
    """A market as an entry stores it."""

    id: int
    spec: MarketSpec
    status: str
    raw_complete_from: int


class Header(msgspec.Struct, frozen=True):
    """What an entry does. `id` is the deduplication token of its insert.

    `attached` is stored after the trades, or once they are gone.
    """

    id: str
    kind: Literal["trades", "retract"]
    boot_id: str
    markets: list[MarketRow] = []
    chain_id: int = 0
    from_block: int = 0
    spans: list[Span] = []
    bulk: bool = False
    attached: Attached = NOTHING


class Entry(msgspec.Struct, frozen=True):
    """One file of the journal."""

    number: int
    header: Header
    trades: pa.Table

    def outlived_its_boot(self, current: str) -> bool:
        """Return whether the machine may have lost power since: any table may lack any part."""
        return not current or self.header.boot_id != current


def boot_id() -> str:
    """Return what tells one start of the machine from another, empty where nothing does."""
    with suppress(OSError):
        return _BOOT_ID.read_text(encoding="ascii").strip()
    return ""


class Journal:
    """The entries of one store, in order; used by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read before `open`."""
        self._folder = folder
        self._next = 1
        self._done_bytes = 0
        self.torn = False

    def open(self, *, everything: bool = False) -> list[Entry]:
        """Return the entries to apply again, in order; torn ones are dropped.

        `everything`: also those that are done, where parts of tables are known to be lost.

        `torn` tells of them: what they were about to store may be in the tables in part, as an
        entry is synced while it is applied.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        entries, current = [], boot_id()
        for path in sorted(p for p in self._folder.iterdir() if _FILE.fullmatch(p.name)):
            self._next = max(self._next, int(path.stem) + 1)
            entry = read(path)
            if entry is None:
                log.warning("journal: %s is torn and was never acknowledged: dropped", path.name)
                path.unlink()
                self.torn = True
            elif everything or path.suffix == _ENTRY or entry.outlived_its_boot(current):
                entries.append(entry)
        return entries

    def append(self, parts: Iterable[tuple[Header, pa.Table]]) -> list[Entry]:
        """Write an entry for each part, or none.

        They survive a kill at once, and a power cut once each is `sync`ed.

        Raises:
            DiskFull: there is no room; nothing was written.
        """
        entries: list[Entry] = []
        try:
            for header, trades in parts:
                entries.append(Entry(self._next, header, trades))
                self._next += 1
                self._path(entries[-1], _ENTRY).write_bytes(encode(entries[-1]))
        except OSError as error:
            for entry in entries:
                self._path(entry, _ENTRY).unlink(missing_ok=True)
            raise DiskFull(f"the journal cannot be written: {error.strerror}") from error
        return entries

    def sync(self, entry: Entry) -> None:
        """Return once the entry's file is on the disk."""
        for path, flags in ((self._path(entry, _ENTRY), os.O_RDWR), (self._folder, os.O_RDONLY)):
            descriptor = os.open(path, flags)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def done(self, entry: Entry) -> None:
        """Note that an entry is applied; settle when many bytes are kept."""
        path = self._path(entry, _DONE)
        if not path.exists():  # it does where it is applied again after a power cut
            self._path(entry, _ENTRY).rename(path)
        self._done_bytes += path.stat().st_size
        if self._done_bytes > SETTLE_BYTES:
            self.settle()

    def settle(self) -> None:
        """Have the file system write out everything, then remove the entries that are done."""
        done = [path for path in self._folder.iterdir() if path.suffix == _DONE]
        if done:
            os.sync()
        for path in done:
            path.unlink()
        self._done_bytes = 0

    def _path(self, entry: Entry, suffix: str) -> Path:
        return self._folder / f"{entry.number:020d}{suffix}"


def encode(entry: Entry) -> bytes:
    """Return the bytes of an entry's file."""
    header = msgspec.json.encode(entry.header)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, TRADE_SCHEMA, options=_PACKED) as writer:
        writer.write_table(entry.trades)
    rest = len(header).to_bytes(4, "little") + header + sink.getvalue().to_pybytes()
    return bytes(MAGIC + blake2b(rest, digest_size=_DIGEST).digest() + rest)


def read(path: Path) -> Entry | None:
    """Return the entry of a file, None if it is torn."""
    data = path.read_bytes()
    start = len(MAGIC) + _DIGEST
    digest, rest = data[len(MAGIC) : start], data[start:]
    if not data.startswith(MAGIC) or digest != blake2b(rest, digest_size=_DIGEST).digest():
        return None
    end = 4 + int.from_bytes(rest[:4], "little")
    header = msgspec.json.decode(rest[4:end], type=Header)
    return Entry(int(path.stem), header, pa.ipc.open_stream(rest[end:]).read_all())
