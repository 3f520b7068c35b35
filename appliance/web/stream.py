"""`/ws`, `/ws/<stream>` and `/stream?streams=`: live events in the shape of Binance's streams.

Each connection has one task that reads requests and one that empties its queue. Frames are
written by us and not by Sanic's `send`, which encodes each message again for each client.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from sanic import Blueprint, Request, Websocket
from sanic.exceptions import WebsocketClosed
from websockets.exceptions import ConnectionClosed
from websockets.protocol import Event, State

from appliance import __version__
from appliance.errors import RequestError, TooLarge
from appliance.events import Stream, parse_stream
from appliance.hub import BAD_MESSAGE, SHUTDOWN, TOO_MANY, Client, Hub
from appliance.web.parts import Parts

MESSAGE_MAX: Final = 64 << 10
PING_INTERVAL_S: Final = 20
PING_TIMEOUT_S: Final = 40
"""Counted from the ping, so that a silent client is closed after 60 s."""
INTERVALS_MAX: Final = 32
"""Most different kline intervals of one market for one client."""
_BAD_MAX: Final = 20
_INVALID: Final = 2
_NO_JSON: Final = 3
_INTERNAL_ERROR: Final = 1011
_INVALID_TEXT: Final = 1007
_GOODBYE_S: Final = 2.0
_STUCK_S: Final = 60.0
_METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "HELLO")

log = logging.getLogger(__name__)


def blueprint(parts: Parts) -> Blueprint:
    """Return the WebSocket routes."""
    routes: Blueprint = Blueprint("stream")

    async def bare(_: Request, socket: Websocket) -> None:
        await _serve(parts, socket, [], wrapped=False)

    async def raw(_: Request, socket: Websocket, streams: str) -> None:
        await _serve(parts, socket, _names(map(unquote, streams.split("/"))), wrapped=False)

    async def combined(request: Request, socket: Websocket) -> None:
        asked = "/".join(request.args.getlist("streams") or ())
        await _serve(parts, socket, _names(asked.split("/")), wrapped=True)

    async def goodbye(*_: Any) -> None:
        parts.hub.close_all(SHUTDOWN, "shutdown")

    routes.add_websocket_route(bare, "/ws", name="bare")
    routes.add_websocket_route(raw, "/ws/<streams:path>", name="raw")
    routes.add_websocket_route(combined, "/stream", name="combined")
    routes.before_server_stop(goodbye)
    return routes


def _names(parts: Iterable[str]) -> list[str]:
    return [part for part in parts if part]


async def _serve(parts: Parts, socket: Websocket, streams: list[str], wrapped: bool) -> None:
    """Serve one connection until it ends, whoever ends it."""
    _refuse_bad_text(socket)

    def close(code: int, reason: str) -> None:
        # at once and without waiting, also where the client reads nothing any more
        socket.fail_connection(code, reason)

    try:
        client = parts.hub.connect(close, wrapped)
    except TooLarge as error:
        await socket.close(TOO_MANY, str(error))
        await socket.wait_for_connection_lost(_GOODBYE_S)
        _count_close(parts, socket)
        return
    parts.metrics.sockets_open.inc()
    sender = asyncio.create_task(_send(parts, socket, client), name="stream-sender")
    try:
        await _receive(Session(parts, client), socket, streams)
    except asyncio.CancelledError:  # the client left, or the server stops
        socket.end_connection(SHUTDOWN, "shutdown")  # type: ignore[no-untyped-call]
        raise
    finally:
        parts.hub.disconnect(client)
        parts.metrics.sockets_open.dec()
        _count_close(parts, socket)
        sender.cancel()
        await asyncio.wait([sender])


async def _receive(session: "Session", socket: Websocket, streams: list[str]) -> None:
    if streams:
        session.subscribe_at_start(streams)
    try:
        while not session.client.closed:
            session.receive(await socket.recv())
    except (ConnectionClosed, WebsocketClosed):
        return
    await socket.wait_for_connection_lost(_GOODBYE_S)


async def _send(parts: Parts, socket: Websocket, client: Client) -> None:
    """Write what the client's queue holds, as much as there is in one write."""
    try:
        while batch := await client.take():
            async with asyncio.timeout(_STUCK_S):
                await _write(socket, batch.data)
            parts.metrics.socket_messages.inc(batch.messages)
    except TimeoutError:
        parts.hub.drop_slow(client)
    except ConnectionError:
        return
    except Exception:
        log.exception("sending failed")
        parts.hub.close(client, _INTERNAL_ERROR, "internal error")


async def _write(socket: Websocket, data: bytes) -> None:
    """Write ready frames once there is room, unless the connection is ending.

    Between the check and the write nothing else runs, so no frame follows a close frame.
    """
    protocol = socket.io_proto
    if protocol is None:
        raise ConnectionError
    await protocol._can_write.wait()
    transport = protocol.transport
    if transport is None or transport.is_closing() or socket.ws_proto.state is not State.OPEN:
        raise ConnectionError
    transport.write(data)


