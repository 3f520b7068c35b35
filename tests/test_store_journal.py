"""The journal: what was written survives, what is torn is dropped."""

from pathlib import Path

import msgspec
import pytest

from appliance.errors import DiskFull
from appliance.store import journal as journals
from appliance.store.journal import Entry, Header, Journal, Span, boot_id, read
from tests.oracle import T, table

TRADES = table([T(10**15, 1.0, 10**18, trade_id="a"), T(10**15 + 1, 2.0, 10**18, trade_id="b")])


def header(name: str = "a", boot: str | None = None) -> Header:
    """Return the header of an entry of trades."""
    here = boot_id() if boot is None else boot
    return Header(name, "trades", here, spans=[Span(1, 10**9, 10**9)])


def opened(folder: Path) -> Journal:
    """Return a journal that has nothing to repeat."""
    journal = Journal(folder)
    assert journal.open() == []
    return journal


def names(entries: list[Entry]) -> list[str]:
    """Return the ids of entries."""
    return [entry.header.id for entry in entries]


def test_unfinished_entries_come_back_in_order(tmp_path: Path) -> None:
    """With everything that they hold."""
    journal = opened(tmp_path)
    written = journal.append([(header("a"), TRADES), (header("b"), TRADES.slice(1))])
    for entry in written:
        journal.sync(entry)
    found = Journal(tmp_path).open()
    assert [e.header for e in written] == [e.header for e in found]
    assert [e.trades for e in written] == [e.trades for e in found]


def test_done_entries_come_back_only_after_a_power_cut(tmp_path: Path) -> None:
    """The engine does not sync its files: another boot of the machine may have lost them."""
    journal = opened(tmp_path)
    for entry in journal.append([(header("a"), TRADES), (header("b", "another boot"), TRADES)]):
        journal.done(entry)
    assert ["b"] == names(Journal(tmp_path).open())
    journal.settle()
    assert [] == Journal(tmp_path).open()
    assert [] == list(tmp_path.iterdir())


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    """A later entry never comes before an earlier one."""
    opened(tmp_path).append([(header("a"), TRADES)])
    journal = Journal(tmp_path)
    journal.open()
    journal.append([(header("b"), TRADES)])
    assert ["a", "b"] == names(Journal(tmp_path).open())


@pytest.mark.parametrize("keep", [0, 5, 45, -1])
def test_a_torn_file_is_dropped(tmp_path: Path, keep: int) -> None:
    """A power cut in the middle of writing: the entry was never acknowledged."""
    journal = opened(tmp_path)
    whole, torn = journal.append([(header("a"), TRADES), (header("b"), TRADES)])
    path = tmp_path / f"{torn.number:020d}.entry"
    path.write_bytes(path.read_bytes()[:keep])
    assert ["a"] == names(Journal(tmp_path).open())
    assert not path.exists()
    assert read(tmp_path / f"{whole.number:020d}.entry") is not None


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    """Anywhere in the file."""
    journal = opened(tmp_path)
    (entry,) = journal.append([(header(), TRADES)])
    path = tmp_path / f"{entry.number:020d}.entry"
    data = path.read_bytes()
    for position in range(0, len(data), len(data) // 50):
        broken = bytearray(data)
        broken[position] ^= 4
        path.write_bytes(broken)
        assert read(path) is None, position


def test_a_full_disk_writes_all_parts_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two parts finds no room: neither stays."""
    journal = opened(tmp_path)
    write = Path.write_bytes

    def once(path: Path, data: bytes) -> int:
        if any(tmp_path.iterdir()):
            write(path, data[:20])
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", once)
    with pytest.raises(DiskFull, match="No space left"):
        journal.append([(header("a"), TRADES), (header("b"), TRADES)])
    assert [] == list(tmp_path.iterdir())


def test_many_bytes_are_settled_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Done entries do not pile up."""
    monkeypatch.setattr(journals, "SETTLE_BYTES", 1)
    journal = opened(tmp_path)
    for entry in journal.append([(header(), TRADES)]):
        journal.done(entry)
    assert [] == list(tmp_path.iterdir())


def test_headers_of_older_versions_stay_readable() -> None:
    """Fields may be added with defaults, never renamed."""
    old = b'{"id":"a","kind":"retract","boot_id":"x","chain_id":1,"from_block":9}'
    assert Header("a", "retract", "x", chain_id=1, from_block=9) == msgspec.json.decode(
        old, type=Header
    )
