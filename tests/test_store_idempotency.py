"""A key stands for one body for a day, whatever happens to the process, the clock or the file."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance.errors import BadRequest, Conflict, DiskFull, Retryable
from appliance.store import idempotency
from appliance.store.idempotency import KEPT_S, Keyed, Keys, keyed

NOW = 1_750_000_000


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def request(name: str = "k", body: bytes = b"one") -> Keyed:
    return keyed(name, body)


@pytest.mark.parametrize("name", ["", "x" * 129, "a\tb", "ä", "a\x7f", "€", "a\nb"])
def test_other_keys_are_refused(name: str) -> None:
    """The header, the rule and the value are named."""
    rule = "Idempotency-Key must be 1 to 128 printable ASCII characters, or absent; was "
    with pytest.raises(BadRequest) as refused:
        keyed(name, b"")
    assert (f"{rule}{name[:128]!r}, {len(name)} characters", "Idempotency-Key") == (
        str(refused.value),
        refused.value.field,
    )


@pytest.mark.parametrize("name", ["x", "x" * 128, "0b1f-44", '"a b"', "~!{}"])
def test_printable_keys_are_taken(name: str) -> None:
    """As they are sent, quotes and spaces included."""
    assert name == keyed(name, b"").name


def test_ids_are_made_of_key_body_and_row() -> None:
    """The same request again has the same, any other none of them."""
    requests = [("k", b"one"), ("l", b"one"), ("k", b"two"), ("ko", b"ne")]
    ids = {keyed(name, body).trade_id(row) for name, body in requests for row in range(5)}
    assert len(ids) == 20
    assert request().trade_id(3) == request().trade_id(3)
    assert max(map(len, ids)) < 64


def test_a_key_is_bound_to_its_body(tmp_path: Path) -> None:
    """Also after a restart, and as long as nobody releases it."""
    keys = Keys(tmp_path)
    assert [True, False] == [keys.bind(request()), keys.bind(request())]
    keys.close()
    again = Keys(tmp_path)
    assert not again.bind(request())
    with pytest.raises(Conflict, match=r"^Idempotency-Key 'k' came with another body in the last"):
        again.bind(request(body=b"two"))
    assert again.bind(request("l", b"two"))
    again.release(request(body=b"two"))  # not what it is bound to
    assert not again.bind(request())
    again.release(request())
    assert again.bind(request(body=b"two"))
    again.close()


def test_nothing_is_lost_when_the_process_dies(tmp_path: Path) -> None:
    """A file that nobody closed, as it lies there after a kill, knows its keys."""
    dead, copy = Keys(tmp_path), tmp_path / "copy"
    dead.bind(request())
    copy.mkdir()
    for path in tmp_path.glob("idempotency*"):
        (copy / path.name).write_bytes(path.read_bytes())
    dead.close()
    found = Keys(copy)
    with pytest.raises(Conflict):
        found.bind(request(body=b"two"))
    found.close()


def test_a_key_is_free_again_after_a_day(tmp_path: Path) -> None:
    """Not a second earlier; bound anew it lasts another day."""
    clock = Clock()
    keys = Keys(tmp_path, clock)
    keys.bind(request())
    clock.now += KEPT_S
    with pytest.raises(Conflict):
        keys.bind(request(body=b"two"))
    clock.now += 1
    assert keys.bind(request(body=b"two"))
    clock.now += KEPT_S
    assert not keys.bind(request(body=b"two"))
    keys.close()


def test_a_clock_put_back_frees_nothing(tmp_path: Path) -> None:
    """Keys of the time that is to come again are kept, and the clock does not have to catch up."""
    clock = Clock()
    keys = Keys(tmp_path, clock)
    keys.bind(request("late"))
    clock.now -= 30 * KEPT_S
    keys.bind(request("early"))
    for name in ("late", "early"):
        with pytest.raises(Conflict):
            keys.bind(request(name, b"two"))
    clock.now += KEPT_S + 1
    assert keys.bind(request("early", b"two"))
    keys.close()


def test_old_keys_go_and_the_file_stays_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By age, and by number where more come than are kept."""
    monkeypatch.setattr(idempotency, "KEPT_MOST", 50)
    clock = Clock()
    keys = Keys(tmp_path, clock)
    for number in range(200):
        keys.bind(request(str(number)))
    assert 51 == _count(keys)
    assert not keys.bind(request("199", b"one"))
    assert keys.bind(request("0", b"two"))  # the oldest went early
    clock.now += KEPT_S + 1
    for number in range(6):
        keys.bind(request(f"new{number}"))
    assert 6 == _count(keys)
    keys.close()


def _count(keys: Keys) -> int:
    return int(keys._open().execute("SELECT count(*) FROM requests").fetchone()[0])


def test_of_two_bodies_at_once_one_wins(tmp_path: Path) -> None:
    """Of sixteen threads that use a key for two bodies, those with the first body go on."""
    keys, gate = Keys(tmp_path), threading.Barrier(16)

    def bind(number: int) -> bool | None:
        gate.wait(10)
        try:
            return keys.bind(request(body=b"two" if number % 2 else b"one"))
        except Conflict:
            return None

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(bind, range(16)))
    assert [1, 7, 8] == [outcomes.count(each) for each in (True, False, None)]
    assert len({number % 2 for number, outcome in enumerate(outcomes) if outcome is not None}) == 1
    keys.close()


@pytest.mark.parametrize("damage", [b"\0" * 40_000, b"no database at all" * 100])
def test_a_damaged_file_is_begun_anew(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is put aside and named; the caller is told to send again."""
    keys = Keys(tmp_path)
    keys.bind(request())
    keys.close()
    (tmp_path / "idempotency.sqlite").write_bytes(damage)
    with pytest.raises(Retryable, match=r"^idempotency\.sqlite was damaged; send again$"):
        keys.bind(request())
    assert f"{tmp_path / 'idempotency.sqlite'} is damaged, and begun anew" in caplog.text
    assert damage == (tmp_path / "idempotency.damaged").read_bytes()
    assert keys.bind(request())
    keys.close()


def test_a_file_that_cannot_be_written_is_retryable(tmp_path: Path) -> None:
    """There is no folder; once it is there all is well."""
    keys = Keys(tmp_path / "gone")
    for call in (keys.bind, keys.release):
        with pytest.raises(Retryable, match=r"^idempotency\.sqlite cannot be written: unable"):
            call(request())
    (tmp_path / "gone").mkdir()
    assert keys.bind(request())
    assert 0o600 == (tmp_path / "gone" / "idempotency.sqlite").stat().st_mode & 0o777
    keys.close()


def test_a_full_disk_is_told_from_other_failures(tmp_path: Path) -> None:
    """The operator frees some space, and the same request works."""
    keys = Keys(tmp_path)
    keys.bind(request("first"))
    keys._open().execute("PRAGMA max_page_count = 1")
    with pytest.raises(DiskFull, match="full"):
        [keys.bind(request(str(number))) for number in range(1_000)]
    assert keys.bind(request("another"))  # opened anew, without the limit
    keys.close()