def _refuse_bad_text(socket: Websocket) -> None:
    """Close on text that is not UTF-8, which Sanic leaves to a task that nobody watches."""
    process = socket.process_events

    async def checked(events: Sequence[Event]) -> None:
        try:
            await process(events)
        except UnicodeDecodeError:
            socket.fail_connection(_INVALID_TEXT, "text must be UTF-8")

    socket.process_events = checked  # type: ignore[method-assign]


def _count_close(parts: Parts, socket: Websocket) -> None:
    """Count a close that the server began."""
    protocol = socket.ws_proto
    if protocol.close_sent is not None and not protocol.close_rcvd_then_sent:
        parts.metrics.sockets_closed.labels(str(protocol.close_sent.code)).inc()


class Session:
    """What one client asked for; answers go through its queue, in order with events."""

    def __init__(self, parts: Parts, client: Client) -> None:
        """Serve `client`."""
        self.client = client
        self._hub: Hub = parts.hub
        self._live = parts.live
        self._catalogue = parts.catalogue
        self._epoch = parts.instance
        self._bad = 0

    def receive(self, message: str | bytes | None) -> None:
        """Answer one message."""
        if not isinstance(message, str):
            self._hub.close(self.client, BAD_MESSAGE, "requests must be JSON in text messages")
            return
        try:
            request = msgspec.json.decode(message)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
            self._bad += 1
            if self._bad > _BAD_MAX:
                self._hub.close(self.client, BAD_MESSAGE, "too many messages that are not JSON")
            else:
                self._refuse(None, f"Invalid JSON: {error}", _NO_JSON)
            return
        self._answer(request)

    def subscribe_at_start(self, streams: list[str]) -> None:
        """Subscribe to the streams named by the URL; only errors are answered."""
        self._subscribe(streams, None, quiet=True)

    def _answer(self, request: object) -> None:
        if not isinstance(request, dict):
            self._refuse(None, "Invalid request: must be an object")
            return
        number, method, params = (request.get(key) for key in ("id", "method", "params"))
        if isinstance(number, bool) or not isinstance(number, int | str | None):
            self._refuse(None, "Invalid request: id must be an integer, a string or null")
        elif method == "LIST_SUBSCRIPTIONS":
            self._reply({"result": list(self.client.topics), "id": number})
        elif method == "HELLO":
            self.client.extended = True
            server = f"chart-appliance/{__version__}"
            self._reply({"result": {"epoch": self._epoch, "server": server}, "id": number})
        elif method not in _METHODS:
            self._refuse(number, f"method must be one of {', '.join(_METHODS)}, was {method!r:.64}")
        elif not isinstance(params, list) or not all(isinstance(p, str) for p in params):
            self._refuse(number, 'params must be a list of streams, like ["gold@kline_1m"]')
        elif method == "SUBSCRIBE":
            self._subscribe(params, number)
        else:
            self._unsubscribe(params, number)

    def _subscribe(self, names: list[str], number: int | str | None, quiet: bool = False) -> None:
        """Subscribe to what is known, answer with the errors of the rest, send the last bars."""
        problems, added = [], []
        for name in names:
            try:
                stream = parse_stream(name, self._catalogue)
                self._refuse_many_intervals(stream)
                if self._hub.subscribe(self.client, stream.name):
                    added.append(stream.name)
            except TooLarge as error:
                self._hub.close(self.client, TOO_MANY, str(error))
                return
            except RequestError as error:
                problems.append(f"{name[:64]}: {error}")
        if problems:
            self._refuse(number, "; ".join(problems[:10]))
        elif not quiet:
            self._reply({"result": None, "id": number})
        for name in added:
            bar = self._live.latest(name)
            if bar is not None:
                self._hub.send(self.client, bar, name)

    def _refuse_many_intervals(self, stream: Stream) -> None:
        if stream.kind != "kline" or stream.name in self.client.topics:
            return
        prefix = stream.name.partition("@")[0] + "@kline_"
        if sum(topic.startswith(prefix) for topic in self.client.topics) >= INTERVALS_MAX:
            raise RequestError(f"at most {INTERVALS_MAX} different intervals of one market")

    def _unsubscribe(self, names: list[str], number: int | str | None) -> None:
        for name in names:
            try:
                topic = parse_stream(name, self._catalogue).name
            except RequestError:
                continue  # surely not subscribed, which is what was asked for
            self._hub.unsubscribe(self.client, topic)
        self._reply({"result": None, "id": number})

    def _refuse(self, number: int | str | None, text: str, code: int = _INVALID) -> None:
        self._reply({"error": {"code": code, "msg": text}, "id": number})

    def _reply(self, answer: dict[str, Any]) -> None:
        self._hub.send(self.client, msgspec.json.encode(answer))
