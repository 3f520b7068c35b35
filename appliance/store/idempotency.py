"""Requests with an `Idempotency-Key`: sent again, they store nothing; another body is refused.

Trades without an id get one that is made of key, body and row. So whatever happened to the first
request, the same one is recognized as every trade with an id is, in the same commit that stores it:
there is no moment between storing trades and noting that they were.

What is noted before that, in DATA_DIR/idempotency.sqlite, only serves to refuse another body under
a key of the last day. It survives a kill; a power cut may take the last few keys, and no trade.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from appliance import resources
from appliance.errors import BadRequest, Conflict, DiskFull, Retryable

log = logging.getLogger(__name__)
HEADER: Final = "Idempotency-Key"
FILE: Final = "idempotency.sqlite"
KEPT_S: Final = 86_400
KEPT_MOST: Final = 1_000_000
"""Keys: 12 a second for a day, in about 100 MB. Beyond, the oldest go early."""
_LONGEST: Final = 128
_DIGEST: Final = 16
_PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request with a key: digests of both, and the key to name it."""

    name: str
    key: bytes
    body: bytes

    def trade_id(self, row: int) -> str:
        """Return the id of the trade at `row`, which was sent without one."""
        return f"{_digest(self.key + self.body).hex()}:{row}"


def keyed(name: str, body: bytes) -> Keyed:
    """Return a request as it is known by its key.

    Raises:
        BadRequest: the key is too long, empty, or not printable.
    """
    if not (name.isascii() and name.isprintable() and 0 < len(name) <= _LONGEST):
        raise BadRequest(
            f"{HEADER} must be 1 to {_LONGEST} printable ASCII characters, or absent; "
            f"was {name[:_LONGEST]!r}, {len(name)} characters",
            HEADER,
        )
    return Keyed(name, _digest(name.encode()), _digest(body))


class Keys:
    """The keys of the last day; any thread may use it."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Open nothing before a key comes."""
        self._path = folder / FILE
        self._clock = clock
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None

    def bind(self, request: Keyed) -> bool:
        """Note a request before it is stored; return whether its key was free.

        Raises:
            Conflict: the key came with another body.
            Retryable: it cannot be noted.
        """
        with self._lock:
            try:
                new, body = self._bind(request)
            except sqlite3.DatabaseError as error:
                raise self._failing(error) from error
        if body != request.body:
            raise Conflict(
                f"{HEADER} {request.name!r} came with another body in the last "
                f"{KEPT_S // 3_600} hours: send each request under a key of its own",
                HEADER,
            )
        return new

    def release(self, request: Keyed) -> None:
        """Let a key be used anew: what it came with was refused, and nothing of it is stored."""
        with self._lock:
            try:
                self._run("delete_request", key=request.key, body=request.body)
            except sqlite3.DatabaseError as error:
                raise self._failing(error) from error

    def close(self) -> None:
        """Close the file; the next key opens it again."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _bind(self, request: Keyed) -> tuple[bool, bytes]:
        now = int(self._clock())
        where = {"kept_from": now - KEPT_S}
        self._run("delete_old_requests", most=KEPT_MOST, **where)
        added = self._run("insert_request", key=request.key, body=request.body, now=now, **where)
        with closing(self._open().execute(_text("select_request"), {"key": request.key})) as found:
            (body,) = found.fetchone()
        return added > 0, bytes(body)

    def _run(self, statement: str, **values: bytes | int) -> int:
        """Run a statement, at once durable against a kill; return how many rows it changed."""
        with closing(self._open().execute(_text(statement), values)) as cursor:
            return cursor.rowcount

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = sqlite3.connect(
                self._path, _PATIENCE_S, isolation_level=None, check_same_thread=False
            )
            self._path.chmod(0o600)
            self._database.execute("PRAGMA journal_mode = WAL")  # no sync for each key
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(_text("create_requests"))
        return self._database

    def _failing(self, error: sqlite3.DatabaseError) -> Retryable:
        """Return what the caller is told; a file that cannot be read is put aside."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if isinstance(error, sqlite3.OperationalError):
            kind = DiskFull if error.sqlite_errorcode == sqlite3.SQLITE_FULL else Retryable
            return kind(f"{FILE} cannot be written: {error}")
        log.error("%s is damaged, and begun anew: %s", self._path, error)
        with suppress(FileNotFoundError):
            self._path.replace(self._path.with_suffix(".damaged"))
        for suffix in ("-wal", "-shm"):
            self._path.with_name(f"{FILE}{suffix}").unlink(missing_ok=True)
        return Retryable(f"{FILE} was damaged; send again")


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST).digest()


def _text(statement: str) -> str:
    return resources.text("schema", f"sqlite/{statement}.sql")
