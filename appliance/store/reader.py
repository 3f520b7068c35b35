"""Run the queries of `schema/queries/`, each on a thread with a handle of its own.

In: the name of a query and its typed parameters. Out: columns. At most `threads` queries run at
once, the others wait; a query that runs too long or fails is `Retryable`.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from appliance import resources
from appliance.errors import Retryable
from appliance.metrics import Metrics
from appliance.store.engine import Engine, failing, unreadable
from appliance.store.gate import Gate

log = logging.getLogger(__name__)
Columns = Sequence[Sequence[Any]]
_WAITING_MAX: Final = 256
_SETTINGS: Final = {"max_threads": 1}
"""A candle query reads few rows: more threads cost more than they save."""


class Reader:
    """A bounded pool of threads that read."""

    def __init__(self, engine: Engine, threads: int, metrics: Metrics, gate: Gate) -> None:
        """Start no thread yet; each opens its handle with its first query."""
        self._engine = engine
        self._metrics = metrics
        self._gate = gate
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store-reader")
        self._local = threading.local()
        self._waiting = 0
        self.suspicious = False
        """Set when files could not be read; whoever looks for damage unsets it."""

    async def query(self, name: str, **parameters: Any) -> Columns:
        """Return the columns that query `name` answers, empty when it answers no rows.

        Raises:
            Retryable: the store fails, or too many queries wait already.
        """
        if self._waiting >= _WAITING_MAX:
            raise Retryable("too many queries are waiting; ask again in a moment")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self.query_here, name, parameters)
        finally:
            self._waiting -= 1

    def query_here(self, name: str, parameters: dict[str, Any]) -> Columns:
        """Run the query on the calling thread."""
        try:
            with self._gate.reading(), self._metrics.query_seconds.labels(name).time():
                return select(self.handle(), name, parameters)
        except ClickHouseError as error:
            self._metrics.query_errors.labels(name).inc()
            log.error("query %s failed: %s", name, error)
            self.suspicious = self.suspicious or unreadable(error)
            raise failing(error) from error

    def handle(self) -> Client:
        """Return the handle of the calling thread."""
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = self._engine.client()
        return client

    def close(self) -> None:
        """Let running queries finish and refuse new ones."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def select(client: Client, name: str, parameters: dict[str, Any]) -> Columns:
    """Run query `name` on `client` and return its columns."""
    text = resources.text("schema", f"queries/{name}.sql")
    result = client.query(text, parameters=parameters, settings=_SETTINGS)
    return result.result_columns if result.row_count else ()
