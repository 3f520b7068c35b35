"""Open the embedded ClickHouse, or a ClickHouse server, behind one kind of client.

One engine and one path per process; many client handles on it run in parallel, a single handle
serializes. The embedded engine installs handlers for fatal signals that hang the process: they are
given back to the system after every start. Every handle must be closed before the process exits.

A server is spoken to over HTTP, each handle on a connection of its own; options of the client can
follow the address (`?ca_cert=/path`, `?connect_timeout=10`). A database that it does not have is
created. Nothing keeps a second appliance off the same database.
"""

import faulthandler
import fcntl
import os
import re
import signal
import threading
from contextlib import closing
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from appliance.errors import ConfigError, DiskFull, Retryable, StoreLocked

MEBIBYTE: Final = 1 << 20
_FATAL: Final = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
_CREATE_DATABASE: Final = "CREATE DATABASE IF NOT EXISTS {database:Identifier}"
_UNKNOWN_DATABASE: Final = 81
_NO_SPACE: Final = re.compile(r"NOT_ENOUGH_SPACE|Code: 243\b|No space left on device")
_UNREADABLE: Final = re.compile(
    r"CHECKSUM_DOESNT_MATCH|CANNOT_DECOMPRESS|UNKNOWN_CODEC|CANNOT_READ_ALL_DATA|CORRUPTED_DATA"
    r"|FILE_DOESNT_EXIST|While reading or decompressing"
)
_CONNECT_TIMEOUT_S: Final = 5
_ANSWER_MARGIN_S: Final = 10
"""How much longer than a query may run its answer is waited for: the server must give up first, so
that we hear whether an insert was stored."""


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
        # the engine mutates one part at a time, 120 ms each, unless 20 tasks could wait beside it
        "background_merges_mutations_concurrency_ratio": 16,
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
            client = self._first_client()
        except (ClickHouseError, TypeError) as error:  # TypeError: no such option of the client
            self.close()
            where = urlsplit(self.dsn).hostname or urlsplit(self.dsn).path
            raise ConfigError(
                f"STORE_URL must be a store that opens, was at {where}: {_reason(error)}"
            ) from error
        _restore_fatal_signals()
        return client

    def _first_client(self) -> Client:
        """Return a handle, having made the database if the server does not have it.

        It is not asked to without need: an account may use its database and not create any.
        """
        try:
            return self.client()
        except DatabaseError as error:
            if self.embedded or error.code != _UNKNOWN_DATABASE:
                raise
        name = unquote(urlsplit(self.dsn).path[1:].partition("/")[0])
        with closing(self._connect(database="system")) as client:
            client.command(_CREATE_DATABASE, parameters={"database": name})
        return self.client()

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
        client = self._connect()
        with self._lock:
            self._clients.append(client)
        return client

    def _connect(self, **options: Any) -> Client:
        settings = {"max_execution_time": self._timeout_s}
        if self.embedded:
            options["chdb_options"] = _engine_options(self._memory_limit_mb)
            return clickhouse_connect.get_client(dsn=self.dsn, settings=settings, **options)
        return clickhouse_connect.get_client(
            dsn=self.dsn,
            secure=self.dsn.startswith("clickhouses://"),
            settings=settings | {"async_insert": 0},  # commits are grouped, and must be whole
            connect_timeout=_CONNECT_TIMEOUT_S,
            send_receive_timeout=self._timeout_s + _ANSWER_MARGIN_S,
            autogenerate_session_id=False,  # a query we gave up on would keep its session locked
            dedicated_pool=True,  # the shared one keeps eight connections, and never closes them
            **options,
        )

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


def unreadable(error: Exception) -> bool:
    """Return whether the engine found files that are not what it wrote."""
    return _UNREADABLE.search(str(error)) is not None


def failing(error: Exception) -> Retryable:
    """Return what to tell a caller when the store fails; the log keeps the whole error."""
    if _NO_SPACE.search(str(error)):
        return DiskFull(
            f"the disk is full: {_reason(error)}: free some space, or remove the ballast with "
            "`appliance disk --release-ballast`; what was sent may be stored once there is room"
        )
    if isinstance(error, OperationalError) and error.code is None:
        words = "no connection to its server, or no answer in time"  # not at which address
    else:
        words = _reason(error)
    return Retryable(f"the store is not answering: {words}")


def _reason(error: Exception) -> str:
    """Return what the engine says, in one line, without the address it was asked at."""
    text = str(getattr(error.__cause__, "reason", error))
    words = text.rpartition("server response: ")[2].partition("\n")[0]
    return words.partition(" (for url ")[0][:200]
