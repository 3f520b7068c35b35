"""Find parts of tables whose files are not what was written.

The engine puts a part aside when it cannot load it, and says nothing; a part that loads but holds
other bytes fails only those who read it. Both are named here, with the time they cover.
"""

from calendar import timegm
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from appliance import resources
from appliance.store.reader import select
from appliance.store.rebuild import run

TABLES: Final = ("trades", "candles", "markets", "marks", "checkpoints")
_PROBED_BYTES: Final = 64 << 20
"""Read at every start, newest parts first: what a power cut spoils is new, and it takes 0.2 s."""
_END: Final = 1 << 32
_PATIENT: Final = {"max_execution_time": 0, "max_threads": 1}
"""Reading everything may take minutes, and may not take the processors from others."""
_REASON_CHARS: Final = 120


class Damage(msgspec.Struct, frozen=True):
    """A part that cannot be used. `first` and `last`: unix seconds that it may cover, both inside.

    `path` is where its files lie; `detached` says that they lie outside the table already.
    """

    table: str
    part: str
    reason: str
    first: int
    last: int
    path: str
    detached: bool

    @property
    def key(self) -> str:
        """Return what tells it from any other."""
        return f"{self.table}/{self.part}"


class _Checked(msgspec.Struct):
    part_path: str
    is_passed: int
    message: str = ""


_checked: Final = msgspec.json.Decoder(_Checked)


def damaged(client: Client, tables: Iterable[str] = TABLES) -> list[Damage]:
    """Return every damaged part of `tables`, having read all their files once."""
    wanted = tuple(tables)
    found = [damage for damage in put_aside(client) if damage.table in wanted]
    parts = {(row[0], row[1]): row for row in _parts(client)}
    for table in wanted:
        text = resources.text("schema", "queries/check_table.sql")
        answer = client.raw_query(text, parameters={"table": table}, settings=_PATIENT)
        failed = (x for x in _checked.decode_lines(answer) if not x.is_passed)
        found += [
            _damage(parts[table, line.part_path], line.message)
            for line in failed
            if (table, line.part_path) in parts
        ]
    return found


def damaged_at_start(client: Client) -> list[Damage]:
    """Return the damaged parts that are found without reading more than a little.

    Those put aside by the engine; and where one of the newest parts cannot be read, all others of
    its table as well.
    """
    budget, suspects = _PROBED_BYTES, set()
    for row in _parts(client):
        budget -= int(row[5])
        if budget < 0:
            break
        if not _reads(client, row[0], row[1]):
            suspects.add(str(row[0]))
    checked = damaged(client, sorted(suspects)) if suspects else []
    known = {damage.key for damage in checked}
    return checked + [damage for damage in put_aside(client) if damage.key not in known]


def put_aside(client: Client) -> list[Damage]:
    """Return the parts that the engine could not load when it opened its tables."""
    found = []
    for table, name, partition, reason, path in _rows(client, "select_broken_parts"):
        if table in TABLES:
            first, last = _covered(partition or "")
            found.append(Damage(table, name, f"{reason} by the engine", first, last, path, True))
    return found


def _reads(client: Client, table: str, part: str) -> bool:
    with suppress(ClickHouseError):
        run(client, "read_part", {"table": table, "part": part})
        return True
    return False


def _parts(client: Client) -> Iterator[tuple[Any, ...]]:
    """Yield table, part, partition, first and last second, bytes and path; newest first."""
    yield from _rows(client, "select_parts")


def _rows(client: Client, query: str) -> Iterator[tuple[Any, ...]]:
    columns = select(client, query, {})
    yield from zip(*columns, strict=True) if columns else ()


def _damage(row: tuple[Any, ...], reason: str) -> Damage:
    table, part, partition, first, last, _, path = row
    low, high = _covered(partition)
    if not low <= first <= last <= high:  # the part's own record of it is damaged, too
        first, last = low, high
    plain = reason.removeprefix("Code: ").partition("DB::Exception: ")[2] or reason
    return Damage(table, part, plain[:_REASON_CHARS], first, last, path.rstrip("/"), False)


def _covered(partition: str) -> tuple[int, int]:
    """Return the first and last second of a partition: a month, a year, or all time."""
    if len(partition) == 6 and partition.isdecimal():
        year, month = int(partition[:4]), int(partition[4:])
        following = (year + month // 12, month % 12 + 1)
        return _second(year, month), _second(*following) - 1
    if len(partition) == 4 and partition.isdecimal():
        return _second(int(partition), 1), _second(int(partition) + 1, 1) - 1
    return 0, _END - 1


def _second(year: int, month: int) -> int:
    return timegm((year, month, 1, 0, 0, 0))
