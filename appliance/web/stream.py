"""`/ws`, `/ws/<stream>` and `/stream?streams=`: live events in the shape of Binance's streams."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import unquote

from sanic import Blueprint, Request

from appliance.errors import TooLarge
from appliance.streaming import events
from appliance.streaming.limits import TOO_MANY
from appliance.streaming.message import Form
from appliance.web.parts import Parts
from appliance.web.session import Session
from appliance.web.socket import Socket

MESSAGE_MAX: Final = 64 << 10


def blueprint(parts: Parts, clock: Callable[[], float] = time.time) -> Blueprint:
    """Return the WebSocket routes."""
    routes: Blueprint = Blueprint("stream")

    async def bare(_: Request, socket: Socket) -> None:
        await _serve(parts, socket, [], Form.RAW)

    async def raw(_: Request, socket: Socket, streams: str) -> None:
        await _serve(parts, socket, names(map(unquote, streams.split("/"))), Form.RAW)

    async def combined(request: Request, socket: Socket) -> None:
        asked = "/".join(request.args.getlist("streams") or ())
        await _serve(parts, socket, names(asked.split("/")), Form.WRAPPED)

    async def goodbye(*_: Any) -> None:
        parts.streams.hub.close_all(events.shutdown(int(clock() * 1000)))

    routes.add_websocket_route(bare, "/ws", name="bare")
    routes.add_websocket_route(raw, "/ws/<streams:path>", name="raw")
    routes.add_websocket_route(combined, "/stream", name="combined")
    routes.before_server_stop(goodbye)
    return routes


def names(parts: Iterable[str]) -> list[str]:
    """Return the stream names among the parts of a list.

    A bare number is none: ccxt numbers its connections so, and Binance says nothing about it.
    """
    return [part for part in parts if part and not part.isdecimal()]


async def _serve(parts: Parts, socket: Socket, streams: list[str], form: Form) -> None:
    """Serve one connection until it ends, whoever ends it."""
    hub = parts.streams.hub
    try:
        client = hub.connect(socket, form)
    except TooLarge as error:
        socket.end(TOO_MANY, str(error))
        await _until_lost(parts, socket)
        return
    socket.protocol.on_writable = lambda: hub.writable(client)
    session = Session(parts.streams, client)
    try:
        if streams:
            session.subscribe_at_start(streams)
        socket.start(session.receive, session.is_allowed)
        await _until_lost(parts, socket)
    finally:
        hub.disconnect(client)


async def _until_lost(parts: Parts, socket: Socket) -> None:
    """Wait for the end, and count it if the server began it."""
    try:
        await socket.wait_lost()
    finally:
        frames = socket.ws_proto
        if frames.close_sent is not None and not frames.close_rcvd_then_sent:
            parts.metrics.sockets_closed.labels(str(frames.close_sent.code)).inc()
