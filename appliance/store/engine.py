"""Open the embedded ClickHouse, or a ClickHouse server, behind one kind of client.

One engine and one path per process; many client handles on it run in parallel, a single handle
serializes. The embedded engine installs handlers for fatal signals that hang the process: they are
given back to the system after every start. Every handle must be closed before the process exits.
"""

import faulthandler
import fcntl
import os
import signal
import threading
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from appliance.errors import ConfigError, Retryable, StoreLocked

MEBIBYTE: Final = 1 << 20
_FATAL: Final = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)


def _engine_options(memory_limit_mb: int) -> dict[str, int]:
    """Return server settings: the defaults are made for a machine of their own."""
    return {
        "max_server_memory_usage": memory_limit_mb * MEBIBYTE,
        "mark_cache_size": 32 * MEBIBYTE,
        "index_mark_cache_size": 8 * MEBIBYTE,
        "primary_index_cache_size": 32 * MEBIBYTE,
        "uncompressed_cache_size": 0,
        "index_uncompressed_cache_size": 0,
        "compiled_expression_cache_size": 8 * MEBIBYTE,
        "background_pool_size": 2,
        "background_schedule_pool_size": 4,
        "background_common_pool_size": 1,
        "background_move_pool_size": 1,
        "background_fetches_pool_size": 1,
    }


class Engine:
    """One store and the handles on it."""

    def __init__(self, dsn: str, memory_limit_mb: int = 1024, query_timeout_ms: int = 30_000):
        """Keep the address; nothing is opened before `open`."""
        self.dsn = dsn
        self.embedded = urlsplit(dsn).scheme == "chdb"
        self._memory_limit_mb = memory_limit_mb
        self._timeout_s = max(1, query_timeout_ms // 1000)
        self._clients: list[Client] = []
        self._lock = threading.Lock()
        self._lock_file: IO[str] | None = None

    def open(self) -> Client:
        """Open the engine and return its first handle.

        Raises:
            StoreLocked: another process has this data directory open.
            ConfigError: the server cannot be reached or refuses the credentials.
        """
        if self.embedded:
            self._own(Path(urlsplit(self.dsn).path))
        try:
            client = self.client()
        except ClickHouseError as error:
            self.close()
            where = urlsplit(self.dsn).hostname or urlsplit(self.dsn).path
            raise ConfigError(
                f"STORE_URL must be a store that opens, was at {where}: {error}"
            ) from error
        _restore_fatal_signals()
        return client

    def _own(self, path: Path) -> None:
        """Lock the store for this process; the system gives the lock back however it ends.

        The engine has a lock of its own, but says of a second process only that it cannot start.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_file = path.with_name(f"{path.name}.lock").open("w")
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise StoreLocked(
                f"another process has the store at {path} open: stop it, or start this one with "
                "another --data-dir"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"DATA_DIR must be a directory that can be written, was {str(path.parent)!r}: "
                f"{error.strerror}"
            ) from None

    def client(self) -> Client:
        """Return a further handle; use it from one thread at a time."""
        options: dict[str, Any] = {"settings": {"max_execution_time": self._timeout_s}}
        if self.embedded:
            options["chdb_options"] = _engine_options(self._memory_limit_mb)
        dsn = self.dsn.replace("clickhouses://", "clickhouse://", 1)
        if self.dsn.startswith("clickhouses://"):
            options["secure"] = True
        client = clickhouse_connect.get_client(dsn=dsn, **options)
        with self._lock:
            self._clients.append(client)
        return client

    def close(self) -> None:
        """Close every handle; closing again does nothing."""
        with self._lock:
            clients, self._clients = self._clients, []
            lock_file, self._lock_file = self._lock_file, None
        for client in reversed(clients):
            client.close()
        if lock_file is not None:
            lock_file.close()


def _restore_fatal_signals() -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may set handlers; it opens the engine of a server
    for number in _FATAL:
        signal.signal(number, signal.SIG_DFL)
    if os.environ.get("PYTHONFAULTHANDLER") != "0":
        faulthandler.enable()


def failing(error: Exception) -> Retryable:
    """Return what to tell a caller when the store fails; the log keeps the whole error."""
    first_line = str(error).partition("\n")[0][:200]
    return Retryable(f"the store is not answering: {first_line}")
