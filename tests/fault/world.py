"""A store whose engine stumbles and whose process dies, again and again on one open engine.

The engine cannot be opened twice in a process, so that it stays open; everything above it is made
anew by each start, from the journal and the tables alone, as after a kill.
"""

import random
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from appliance.errors import ConfigError, Retryable
from appliance.metrics import Metrics
from appliance.model import Attached
from appliance.settings import Settings
from appliance.store import journal, store
from appliance.store.engine import Engine
from appliance.store.journal import Entry
from appliance.store.store import Store

PATIENCE_S: Final = 60
_STUMBLES: Final = frozenset({"insert", "insert_arrow", "command", "query"})
_TABLES: Final = ("trades", "candles", "markets", "marks")
_EMPTIED_AFTER: Final = 50
"""Histories: emptying the tables takes as long as half of one."""
_LOST_ROWS: Final = (
    "DELETE FROM marks WHERE chain_id = {chain:UInt64} AND sequence IN {sequences:Array(UInt64)}",
    "DELETE FROM checkpoints WHERE kind = 'simulation' AND key IN {keys:Array(String)}",
)
"""What is attached to an entry."""
_LOST_TRADES: Final = """
DELETE FROM trades
WHERE (market_id, sequence, tie) IN {rows:Array(Tuple(UInt32, UInt64, UInt64))}
"""
_LOST_CANDLES: Final = """
DELETE FROM candles
WHERE market_id = {market:UInt32} AND bucket >= toDateTime({first:UInt32}, 'UTC')
    AND bucket <= toDateTime({last:UInt32}, 'UTC')
"""


class Stumbling:
    """A client whose calls fail at random, before or after they have done their work."""

    def __init__(self, client: Client) -> None:
        """Never fail yet."""
        self.client = client
        self.random = random.Random(0)
        self.rate = 0.0
        self.calls_to_live = -1
        self.failures = 0

    def __getattr__(self, name: str) -> Any:
        """Return the client's own attribute, or one that may fail."""
        value = getattr(self.client, name)
        if name not in _STUMBLES:
            return value
        return lambda *arguments, **named: self._call(name, value, *arguments, **named)

    @property
    def dead(self) -> bool:
        """Return whether the process is to be taken as killed: nothing gets through."""
        return self.calls_to_live == 0

    def _call(self, name: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if self.dead:
            raise DatabaseError("killed")
        self.calls_to_live -= self.calls_to_live > 0
        if not self.dead and self.random.random() >= self.rate:
            return function(*arguments, **named)
        self.failures += 1
        how = self.random.choice(("before", "after", "without its view"))
        if how == "after":
            function(*arguments, **named)
        if how == "without its view" and name == "insert_arrow":
            self._without_view(function, *arguments, **named)
        raise DatabaseError(f"stumbled {how} {name}")

    def _without_view(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        self.client.command("DETACH TABLE candles_view")
        try:
            function(*arguments, **named)
        finally:
            self.client.command("ATTACH TABLE candles_view")


class OpenEngine:
    """What a store takes for its engine; it is open before and stays open after."""

    embedded = True

    def __init__(self, client: Stumbling) -> None:
        """Hand out one handle: only the writer uses it."""
        self._client = client

    def open(self) -> Any:
        return self._client

    def client(self) -> Any:
        return self._client

    def close(self) -> None:
        return


class World:
    """One store at a time, and what can happen to it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """Open the engine; `close` closes it."""
        self._folder = folder
        self._engine = Engine(Settings(data_dir=folder / "engine").store_dsn)
        self.client = Stumbling(self._engine.open())
        patch.setattr(store, "Engine", lambda *_: OpenEngine(self.client))
        patch.setattr(journal, "_BOOT_ID", folder / "boot_id")
        patch.setattr("os.sync", lambda: None)  # costs half a second on a busy machine
        patch.setattr("os.fsync", lambda _: None)
        self._metrics = Metrics()
        self.random = random.Random(0)
        self.store: Store
        self.starts = self.kills = self.cuts = 0
        self._begun = 0

    def close(self) -> None:
        """Close the engine; a store that a failed test left running must not run on."""
        if self._begun and self.store.writer.alive:
            self.kill()
        self._engine.close()

    def begin(self, seed: int) -> None:
        """Begin another course of events, on a store without markets of this seed."""
        self.random = random.Random(seed)
        self.client.random = random.Random(-seed)
        self.client.rate, self.client.calls_to_live = 0.0, -1
        if not self._begun % _EMPTIED_AFTER:
            for table in _TABLES:
                self.client.client.command(f"TRUNCATE TABLE IF EXISTS {table}")
        self._begun += 1
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        self._boot()
        self.start()

    def _boot(self) -> None:
        (self._folder / "boot_id").write_text(str(self.random.random()))

    def start(self) -> None:
        """Start a store, as often as it takes."""
        self.client.calls_to_live = -1
        while True:
            self.starts += 1
            self.store = Store(
                Settings(data_dir=self._folder / "data"), self._metrics, lambda _: None
            )
            with suppress(DatabaseError, Retryable, ConfigError):
                return self.store.open()

    def stop(self) -> None:
        """Stop as told to by the operator."""
        self.store.close()

    def kill(self) -> None:
        """Stop as by `kill -9`: nothing more reaches the engine or the journal."""
        self.kills += 1
        self.client.calls_to_live = 0
        writer = self.store.writer
        writer._queue.put(None)
        writer._thread.join()
        writer._commits._syncer.shutdown()
        self.store.reader.close()

    def cut_power(self) -> None:
        """Stop as by a power cut: besides, rows that were not synced may be gone."""
        self.kill()
        self.cuts += 1
        self._boot()
        for path in sorted((self._folder / "data" / "journal").iterdir()):
            entry = journal.read(path)
            if entry is not None and entry.header.kind == "trades":
                self._lose(entry)

    def _lose(self, entry: Entry) -> None:
        client = self.client.client
        if self.random.random() < 0.5:
            columns = (entry.trades[name].to_pylist() for name in ("market_id", "sequence", "tie"))
            client.command(_LOST_TRADES, parameters={"rows": list(zip(*columns, strict=True))})
        for span in entry.header.spans:
            if self.random.random() < 0.5:
                lost = {"market": span.market_id, "first": span.first, "last": span.last}
                client.command(_LOST_CANDLES, parameters=lost)
        self._lose_attached(entry.header.attached)

    def _lose_attached(self, attached: Attached) -> None:
        rows = {
            "chain": next((mark.chain_id for mark in attached.marks), 0),
            "sequences": [mark.sequence for mark in attached.marks],
            "keys": [checkpoint.key for checkpoint in attached.checkpoints],
        }
        for statement in _LOST_ROWS:
            if self.random.random() < 0.3:
                self.client.client.command(statement, parameters=rows)

    def until_done(self, begin: Callable[[Store], "list[Future[Any]]"]) -> list[Any]:
        """Repeat what `begin` begins until all of it is acknowledged, over kills and failures."""
        while True:
            results = [self._outcome(future) for future in begin(self.store)]
            if all(outcome is not None for outcome in results):
                return results
            if self.client.dead:
                self.kill()
                self.start()

    @staticmethod
    def _outcome(future: "Future[Any]") -> Any:
        try:
            return future.result(PATIENCE_S)
        except (Retryable, DatabaseError):
            return None


def state(client: Client, query: str, symbols: Iterable[str]) -> list[tuple[Any, ...]]:
    """Return the rows of a query on some markets."""
    parameters = {"symbols": list(symbols)}
    return [tuple(row) for row in client.query(query, parameters=parameters).result_rows]
