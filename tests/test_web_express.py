"""The express lane: who takes it, and that nobody can tell from the answer."""

import socket
from collections.abc import Iterator
from itertools import pairwise, takewhile
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from appliance.chunks.pieces import Pieces
from appliance.web.express import Express
from appliance.web.socket import StreamProtocol
from tests.test_web_history import FromChunks, chunk, newest
from tests.web_server import MINUTE_0, Web, serving

QUERY = "symbol=GOLD&resolution=1&from=1&to=1700000000&countback=329"
TARGET = f"/api/tradingview/history?{QUERY}&firstDataRequest=true"
LINE = f"GET {TARGET} HTTP/1.1"
HEADERS = ("Host: here", "User-Agent: widget", "Accept: */*", "Connection: keep-alive")
SLOW = "Cookie: a=b"
"""A header that changes no answer, and is read by Sanic only."""


@pytest.fixture(scope="module", params=["*", "https://dex.example"])
def web(request: pytest.FixtureRequest) -> Iterator[Web]:
    with serving(cors_origins=(request.param,)) as running:
        yield running


@pytest.fixture
def fake(web: Web, monkeypatch: pytest.MonkeyPatch) -> FromChunks:
    """Let the server answer from chunks."""
    fake = FromChunks(web.datafeed.catalogue, pieces=Pieces([(chunk(200), 0, 200)], None))
    monkeypatch.setattr(web.datafeed, "candles", fake.candles, raising=False)
    monkeypatch.setattr(web.datafeed, "ready", fake.known, raising=False)
    return fake


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Note of each request that looked like one for the lane whether it took it."""
    taken: list[bool] = []
    answer = Express.answer

    def noted(self: Express, received: bytes) -> bytes | None:
        found = answer(self, received)
        taken.append(found is not None)
        return found

    monkeypatch.setattr(Express, "answer", noted)
    return taken


def written(*headers: str, line: str = LINE) -> bytes:
    return "\r\n".join([line, *HEADERS, *headers, "", ""]).encode()


class Caller:
    """A connection that is read answer by answer."""

    def __init__(self, web: Web) -> None:
        self._socket = socket.create_connection(("127.0.0.1", web.port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def status(self) -> bytes:
        return self._answers.readline()

    def read(self) -> tuple[bytes, dict[str, str], bytes]:
        status = self.status()
        lines = list(takewhile(lambda line: line not in (b"", b"\r\n"), self._answers))
        headers = dict(line.decode().strip("\r\n").split(": ", 1) for line in lines)
        assert len(headers) == len(lines)
        headers.pop("alt-svc", None)  # as a server Sanic leaves it out
        return status, headers, self._answers.read(int(headers.get("content-length", 0)))

    def rest(self) -> list[tuple[bytes, dict[str, str], bytes] | None]:
        """Return what comes until the other side ends, but for the time of day.

        None at the end: it closed with something unread, and what was on its way is lost.
        """
        found: list[tuple[bytes, dict[str, str], bytes] | None] = []
        try:
            while (answer := self.read())[0]:
                status, headers, body = answer
                found.append((status, headers, body if len(body) > 20 else b"time"))
        except ConnectionError:
            found.append(None)
        return found

    def is_silent(self) -> bool:
        self._socket.settimeout(0.2)
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True


@pytest.mark.parametrize("rows", [1, 15, 200])
@pytest.mark.parametrize("accepted", ["identity", "gzip, deflate, br, zstd", "gzip;q=0"])
@pytest.mark.parametrize("is_settled", [True, False])
@pytest.mark.parametrize("origin", [None, "https://dex.example", "https://other.example"])
def test_both_ways_answer_the_same(
    web: Web,
    fake: FromChunks,
    taken: list[bool],
    rows: int,
    accepted: str,
    is_settled: bool,
    origin: str | None,
) -> None:
    """Status, headers and bytes."""
    fake.is_settled = is_settled
    fake.pieces = Pieces([(chunk(rows), 0, rows)], newest(1, MINUTE_0 + 60 * rows))
    asked = [f"Accept-Encoding: {accepted}"] + ([f"Origin: {origin}"] if origin else [])
    with Caller(web) as caller:
        caller.send(written(*asked, SLOW))  # the first one compresses
        slow = caller.read()
        caller.send(written(*asked))
        assert slow == caller.read()
    assert taken == [False, True]
    assert slow[0] == b"HTTP/1.1 200 OK\r\n"


def line(**changes: str) -> str:
    words = dict(word.split("=") for word in QUERY.split("&")) | changes
    query = "&".join(f"{name}={value}" for name, value in words.items())
    return f"GET /api/tradingview/history?{query} HTTP/1.1"


OTHERS = {
    "another symbol": line(symbol="NONE"),
    "a symbol that is quoted": line(symbol="WETH%2FUSDC"),
    "another resolution": line(resolution="1x"),
    "an end before its beginning": line(**{"from": "1700000001"}),
    "a word that is not known": line(more="1"),
    "a word less": line().replace("&countback=329", ""),
    "an older protocol": line().replace("1.1", "1.0"),
    "a head": line().replace("GET", "HEAD"),
    "another path": line().replace("/api", "//api"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_written_otherwise_goes_the_ordinary_way(
    web: Web, fake: FromChunks, taken: list[bool], name: str
) -> None:
    with Caller(web) as caller:
        caller.send(written(line=OTHERS[name]))
        assert caller.status().startswith(b"HTTP/1.1 ")
    assert taken in ([], [False])


@pytest.mark.parametrize(
    "header",
    [
        *("Cookie: a=b", "Authorization: Bearer x", "X-API-Key: x", "x-api-key: x"),
        *('If-None-Match: "x"', "Connection: close", "Connection: Upgrade", "Upgrade: x"),
        *("Host: twice", "Content-Length: 0", "Origin: \xe9", "no header"),
    ],
)
def test_special_headers_go_the_ordinary_way(
    web: Web, fake: FromChunks, taken: list[bool], header: str
) -> None:
    fields = [field for field in HEADERS if not header.startswith("Connection")]
    with Caller(web) as caller:
        caller.send("\r\n".join([LINE, *fields, header, "", ""]).encode())
        assert caller.read()[0].startswith(b"HTTP/1.1 ")
    assert taken == [False]


def test_what_must_be_read_or_compressed_goes_the_ordinary_way(
    web: Web, fake: FromChunks, taken: list[bool]
) -> None:
    with Caller(web) as caller:
        for _ in range(2):
            caller.send(written("Accept-Encoding: gzip"))
            assert caller.read()[1]["content-encoding"] == "gzip"
        fake.is_at_once = False
        caller.send(written())
        assert caller.read()[0] == b"HTTP/1.1 200 OK\r\n"
    assert taken == [False, True, False]


def test_a_request_may_come_in_any_two_parts(web: Web, fake: FromChunks) -> None:
    whole = written()
    with Caller(web) as caller:
        caller.send(whole)
        expected = caller.read()
        for at in range(1, len(whole), 7):
            caller.send(whole[:at])
            caller.is_silent() if at % 40 == 1 else None
            caller.send(whole[at:])
            assert expected == caller.read()


def test_requests_that_come_together_are_answered_in_order(web: Web, fake: FromChunks) -> None:
    """Whichever way each takes."""
    time = written(line="GET /api/tradingview/time HTTP/1.1")
    sent = [time, written(), written(SLOW), time, written(), written(), time]
    with Caller(web) as caller:
        for apart in (False, True):
            for part in sent if apart else [b"".join(sent)]:
                caller.send(part)
            sizes = [len(caller.read()[2]) for _ in sent]
            assert [size < 20 for size in sizes] == [b"/time" in part for part in sent]


TIME = written(line="GET /api/tradingview/time HTTP/1.1")
LAST = written("Connection: close", line="GET /api/tradingview/time HTTP/1.1")
BYTES = st.sampled_from([b"\r", b"\n", b"\r\n", b" ", b":", b"%41", b"0", b"a", b"&", b"\xff", b""])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Return some requests, of which some bytes were lost, doubled or replaced."""
    parts = st.lists(st.sampled_from([written(), written(), written(SLOW), TIME]), min_size=1)
    sent = b"".join(draw(parts))[:4_000]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(sent)))
        sent = sent[:at] + draw(BYTES) + sent[at + draw(st.integers(0, 2)) :]
    return sent + LAST


