"""One backup as one file: a manifest, then the files of every part, as a tar inside zstd.

Any tool that reads `.tar.zst` reads it. The manifest, with its own digest, comes first and names
every other member with its size and digest, so that reading is one pass, and nothing that it does
not name is ever opened: no link, no folder, no path that leads elsewhere. Whatever is wrong with an
archive is a `BadRequest` that says what.
"""

import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import pyarrow as pa

from appliance.errors import BadRequest

FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_DIGEST: Final = "manifest.blake2b"
_MANIFEST_MAX: Final = 128 << 20
"""A part has about fifteen files of a hundred bytes each in the manifest: 80,000 parts."""
_CHUNK: Final = 1 << 20
_SEGMENT: Final = r"[A-Za-z0-9_%][A-Za-z0-9_.%-]*"
_NAME: Final = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT}){{2,}}")
"""table/part/file; neither `..`, nor a leading slash, nor anything hidden fits."""
_BROKEN: Final = (tarfile.TarError, OSError, EOFError, ValueError)

Tick = Callable[[float], None]
"""Told how far the work is, 0 to 1; what it raises ends the work."""
Place = Callable[[str], AbstractContextManager[IO[bytes] | None]]
"""Opens what a member is written to, by its name."""


class File(msgspec.Struct, frozen=True):
    """One file of a part, as `table/part/file`; `digest` is blake2b of 32 bytes, in hex."""

    name: str
    size: int
    digest: str


class _Format(msgspec.Struct, frozen=True):
    """What every manifest says, of whatever format."""

    format: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive holds. `created` is in unix seconds, `rows` are those of the parts."""

    format: int
    version: str
    created: int
    migrations: dict[str, str]
    commit: int
    markets: int
    trades: int
    rows: dict[str, int]
    files: list[File]

    @property
    def size(self) -> int:
        """Return how many bytes the files take, unpacked."""
        return sum(file.size for file in self.files)


@dataclass(slots=True)
class Meter:
    """Counts bytes, and tells how far they are of all."""

    size: int
    tick: Tick
    done: int = 0

    def add(self, length: int) -> None:
        """Count more bytes."""
        self.done += length
        self.tick(self.done / max(1, self.size))


def described(name: str, path: Path, meter: Meter) -> File:
    """Return the manifest's line of a file."""
    digest = blake2b(digest_size=32)
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            meter.add(len(chunk))
    return File(name, path.stat().st_size, digest.hexdigest())


def write(path: Path, manifest: Manifest, sources: Mapping[str, Path], tick: Tick) -> None:
    """Write a new archive, for its owner only, and return when it is on the disk."""
    meter = Meter(manifest.size, tick)
    with (
        create(path) as sink,
        pa.CompressedOutputStream(sink, "zstd") as packed,
        tarfile.open(fileobj=packed, mode="w|", bufsize=_CHUNK) as tar,
    ):
        for name, data in head(manifest):
            tar.addfile(_member(name, len(data), manifest.created), BytesIO(data))
        for file in manifest.files:
            with sources[file.name].open("rb") as source:
                member = _member(file.name, file.size, manifest.created)
                tar.addfile(member, _Metered(source, meter))
            _forget(tar)
    sync(path)


def head(manifest: Manifest) -> list[tuple[str, bytes]]:
    """Return the first members: the manifest, and what shows that it is unchanged."""
    text = msgspec.json.encode(manifest)
    return [(_MANIFEST, text), (_DIGEST, _digest(text))]


def _digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=32).hexdigest().encode()


@dataclass(frozen=True, slots=True)
class _Metered:
    source: IO[bytes]
    meter: Meter

    def read(self, length: int = -1, /) -> bytes:
        data = self.source.read(length)
        self.meter.add(len(data))
        return data


def create(path: Path) -> IO[bytes]:
    """Open a new file that only its owner may read."""
    return open(path, "xb", opener=partial(os.open, mode=0o600))


