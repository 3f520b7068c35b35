"""The express lane: what widgets ask thousands of times a second, answered before Sanic reads it.

A request takes it if it is exactly what TradingView's adapter sends, its headers ask for nothing
special, it came whole on a connection that waits for one, and its bars are in memory. All others
go the ordinary way, with the same answer. It saves what a web server does for any request: a
task that wakes, headers and URL as objects, a route, middleware, headers made and checked anew.
"""

import logging
import re
import time
from functools import lru_cache
from typing import Any, Final, NamedTuple

import sanic

from appliance.errors import RequestError
from appliance.web import security
from appliance.web.answers import JSON, REVALIDATE, SETTLED
from appliance.web.encoding import accepts_gzip
from appliance.web.history import Body, ready_body
from appliance.web.parts import Parts
from appliance.web.udf import Asked, question_of

BEGINNING: Final = b"GET /api/tradingview/history?"
_ASKED: Final = re.compile(
    re.escape(BEGINNING) + rb"symbol=([\w.:/-]{1,64})&resolution=(\w{1,6})"
    rb"&from=([0-9]{1,10})&to=([0-9]{1,10})&countback=([0-9]{1,6})"
    rb"(?:&firstDataRequest=\w{1,8})? HTTP/1\.1"
)
_log = logging.getLogger("appliance.web")
_LENGTH_MAX: Final = 4_096
_ROUTE: Final = "api/tradingview/history"
_SPECIAL: Final = frozenset(
    {
        *("content-length", "transfer-encoding", "expect", "upgrade", "if-none-match"),
        *("authorization", "cookie"),  # nobody's secrets are kept
    }
)
"""Headers that change the answer or what follows, and those that are not for remembering."""


class _Wanted(NamedTuple):
    """What the headers of a request say."""

    gzip: bool
    origin: str | None


class Express:
    """Answers requests as bytes, from what arrived to what is sent."""

    def __init__(self, app: sanic.Sanic[Any, Any], parts: Parts) -> None:
        """Answer for the web application `app`."""
        self._app = app
        self._parts = parts
        self._special = _SPECIAL | {parts.settings.api_key_header.lower()}
        self._wanted = lru_cache(1_024)(self._read)
        self._head = lru_cache(1_024)(self._written)

    def answer(self, received: bytes) -> bytes | None:
        """Return the answer to what was received, None if it has to go the ordinary way."""
        try:
            return self._answer(received)
        except Exception:  # noqa: BLE001 - a connection cannot answer for a failure, a handler can
            _log.exception("a request for history failed and goes the ordinary way")
            return None

    def _answer(self, received: bytes) -> bytes | None:
        begun = time.perf_counter()
        line_end, end = received.find(b"\r\n"), received.find(b"\r\n\r\n")
        if end + 4 != len(received) or end > _LENGTH_MAX or self._app.ctx.stopping:
            return None
        asked = _ASKED.fullmatch(received, 0, line_end)
        wanted = self._wanted(received[line_end + 2 : end]) if asked else None
        if asked is None or wanted is None:
            return None
        found = self._found(asked, wanted)
        if found is None:
            return None
        body, is_settled = found
        head = self._head(wanted.origin, body.gzip, is_settled)
        security.count(self._parts, _ROUTE, "GET", 200, time.perf_counter() - begun)
        length = b"%d\r\n\r\n" % len(body.text)
        return b"".join((head, body.etag.encode(), b"\r\ncontent-length: ", length, body.text))

    def _found(self, asked: re.Match[bytes], wanted: _Wanted) -> tuple[Body, bool] | None:
        symbol, resolution, *numbers = asked.groups()
        first, last, countback = map(int, numbers)
        if first > last:
            return None
        words = Asked(symbol.decode(), resolution.decode(), first, last, countback)
        try:
            ready = self._parts.datafeed.ready(*question_of(words, self._parts))
        except RequestError:
            return None
        if ready is None:
            return None
        pieces, is_settled = ready
        body = ready_body(pieces, gzip=wanted.gzip)
        return None if body is None else (body, is_settled)

    def _read(self, head: bytes) -> _Wanted | None:
        """Return what header lines want, None for what Sanic has to see."""
        if not head.isascii():
            return None
        headers: dict[str, str] = {}
        for line in head.decode().split("\r\n"):
            name, colon, value = line.partition(":")
            name = name.lower()
            if not colon or name in headers or name in self._special:
                return None
            headers[name] = value.strip()
        if headers.get("connection", "keep-alive").lower() != "keep-alive":
            return None
        return _Wanted(accepts_gzip(headers.get("accept-encoding", "")), headers.get("origin"))

    def _written(self, origin: str | None, gzip: bool, is_settled: bool) -> bytes:
        """Return the head of an answer up to the value of its entity tag."""
        headers = {"content-type": JSON, "connection": "keep-alive", "vary": "Accept-Encoding"}
        headers["cache-control"] = SETTLED if is_settled else REVALIDATE
        if gzip:
            headers["content-encoding"] = "gzip"
        headers |= security.always(self._parts.settings)
        security.name_origin(headers, origin, self._parts.settings)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(["HTTP/1.1 200 OK", *lines, "etag: "]).encode()


def install(app: sanic.Sanic[Any, Any], parts: Parts) -> None:
    """Open the lane, unless each request is to be logged, which Sanic's way does."""
    app.ctx.express = None if parts.settings.access_log else Express(app, parts)