@effort(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sent=streams(), cuts=st.lists(st.integers(0, 4_000), max_size=3))
def test_any_bytes_are_answered_as_without_it(
    web: Web, fake: FromChunks, sent: bytes, cuts: list[int]
) -> None:
    """However they are cut; nothing is answered twice, and nothing that was not asked."""

    def answers(lane: Express | None) -> list[Any]:
        web.app.ctx.express = lane
        with Caller(web) as caller:
            try:
                for first, end in pairwise([0, *sorted(cuts), len(sent)]):
                    caller.send(sent[first:end])
            except ConnectionError:  # it reads no further than to a mistake
                return [*caller.rest(), None]
            return caller.rest()

    lane = web.app.ctx.express
    try:
        ordinary = answers(None)
    finally:
        web.app.ctx.express = lane
    express = answers(lane)
    ends = [answered.index(None) for answered in (ordinary, express) if None in answered]
    known = min(ends, default=None)
    assert ordinary[:known] == express[:known]


def test_a_body_is_no_request(web: Web, fake: FromChunks, taken: list[bool]) -> None:
    """Who answered for a body that was not read yet reads it then, whatever it looks like."""
    body = written()
    post = f"POST /api/tradingview/time HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with Caller(web) as caller:
        caller.send(post.encode())
        assert b" 405 " in caller.read()[0]
        caller.send(body)
        assert caller.is_silent()
    assert taken == []


