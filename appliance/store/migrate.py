"""Apply the numbered files of `schema/`, in order, each once.

The engine's DDL is not transactional: every file is recorded as started and as done, and every
statement can be repeated, so that a file cut short by a crash is simply applied again.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from clickhouse_connect.driver.client import Client

from appliance import resources
from appliance.errors import ConfigError
from appliance.store import checkpoints

_NUMBERED: Final = re.compile(r"[0-9]{3}_[a-z_]+\.sql")
_SEPARATOR: Final = re.compile(r"^;$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """Return what the file's text is known by."""
        return sha256(self.text.encode()).hexdigest()[:16]

    @property
    def statements(self) -> list[str]:
        """Return the statements: parts of the text between lines that hold only `;`."""
        return [part.strip() for part in _SEPARATOR.split(self.text) if part.strip()]


def migrations() -> list[Migration]:
    """Return all migrations in order."""
    folder = resources.folder("schema")
    names = sorted(path.name for path in folder.iterdir() if _NUMBERED.fullmatch(path.name))
    return [Migration(name, resources.text("schema", name)) for name in names]


def migrate(client: Client, only: Collection[str] | None = None) -> list[str]:
    """Apply what is missing, or `only` some of it, and return the names of the applied files.

    Raises:
        ConfigError: the store was made by a newer version, whose files are not known here.
    """
    known = migrations()
    for statement in known[0].statements:  # the record itself; it can be repeated
        client.command(statement)
    recorded = checkpoints.read(client, "schema")
    if unknown := sorted(set(recorded) - {m.name for m in known}):
        raise ConfigError(
            f"the store was made by a newer version (it has {', '.join(unknown)}): "
            "install that version, or start with another --data-dir"
        )
    wanted = [m for m in known if only is None or m.name in only]
    pending = [m for m in wanted if recorded.get(m.name) != f"done {m.digest}"]
    for migration in pending:
        _apply(client, migration, recorded.get(migration.name, ""))
    return [m.name for m in pending]


def _apply(client: Client, migration: Migration, state: str) -> None:
    if state.startswith("done"):
        raise ConfigError(
            f"schema/{migration.name} differs from the one this store was made with: "
            "applied files must not change, add a new one"
        )
    _record(client, migration, "started")
    for statement in migration.statements:
        client.command(statement)
    _record(client, migration, "done")


def _record(client: Client, migration: Migration, state: str) -> None:
    checkpoints.write(client, "schema", migration.name, f"{state} {migration.digest}")
