"""Small archives for tests: whole ones, and ones that no backup would make."""

import os
import tarfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from appliance.store import archive
from appliance.store.archive import File, Manifest
from appliance.store.migrate import migrations

CREATED = 1_750_000_000
CONTENT = {"trades/all_1_1_0/data.bin": os.urandom(3_000), "trades/all_1_1_0/count.txt": b"7"}
Member = tuple[str | tarfile.TarInfo, bytes]


def manifest(content: dict[str, bytes] | None = None, **changes: Any) -> Manifest:
    """Return the manifest of these files."""
    content = CONTENT if content is None else content
    files = [
        File(name, len(data), blake2b(data, digest_size=32).hexdigest())
        for name, data in content.items()
    ]
    whole = Manifest(
        format=archive.FORMAT,
        version="0",
        created=CREATED,
        migrations={each.name: each.digest for each in migrations()},
        commit=1,
        markets=0,
        trades=0,
        rows={},
        files=files,
    )
    return msgspec.structs.replace(whole, **changes)


def packed(path: Path, members: Sequence[Member]) -> Path:
    """Write an archive of any members."""
    with (
        pa.CompressedOutputStream(str(path), "zstd") as stream,
        tarfile.open(fileobj=stream, mode="w|") as tar,
    ):
        for name, data in members:
            member = tarfile.TarInfo(name) if isinstance(name, str) else name
            member.size = len(data)
            tar.addfile(member, BytesIO(data))
    return path


def members(content: dict[str, bytes] | None = None, **changes: Any) -> list[Member]:
    """Return the members of an archive: its manifest first."""
    content = CONTENT if content is None else content
    return [*archive.head(manifest(content, **changes)), *content.items()]


def headed(text: bytes) -> list[Member]:
    """Return the first members of an archive with any text as its manifest."""
    digest = blake2b(text, digest_size=32).hexdigest().encode()
    return [("manifest.json", text), ("manifest.blake2b", digest)]


def whole(path: Path, **changes: Any) -> Path:
    """Write an archive that is as it should be."""
    return packed(path, members(**changes))


def rewritten(source: Path, path: Path, change: Callable[[Manifest], Manifest]) -> Path:
    """Write the files of an archive under another manifest."""
    content: dict[str, BytesIO] = {}

    def place(name: str) -> Any:
        return nullcontext(content.setdefault(name, BytesIO()))

    changed = change(archive.unpack(source, place, lambda _: None))
    return packed(
        path, [*archive.head(changed), *((name, data.getvalue()) for name, data in content.items())]
    )