def test_who_does_not_read_is_not_written_to(
    web: Web, fake: FromChunks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer comes in the end; no more than some of them wait in memory."""
    waiting: list[int] = []
    write = StreamProtocol.write

    def noted(self: StreamProtocol, data: bytes) -> None:
        write(self, data)
        waiting.append(self.transport.get_write_buffer_size() if self.transport else 0)

    monkeypatch.setattr(StreamProtocol, "write", noted)
    fake.pieces = Pieces([(chunk(5_000), 0, 5_000)], None)
    with Caller(web) as caller:
        caller.send(written())
        first = caller.read()
        for _ in range(200):
            caller.send(written())
        assert [first] * 200 == [caller.read() for _ in range(200)]
    assert max(waiting) < 3 * len(first[2])


def test_answers_are_counted_as_any_others(web: Web, fake: FromChunks) -> None:
    def counted() -> tuple[int, int]:
        requests = web.parts.metrics.http_requests.labels("/api/tradingview/history", "GET", "200")
        return requests.value, sum(
            web.parts.metrics.http_seconds.labels("/api/tradingview/history").counts
        )

    before = counted()
    with Caller(web) as caller:
        for headers in ((), (SLOW,)):
            caller.send(written(*headers))
            caller.read()
    after = counted()
    assert [2, 2] == [b - a for a, b in zip(before, after, strict=True)]


def test_with_an_access_log_each_request_is_logged(
    caplog: pytest.LogCaptureFixture, taken: list[bool]
) -> None:
    with serving(access_log=True) as web:
        caplog.set_level("INFO", "appliance.access")
        with Caller(web) as caller:
            caller.send(written())
            caller.read()
    logged: list[Any] = [record for record in caplog.records if record.name == "appliance.access"]
    assert [record.path for record in logged] == ["/api/tradingview/history"]
    assert taken == []


def test_a_failure_is_answered_and_logged(
    web: Web, fake: FromChunks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(web.datafeed, "ready", fail, raising=False)
    with Caller(web) as caller:
        caller.send(written())
        status, _, body = caller.read()
        assert b" 500 " in status
        assert b"its log says why" in body
        monkeypatch.undo()
        caller.send(written())
        assert caller.read()[0]
    assert "broken" in caplog.text


def test_who_asks_while_the_server_stops_is_told_to_go(
    web: Web, fake: FromChunks, taken: list[bool]
) -> None:
    web.app.ctx.stopping = True
    try:
        with Caller(web) as caller:
            caller.send(written())
            assert caller.read()[1]["connection"] == "close"
    finally:
        web.app.ctx.stopping = False
    assert taken == [False]
