"""A ClickHouse server for tests: its HTTP interface, as far as our client uses it, over chDB.

    python tests/clickhouse_server.py DIRECTORY PORT

It keeps its data in DIRECTORY, takes a free port for 0, and prints the port when it listens. Every
request is a query with settings, parameters and a database of its own, as in the real one, and so
are status and code of errors, compression both ways, multipart forms and their limit, and sessions
that one query at a time may use. Left out: accounts and grants, `client_protocol_version` (the
client finds that out and speaks the oldest), read-only GET, progress headers.

The files LOSE_ANSWER and REFUSE in DIRECTORY make it misbehave.
"""

import base64
import email
import gzip
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import chdb
import lz4.frame  # type: ignore[import-untyped]
from chdb._exceptions import ChdbError

USER: Final = "chart user"
PASSWORD: Final = "p@ss:w/rd#1%"
LOSE_ANSWER: Final = "lose-answer"
"""Run the next insert into trades, then close the connection without an answer."""
REFUSE: Final = "refuse"
"""Grant no statement that begins with the text of this file."""
FIELD_BYTES_MAX: Final = 128 << 10
"""`http_max_field_value_size`; a request cannot raise it, only the server's profile can."""
_ENGINE_OPTIONS: Final = "?background_pool_size=2&background_schedule_pool_size=4"
_INTERFACE: Final = frozenset(
    "query database default_format query_id session_id session_timeout session_check "
    "wait_end_of_query buffer_size client_protocol_version role quota_key".split()
)
"""Names in an address that are neither settings nor parameters."""
_NOT_FOUND: Final = frozenset({46, 47, 50, 60, 63, 73, 81, 115})
_STATUS: Final = {516: HTTPStatus.FORBIDDEN, 497: HTTPStatus.FORBIDDEN, 159: HTTPStatus(408)} | (
    dict.fromkeys(_NOT_FOUND, HTTPStatus.NOT_FOUND)
)
_CODE: Final = re.compile(r"Code: (\d+)")
_INSERT: Final = re.compile(rb"\s*(INSERT INTO [^\n]+) FORMAT (\w+)\n")


class Refused(Exception):
    """The server does not run the query."""

    def __init__(self, code: int, words: str, name: str) -> None:
        """Spell it as the server does."""
        super().__init__(f"Code: {code}. DB::Exception: {words} ({name})")


@dataclass
class Query:
    """One request."""

    text: bytes = b""
    fields: dict[str, str] = field(default_factory=dict)
    """The interface's own."""
    settings: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: str) -> None:
        """Take a field of the address or of a form."""
        if len(value.encode()) > FIELD_BYTES_MAX:
            raise Refused(1000, "HTML Form Exception: Field value too long", "POCO_EXCEPTION")
        if name.startswith("param_"):
            self.parameters[name.removeprefix("param_")] = value
        elif name in _INTERFACE:
            self.fields[name] = value
        else:
            self.settings[name] = value


def parse(target: str, content_type: str, body: bytes) -> Query:
    """Return the query of a request: the text in its address goes before its body."""
    query = Query()
    for name, value in parse_qsl(urlsplit(target).query, keep_blank_values=True):
        query.add(name, value)
    if content_type.startswith("multipart/form-data"):
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        for part in email.message_from_bytes(head + body).walk():
            if name_of_part := part.get_param("name", header="Content-Disposition"):
                value_of_part = part.get_payload(decode=True)
                assert isinstance(value_of_part, bytes)
                query.add(str(name_of_part), value_of_part.decode())
        body = b""
    query.text = query.fields.get("query", "").encode() + b"\n" + body
    return query


