"""Hold the tables of the embedded engine as they are at one moment, while inserts go on.

The engine gives every part a second name in a folder of its own (hard links, no copies), and keeps
such files for as long as they have it. There is one such folder: a backup that was cut short left
it, and the next start or the next backup removes it.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client

from appliance.store.reader import select
from appliance.store.rebuild import run

_SHADOW: Final = "shadow/appliance_backup"  # the name in schema/queries/freeze_table.sql
_COUNT: Final = "count.txt"


@dataclass(frozen=True, slots=True)
class Frozen:
    """The folder of each table; a table without parts has none on the disk."""

    tables: dict[str, Path]

    def files(self) -> Iterator[tuple[str, Path]]:
        """Yield every file of every part as (table/part/file, path), in the order of the names."""
        for table, folder in self.tables.items():
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    yield f"{table}/{path.relative_to(folder).as_posix()}", path

    def rows(self) -> dict[str, int]:
        """Return how many rows the parts of each table hold."""
        return {
            table: sum(int(path.read_text()) for path in folder.glob(f"*/{_COUNT}"))
            for table, folder in self.tables.items()
        }


def tables(client: Client) -> dict[str, Path]:
    """Return the tables that hold rows, and the folder of each."""
    columns = select(client, "select_tables", {})
    return {name: Path(folder) for name, folder in zip(*columns, strict=True)} if columns else {}


def freeze(client: Client, store: Path) -> Frozen:
    """Hold all tables as they are; call it between two commits, and `thaw` in the end."""
    thaw(store)
    found = tables(client)
    for table in found:
        run(client, "freeze_table", {"table": table})
    root = store.resolve()
    return Frozen({t: root / _SHADOW / folder.relative_to(root) for t, folder in found.items()})


def thaw(store: Path) -> None:
    """Let go of what is held, if anything is."""
    shutil.rmtree(store / _SHADOW, ignore_errors=True)
