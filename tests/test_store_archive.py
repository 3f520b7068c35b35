"""The file of a backup: whole and unchanged it is read, anything else is refused, and why."""

import os
import tarfile
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from appliance.errors import BadRequest
from appliance.settings import Settings
from appliance.store import archive
from appliance.store.archive import Manifest
from appliance.store.restore import restore
from tests.archives import CONTENT, Member, headed, manifest, members, packed, whole

DATA, COUNT = CONTENT


def quiet(_: float) -> None:
    """Draw nothing."""


def refused(path: Path, folder: Path) -> str:
    """Return why a restore refuses `path`, having left nothing below `folder`."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(BadRequest) as caught:
        restore(path, Settings(data_dir=folder / "new" / "data"), lambda step, done: None)
    assert before == sorted(folder.rglob("*"))
    return str(caught.value)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """By its owner only, and by any tar that knows zstd; progress goes from nothing to all."""
    sources = {}
    for number, (name, data) in enumerate(CONTENT.items()):
        sources[name] = tmp_path / str(number)
        sources[name].write_bytes(data)
    ticks: list[float] = []
    read: list[float] = []
    meter = archive.Meter(3_001, read.append)
    files = [archive.described(name, path, meter) for name, path in sources.items()]
    path = tmp_path / "a.tar.zst"
    archive.write(path, manifest(), sources, ticks.append)
    assert manifest().files == files
    assert 0o600 == path.stat().st_mode & 0o777
    assert manifest() == archive.manifest_of(path) == archive.check(path, ticks.append)
    assert (1.0, 1.0) == (ticks[-1], read[-1])
    found: dict[str, BytesIO] = {}

    def place(name: str) -> Any:
        return nullcontext(found.setdefault(name, BytesIO()))

    archive.unpack(path, place, quiet)
    assert CONTENT == {name: data.getvalue() for name, data in found.items()}
    with pa.CompressedInputStream(str(path), "zstd") as stream:
        unpacked = BytesIO(stream.read())
    with tarfile.open(fileobj=unpacked) as tar:
        assert ["manifest.json", "manifest.blake2b", *CONTENT] == tar.getnames()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        archive.write(tmp_path / "a", manifest({}), {}, quiet)
    assert b"precious" == (tmp_path / "a").read_bytes()


@pytest.mark.parametrize("kept", [0, 1, 60, -1_000, -1])
def test_a_truncated_archive_is_refused(tmp_path: Path, kept: int) -> None:
    path = whole(tmp_path / "a")
    path.write_bytes(path.read_bytes()[:kept])
    assert refused(path, tmp_path).startswith("FILE must be a whole, unchanged backup, was not: ")


def test_an_archive_cut_between_two_members_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a", members()[:-1])
    assert refused(path, tmp_path).endswith(f"was not: {COUNT!r} is missing")


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    """In the packed file, all over it."""
    path = whole(tmp_path / "a")
    good = path.read_bytes()
    for place in range(0, len(good), max(1, len(good) // 40)):
        bad = bytearray(good)
        bad[place] ^= 0x10
        path.write_bytes(bad)
        try:
            found = archive.check(path, quiet)
        except BadRequest:
            continue
        assert manifest() == found, "a change that nobody sees must be one that changes nothing"


@pytest.mark.parametrize(
    ("name", "data"), [(DATA, b"x" * 3_000), (COUNT, b"8"), (COUNT, b""), (COUNT, b"77")]
)
def test_a_tampered_member_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    """Of the right size or of another one."""
    changed: list[Member] = [(n, data if n == name else d) for n, d in members()]
    assert repr(name) in refused(packed(tmp_path / "a", changed), tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "/etc/x", "trades/../../x", "trades/all_1_1_0/../../../x", "trades/./x/y"),
        *("trades/all_1_1_0", "trades//x/y", "trades/a/.hidden", "trades/a/b c", "", "trades/a/b/"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    """Also when the manifest agrees with them."""
    path = packed(tmp_path / "a", members({name: b"x"}))
    assert "which is not a file of a table" in refused(path, tmp_path)
    path = packed(tmp_path / "a", [*members(), (name or "x", b"x")])
    assert "which its manifest does not name" in refused(path, tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, b"3", b"6"])
def test_only_plain_files_are_taken(tmp_path: Path, kind: bytes) -> None:
    """No link, folder, device or pipe, not even under the name of a file."""
    link = tarfile.TarInfo(COUNT)
    link.type, link.linkname = kind, "/etc/passwd"
    path = packed(tmp_path / "a", [*members({**CONTENT, COUNT: b""})[:-1], (link, b"")])
    assert f"it holds {COUNT!r}, which its manifest does not name" in refused(path, tmp_path)


def test_a_member_comes_once(tmp_path: Path) -> None:
    path = packed(tmp_path / "a", [*members(), members()[-1]])
    assert "which its manifest does not name" in refused(path, tmp_path)
    twice = manifest().files * 2
    assert "contradicts itself" in refused(whole(tmp_path / "b", files=twice), tmp_path)


@pytest.mark.parametrize(
    ("first", "sentence"),
    [
        (b"{}", "its manifest cannot be read"),
        (b'{"format":1}', "its manifest cannot be read"),
        (b"[]", "its manifest cannot be read"),
        (b"\xff", "its manifest cannot be read"),
        (b'{"format":2,"new":[]}', "FILE must be a backup of format 1, was of 2: restore it"),
    ],
)
def test_other_manifests_are_refused(tmp_path: Path, first: bytes, sentence: str) -> None:
    path = packed(tmp_path / "a", headed(first))
    assert sentence in refused(path, tmp_path)


def test_a_manifest_with_another_s_digest_is_refused(tmp_path: Path) -> None:
    """Numbers that nothing else in the archive shows to be wrong."""
    first, _, *rest = members(commit=2)
    path = packed(tmp_path / "a", [first, members()[1], *rest])
    assert "its manifest is not what was stored" in refused(path, tmp_path)


def test_a_manifest_without_end_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_MANIFEST_MAX", 100)
    assert "its manifest.json takes" in refused(whole(tmp_path / "a"), tmp_path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Noise, another archive, a folder, nothing."""
    (tmp_path / "noise").write_bytes(os.urandom(5_000))
    assert "was not: " in refused(tmp_path / "noise", tmp_path)
    other = packed(tmp_path / "other", [("readme.txt", b"hello")])
    assert "does not begin with a manifest" in refused(other, tmp_path)
    for name in ("gone", "."):
        assert "FILE must be a backup that exists" in refused(tmp_path / name, tmp_path)