def literal(text: str) -> str:
    """Return a string as SQL spells it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@contextmanager
def inserted(text: bytes) -> Iterator[bytes]:
    """Yield a query with the rows that follow an INSERT in a file: chDB trims them in the text."""
    insert = _INSERT.match(text)
    if insert is None:
        yield text
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(text[insert.end() :])
        file.flush()
        yield b"%b FROM INFILE '%b' FORMAT %b" % (insert[1], file.name.encode(), insert[2])


class Server(ThreadingHTTPServer):
    """The engine, and who uses which session."""

    daemon_threads = True

    def __init__(self, directory: Path, port: int) -> None:
        """Listen on this machine only."""
        super().__init__(("127.0.0.1", port), Handler)
        self.directory = directory
        self._store = f"{directory / 'store'}{_ENGINE_OPTIONS}"
        self._engine = self._handle()  # while it is open, a further handle costs 1 ms
        self._sessions: set[str] = set()
        self._lock = threading.Lock()

    def run(self, query: Query) -> bytes:
        """Run a query on a handle of its own and return what it answers."""
        self._check_grants(query)
        settings = ", ".join(f"{name} = {literal(v)}" for name, v in query.settings.items())
        with (
            self._session(query.fields.get("session_id", "")),
            closing(self._handle()) as handle,
        ):
            if settings:
                handle.query(f"SET {settings}")
            if database := query.fields.get("database"):
                handle.query("USE {database:Identifier}", params={"database": database})
            output = query.fields.get("default_format", "TabSeparated")
            with inserted(query.text) as text:
                return bytes(handle.query(text, output, params=query.parameters).bytes())

    def _handle(self) -> Any:
        return chdb.connect(self._store)  # type: ignore[no-untyped-call]

    def _check_grants(self, query: Query) -> None:
        refused = self.directory / REFUSE
        if refused.exists() and query.text.strip().startswith(refused.read_bytes()):
            words = f"{USER}: Not enough privileges. To execute this query, it's necessary to …"
            raise Refused(497, words, "ACCESS_DENIED")

    @contextmanager
    def _session(self, name: str) -> Iterator[None]:
        with self._lock:
            if name in self._sessions:
                raise Refused(373, "Session is locked by a concurrent client", "SESSION_IS_LOCKED")
            self._sessions |= {name} if name else set()
        try:
            yield
        finally:
            self._sessions.discard(name)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer /ping, or a query in the address."""
        if urlsplit(self.path).path == "/ping":
            self._send(HTTPStatus.OK, b"Ok.\n", {})
        else:
            self.do_POST()

    def do_POST(self) -> None:
        """Answer a query."""
        body = self._body()
        try:
            self._check_password()
            query = parse(self.path, self.headers.get("Content-Type", ""), body)
            found = self.server.run(query)
        except (Refused, ChdbError) as error:
            self._send_error(str(error))
            return
        if b"INTO `trades`" in query.text and self._loses_answer():
            return
        headers = {"X-ClickHouse-Summary": "{}", "X-ClickHouse-Timezone": os.environ["TZ"]}
        if found:
            headers["X-ClickHouse-Format"] = query.fields.get("default_format", "TabSeparated")
        if query.settings.get("enable_http_compression") == "1" and "lz4" in self.headers.get(
            "Accept-Encoding", ""
        ):
            headers["Content-Encoding"] = "lz4"
            found = lz4.frame.compress(found)
        self._send(HTTPStatus.OK, found, headers)

    def _loses_answer(self) -> bool:
        order = self.server.directory / LOSE_ANSWER
        self.close_connection = order.exists()
        order.unlink(missing_ok=True)
        return self.close_connection

    def _check_password(self) -> None:
        expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            words = (
                f"{USER}: Authentication failed: password is incorrect, or there is no user with "
                "such name.\n\nIf you use ClickHouse Cloud, the password can be reset."
            )
            raise Refused(516, words, "AUTHENTICATION_FAILED")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(self._chunks())
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        coding = self.headers.get("Content-Encoding", "identity")
        decode = {"identity": bytes, "gzip": gzip.decompress, "lz4": lz4.frame.decompress}[coding]
        return bytes(decode(body))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _send_error(self, text: str) -> None:
        found = _CODE.search(text)
        code = int(found[1]) if found else 1001
        status = _STATUS.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)
        body = f"{text} (version {chdb.engine_version} (official build))\n".encode()
        self._send(status, body, {"X-ClickHouse-Exception-Code": str(code)})

    def _send(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until killed."""
    server = Server(Path(sys.argv[1]), int(sys.argv[2]))
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
