"""`/api/stream?streams=a/b`: the same events as server-sent events, for proxies without WebSockets.

Browsers reconnect on their own and send the id of the last event they saw: its place among all
events. What was missed follows, or how things stand, after an answer that says which.
"""

import asyncio
import math
import random
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote

import msgspec
import sanic
from sanic import Blueprint, HTTPResponse

from appliance.errors import BadRequest, RequestError, Retryable, TooLarge
from appliance.streaming.client import Client
from appliance.streaming.hub import Position
from appliance.streaming.limits import SLOW
from appliance.streaming.message import Form
from appliance.streaming.resumption import Resumption
from appliance.streaming.streams import Streams
from appliance.web.parts import Parts
from appliance.web.session import INVALID, PROBLEMS_SHOWN, greeting
from appliance.web.socket import StreamProtocol
from appliance.web.stream import names

_TYPE: Final = "text/event-stream; charset=utf-8"
_HEADERS: Final = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would keep events until it has many
}
_RETRY_MS: Final = (1_000, 5_000)
"""When browsers come back: not all of them at once."""
_COMMENT: Final = b":\n\n"


def blueprint(parts: Parts) -> Blueprint:
    """Return the route."""
    routes: Blueprint = Blueprint("sse")

    @routes.get("/api/stream")
    async def stream(request: sanic.Request) -> HTTPResponse | None:
        asked = unquote("/".join(request.args.getlist("streams") or ())).split("/")
        if not names(asked):
            raise BadRequest("streams must name some, like gold@kline_1m/gold@trade", "streams")
        protocol: Any = request.protocol
        if not isinstance(protocol, StreamProtocol):
            raise BadRequest("the answer never ends: ask for it over HTTP")
        if request.head.startswith(b"HEAD "):
            return HTTPResponse(content_type=_TYPE, headers=_HEADERS)
        await _serve(parts, request, protocol, dict.fromkeys(names(asked)))
        return None

    return routes


class Blocks:
    """The sink of a client that is sent events in one endless answer."""

    heard_at = math.inf
    """Nothing is ever heard; who is gone is noticed by writing."""

    def __init__(self, protocol: StreamProtocol) -> None:
        """Write nothing before `start`."""
        self._protocol = protocol
        self._is_started = False
        self.ended: asyncio.Future[int] = protocol.loop.create_future()

    def start(self) -> None:
        """Write from now on: the head of the answer was sent."""
        self._is_started = True

    @property
    def is_writable(self) -> bool:
        """Return whether what is written now would soon be on its way."""
        return self._is_started and self._protocol.is_writable and not self.ended.done()

    def write(self, data: bytes) -> None:
        """Send blocks, as one chunk."""
        self._protocol.write(b"%x\r\n%b\r\n" % (len(data), data))

    def beat(self) -> None:
        """Send a comment, so that proxies see that the connection is used."""
        if self.is_writable:
            self.write(_COMMENT)

    def end(self, code: int, _: str) -> None:
        """Let the answer end; it is cut where the rest of it would not be taken."""
        if not self.ended.done():
            self.ended.set_result(code)
        if code == SLOW:
            self._protocol.abort()  # type: ignore[no-untyped-call]


async def _serve(
    parts: Parts, request: sanic.Request, protocol: StreamProtocol, asked: Iterable[str]
) -> None:
    """Serve one connection until it ends, whoever ends it."""
    hub, sink = parts.streams.hub, Blocks(protocol)
    try:
        client = hub.connect(sink, Form.BLOCK)
    except TooLarge as error:
        raise Retryable(str(error)) from None
    protocol.on_writable = lambda: hub.writable(client)
    try:
        _subscribe(parts.streams, client, asked, _last_id(request))
        response = await request.respond(content_type=_TYPE, headers=_HEADERS)
        await response.send(b"retry: %d\n\n" % random.randint(*_RETRY_MS))  # noqa: S311 # no secret
        protocol.keep_unsent_short()
        sink.start()
        hub.writable(client)
        parts.metrics.sockets_closed.labels(str(await sink.ended)).inc()
        stream: Any = request.stream
        stream.keep_alive = False
    finally:
        protocol.on_writable = None
        hub.disconnect(client)


def _subscribe(streams: Streams, client: Client, asked: Iterable[str], last_id: str | None) -> None:
    """Subscribe to all streams that there are, and queue what the answer begins with.

    Raises:
        BadRequest: there is none of them.
        TooLarge: there are too many subscriptions or streams.
    """
    resumption = Resumption(streams, client)
    position = None if last_id is None else _position(last_id)
    answers, problems = [], []
    for name in asked:
        try:
            answers.append({"stream": name, "recovered": resumption.add(name, position)})
        except TooLarge:
            raise
        except RequestError as error:
            problems.append(f"{name[:64]}: {error}")
    listed = "; ".join(problems[:PROBLEMS_SHOWN])
    if not answers:
        raise BadRequest(listed, "streams")
    _tell(streams, client, {"result": greeting(streams.hub.epoch), "id": 0})
    if last_id is not None:
        _tell(streams, client, {"result": answers, "id": last_id})
    if problems:
        _tell(streams, client, {"error": {"code": INVALID, "msg": listed}, "id": None})
    resumption.send()
    streams.hub.send(client, b"", streams.hub.place)


def _tell(streams: Streams, client: Client, body: dict[str, Any]) -> None:
    streams.hub.send(client, msgspec.json.encode(body))


def _last_id(request: sanic.Request) -> str | None:
    """Return the id of the last event that was seen; not every client can send the header."""
    found: str | None = request.headers.get("last-event-id") or request.args.get("lastEventId")
    return found


def _position(last_id: str) -> Position:
    epoch, _, place = last_id.rpartition(".")
    is_number = place.isascii() and place.isdigit() and len(place) < 19
    return Position(epoch, place=int(place) if is_number else None)