def test_a_newer_version_s_archive_is_refused(tmp_path: Path) -> None:
    """Of a migration that is not known, or known otherwise."""
    known = manifest().migrations
    for changes in ({"999_new.sql": "0"}, {"030_trades.sql": "0"}):
        path = whole(tmp_path / "a", migrations=known | changes, version="9.9")
        assert "this version can read, was made by 9.9" in refused(path, tmp_path)


@pytest.mark.parametrize("names", [["store"], ["journal", "store"], ["notes.txt"], ["restoring"]])
def test_a_target_that_holds_something_is_refused(tmp_path: Path, names: list[str]) -> None:
    """Before the archive is looked at; and nothing of it is touched."""
    data = tmp_path / "data"
    for name in names:
        (data / name / "inside").mkdir(parents=True)
    with pytest.raises(BadRequest, match=f"must be empty to restore into, .* holds {names[0]}"):
        restore(whole(tmp_path / "a"), Settings(data_dir=data), lambda step, done: None)
    assert names == sorted(path.name for path in data.iterdir())


def test_a_target_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    target = Settings(data_dir=tmp_path / "file" / "data")
    with pytest.raises(BadRequest, match="DATA_DIR must be a directory that can be written"):
        restore(whole(tmp_path / "a"), target, lambda step, done: None)


def test_a_manifest_counts_its_bytes() -> None:
    assert isinstance(manifest(), Manifest)
    assert 3_001 == manifest().size