def sync(path: Path) -> None:
    """Return once a file, or what a folder lists, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _member(name: str, size: int, created: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, created, 0o600
    return member


def manifest_of(path: Path) -> Manifest:
    """Return an archive's manifest; nothing behind it is looked at."""
    with _opened(path) as tar:
        return _manifest(tar)


def check(path: Path, tick: Tick) -> Manifest:
    """Read a whole archive, compare every digest, and return the manifest."""
    return unpack(path, lambda _: nullcontext(), tick)


def unpack(path: Path, place: Place, tick: Tick) -> Manifest:
    """Write the files of an archive to where `place` opens them, comparing every digest."""
    with _opened(path) as tar:
        manifest = _manifest(tar)
        expected = {file.name: file for file in manifest.files}
        meter = Meter(manifest.size, tick)
        for member in _members(tar):
            file = expected.pop(member.name, None)
            if file is None or not member.isreg() or member.size != file.size:
                raise _damaged(f"it holds {member.name[:200]!r}, which its manifest does not name")
            with place(file.name) as sink:
                digest = _copy(_broken(partial(tar.extractfile, member)), sink, meter)
            if digest != file.digest:
                raise _damaged(f"{file.name!r} is not what was stored")
    if expected:
        raise _damaged(f"{min(expected)!r} is missing")
    return manifest


def _copy(source: IO[bytes], sink: IO[bytes] | None, meter: Meter) -> str:
    digest = blake2b(digest_size=32)
    while chunk := _broken(partial(source.read, _CHUNK)):
        digest.update(chunk)
        meter.add(len(chunk))
        if sink is not None:
            sink.write(chunk)
    return digest.hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    with (
        path.open("rb") as source,
        pa.CompressedInputStream(source, "zstd") as unpacked,
        _broken(partial(tarfile.open, fileobj=unpacked, mode="r|", bufsize=_CHUNK)) as tar,
    ):
        yield tar


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := _broken(tar.next)) is not None:
        _forget(tar)
        yield member


def _forget(tar: tarfile.TarFile) -> None:
    """Keep no list of what was read or written: an archive may have a hundred thousand members."""
    tar.members.clear()  # type: ignore[attr-defined] # documented, but not in the type's stub


def _manifest(tar: tarfile.TarFile) -> Manifest:
    text = _first(tar, _MANIFEST, _MANIFEST_MAX)
    if _first(tar, _DIGEST, len(_digest(b""))) != _digest(text):
        raise _damaged("its manifest is not what was stored")
    try:
        known = msgspec.json.decode(text, type=_Format).format
        if known != FORMAT:
            raise BadRequest(
                f"FILE must be a backup of format {FORMAT}, was of {known}: restore it with the "
                "version that made it",
                "file",
            )
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise _damaged(f"its manifest cannot be read: {error}") from None
    _refuse_names(manifest)
    return manifest


def _first(tar: tarfile.TarFile, name: str, size_max: int) -> bytes:
    """Return the next member, which must have this name."""
    member = _broken(tar.next)
    if member is None or member.name != name or not member.isreg():
        raise _damaged("it does not begin with a manifest")
    if member.size > size_max:
        raise _damaged(f"its {name} takes {member.size:,} bytes")
    source = _broken(partial(tar.extractfile, member))
    text: bytes = _broken(source.read)
    return text


def _refuse_names(manifest: Manifest) -> None:
    names = {file.name for file in manifest.files}
    for name in names:
        if not _NAME.fullmatch(name):
            raise _damaged(f"its manifest names {name[:200]!r}, which is not a file of a table")
    if len(names) < len(manifest.files) or any(file.size < 0 for file in manifest.files):
        raise _damaged("its manifest contradicts itself")


def _broken(read: Callable[[], Any]) -> Any:
    """Return what `read` returns; what a broken archive makes it raise becomes one sentence."""
    try:
        return read()
    except _BROKEN as error:
        raise _damaged(str(error) or type(error).__name__) from None


def _damaged(what: str) -> BadRequest:
    return BadRequest(f"FILE must be a whole, unchanged backup, was not: {what}", "file")
