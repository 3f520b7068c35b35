"""Remembered facts: how far a source has come, in table `checkpoints`."""

import time
from collections.abc import Sequence

from clickhouse_connect.driver.client import Client

from appliance.model import Checkpoint
from appliance.store.reader import select

_COLUMNS = ["kind", "key", "value", "version"]


def read(client: Client, kind: str) -> dict[str, str]:
    """Return the values of all checkpoints of a kind, by key."""
    columns = select(client, "select_checkpoints", {"kind": kind})
    return dict(zip(*columns, strict=True)) if columns else {}


def write(client: Client, kind: str, key: str, value: str) -> None:
    """Remember a value in place of the former one."""
    write_all(client, [Checkpoint(kind, key, value)])


def write_all(client: Client, rows: Sequence[Checkpoint]) -> None:
    """Remember values in place of the former ones, all or none."""
    if not rows:
        return
    newest = int(select(client, "select_checkpoint_version", {})[0][0])
    version = max(newest + 1, time.time_ns() // 1000)  # the clock may have been put back
    table = [[row.kind, row.key, row.value, version] for row in rows]
    client.insert("checkpoints", table, column_names=_COLUMNS)
