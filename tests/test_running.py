"""server.json: whose it is, who may read it, and to whom the token is sent."""

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from appliance import running
from appliance.errors import ConfigError, Retryable
from appliance.running import Running

TOKEN = "the-admin-token"


@dataclass
class Answering:
    """Something on a port; keeps the path and the authorization of each request."""

    port: int = 0
    body: bytes = b"{}"
    status: int = 200
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def says(self, instance: str) -> None:
        self.body = msgspec.json.encode({"instance": instance})


Serve = Callable[[], Answering]


@contextmanager
def listening(told: Answering) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append((self.path, self.headers["Authorization"]))
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.send_response(told.status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(told.body)

        do_POST = do_GET  # noqa: N815 - named by the library

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[Answering]:
    told = Answering()
    with listening(told):
        yield told


def record(address: str, instance: str = "instance-1") -> Running:
    return Running(address, TOKEN, instance, 1)


def test_the_record_is_for_its_owner_only(tmp_path: Path) -> None:
    """Also where a file of that name was open to all."""
    (tmp_path / running.FILE).write_text("old")
    (tmp_path / running.FILE).chmod(0o666)
    written = running.announce("http://127.0.0.1:3000")
    running.write(tmp_path, written)
    assert stat.S_IMODE((tmp_path / running.FILE).stat().st_mode) == 0o600
    assert written == running.read(tmp_path)
    assert [running.FILE] == [path.name for path in tmp_path.iterdir()]


def test_the_draft_of_a_crash_is_no_obstacle(tmp_path: Path) -> None:
    """And what others may read never becomes the record."""
    draft = tmp_path / "server.tmp"
    draft.write_text("x")
    draft.chmod(0o644)
    running.write(tmp_path, record("http://127.0.0.1:1"))
    assert stat.S_IMODE((tmp_path / running.FILE).stat().st_mode) == 0o600


def test_readers_see_the_old_record_or_the_new_one(tmp_path: Path) -> None:
    """Never a part of one."""
    running.write(tmp_path, record("http://127.0.0.1:1"))
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            running.write(tmp_path, running.announce("http://127.0.0.1:2" + "0" * 5_000))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert None not in [running.read(tmp_path) for _ in range(300)]
    finally:
        stop.set()
        thread.join()


def test_each_start_has_secrets_of_its_own() -> None:
    one, other = running.announce("a"), running.announce("a")
    assert {one.token, one.instance}.isdisjoint({other.token, other.instance})
    assert min(len(one.token), len(other.token)) >= 32
    assert (os.getpid(), "a") == (one.pid, one.address)


def test_only_one_s_own_record_is_removed(tmp_path: Path) -> None:
    mine, newer = running.announce("a"), running.announce("a")
    running.write(tmp_path, newer)
    running.remove(tmp_path, mine)
    assert newer == running.read(tmp_path)
    running.remove(tmp_path, newer)
    assert not (tmp_path / running.FILE).exists()
    running.remove(tmp_path, newer)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b'{"address":"a"}', b"\xff\xfe", b'{"address":"\xff"}', b"{}" * 9],
)
def test_garbage_is_no_record(tmp_path: Path, text: bytes) -> None:
    (tmp_path / running.FILE).write_bytes(text)
    assert (None, None) == (running.read(tmp_path), running.find(tmp_path))


def test_a_live_server_is_found(tmp_path: Path, server: Answering) -> None:
    """By its instance; the token is not sent to ask."""
    server.says("instance-1")
    running.write(tmp_path, record(server.address))
    assert record(server.address) == running.find(tmp_path)
    assert [("/version", None)] == server.asked


@pytest.mark.parametrize(
    "body",
    [
        b'{"instance":"another"}',
        b'{"instance":null}',
        b"{}",
        b"[]",
        b"<html>",
        b"",
        b'{"instance":"\xff"}',
        b" " * 1_000_000 + b'{"instance":"instance-1"}',  # nobody waits for the end of it
    ],
)
def test_a_stranger_on_the_port_is_not_trusted(
    tmp_path: Path, server: Answering, body: bytes
) -> None:
    server.body = body
    running.write(tmp_path, record(server.address))
    assert running.find(tmp_path) is None
    assert [("/version", None)] == server.asked


def test_a_stranger_cannot_send_us_elsewhere(tmp_path: Path, server: Answering) -> None:
    server.says("another")
    server.status = 302
    running.write(tmp_path, record(server.address))
    assert running.find(tmp_path) is None
    assert [("/version", None)] == server.asked


@pytest.mark.parametrize(
    "address",
    [
        *("", "garbage", "file:///etc/passwd", "ftp://127.0.0.1:1", "http://", "http://[::1"),
        *("http://127.0.0.1:99999", "http://127.0.0.1:x", "http://" + "a" * 300 + ":1"),
    ],
)
def test_a_wrong_address_is_no_server(tmp_path: Path, address: str) -> None:
    running.write(tmp_path, record(address))
    assert running.find(tmp_path) is None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_dead_server_is_not_found(tmp_path: Path) -> None:
    running.write(tmp_path, record(f"http://127.0.0.1:{free_port()}"))
    assert running.find(tmp_path) is None


def test_a_silent_process_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running.write(tmp_path, record(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        assert running.find(tmp_path) is None


def test_requests_work_through_the_server(server: Answering) -> None:
    """The token goes with what changes things, not with questions."""
    server.status, server.body = 409, b"no"
    assert (409, b"no") == running.get(record(server.address), "/a?b=c")
    assert (409, b"no") == running.post(record(server.address), "/p", b"body", "text/plain")
    assert [("/a?b=c", None), ("/p", f"Bearer {TOKEN}")] == server.asked


def test_the_token_follows_no_redirect(server: Answering) -> None:
    server.status = 307
    running.post(record(server.address), "/p", b"", "text/plain")
    assert ["/p"] == [path for path, _ in server.asked]


def test_a_server_that_went_away_is_told() -> None:
    gone = record(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Retryable, match="went away"):
        running.get(gone, "/")
    with pytest.raises(Retryable, match="went away"):
        running.post(gone, "/", b"", "text/plain")


def test_the_data_directory_is_made_for_its_owner(tmp_path: Path) -> None:
    running.prepare(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    running.prepare(tmp_path / "a" / "b")
    assert [] == list((tmp_path / "a" / "b").iterdir())


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/nothing-here"])
def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    expected = "DATA_DIR must be a directory that can be written, was .*--data-dir"
    with pytest.raises(ConfigError, match=expected):
        running.prepare(tmp_path / place)
