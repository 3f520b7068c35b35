"""The WebSocket routes and the server-sent events over a store in memory, on a real port."""

import asyncio
import contextlib
import itertools
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from typing import Any

import msgspec
import pytest
from sanic import Sanic
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.streaming.hub import Hub
from appliance.streaming.limits import Limits
from appliance.streaming.message import Event
from appliance.streaming.streams import Streams
from appliance.web import answers, security, sse, stream
from appliance.web.parts import Parts
from appliance.web.socket import StreamProtocol
from tests.live_oracle import NOON, Deal, FakeStore, streams_of

_names = itertools.count()


@dataclass
class Served:
    """A running server and what lies below its routes."""

    port: int
    streams: Streams
    store: FakeStore
    metrics: Metrics
    app: Any

    @property
    def hub(self) -> Hub:
        return self.streams.hub

    def open(self, path: str = "/ws", **options: Any) -> Any:
        return connect(f"ws://127.0.0.1:{self.port}{path}", compression=None, **options)

    def add(self, *deals: Deal) -> None:
        if deals:
            self.store.commit(*deals)
        while self.store.queue:
            self.streams.on_commit(self.store.queue.pop(0))

    def publish(self, topic: str, *payloads: bytes) -> None:
        self.hub.publish(topic, [Event(payload) for payload in payloads])

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"appliance_{name}", labels)


@asynccontextmanager
async def serving(
    limits: Limits | None = None, clock: Callable[[], float] = lambda: NOON + 30
) -> AsyncIterator[Served]:
    """Serve until the end of the block, then stop as a server does."""
    store, metrics = FakeStore(), Metrics()
    hub = Hub(metrics, "run-1", limits)
    streams = streams_of(store, hub, clock)
    app = _app(store, metrics, streams)
    listener = socket.create_server(("127.0.0.1", 0))
    server: Any = await app.create_server(
        sock=listener, return_asyncio_server=True, protocol=StreamProtocol
    )
    await server.startup()
    await server.before_start()
    await server.after_start()
    task = asyncio.create_task(streams.run())
    try:
        yield Served(listener.getsockname()[1], streams, store, metrics, app)
    finally:
        task.cancel()
        await asyncio.wait([task])
        await server.before_stop()
        server.close()
        await server.wait_closed()
        await server.after_stop()


@asynccontextmanager
async def serving_quietly(
    caplog: pytest.LogCaptureFixture, limits: Limits | None = None
) -> AsyncIterator[Served]:
    """Serve, and find nothing in the log afterwards: neither ours nor Sanic's nor asyncio's."""
    loud: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loud.append(context))
    async with serving(limits) as served:
        yield served
    assert loud == []
    records = caplog.get_records("call") + caplog.records
    assert [r for r in records if r.exc_info or r.levelno >= logging.ERROR] == []


def _app(store: FakeStore, metrics: Metrics, streams: Streams) -> "Sanic[Any, Any]":
    unused: dict[str, Any] = dict.fromkeys(each.name for each in fields(Parts))
    used = {"settings": Settings(), "metrics": metrics, "streams": streams, "instance": "run-1"}
    parts = Parts(**(unused | used | {"catalogue": store.catalogue}))
    Sanic.test_mode = True
    app: Sanic[Any, Any] = Sanic(f"stream-{next(_names)}", configure_logging=False)
    app.config.update(MOTD=False, ACCESS_LOG=False, WEBSOCKET_MAX_SIZE=stream.MESSAGE_MAX)
    answers.install(app, parts)
    security.install(app, parts)
    app.blueprint(stream.blueprint(parts, lambda: NOON + 30))
    app.blueprint(sse.blueprint(parts))
    return app


async def received(client: ClientConnection) -> Any:
    return msgspec.json.decode(await asyncio.wait_for(client.recv(), 5))


async def ask(client: ClientConnection, method: str, params: Any = None, number: Any = 1) -> Any:
    await client.send(
        msgspec.json.encode({"method": method, "params": params, "id": number}).decode()
    )
    return await received(client)


async def closed_with(client: ClientConnection) -> tuple[int, str]:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await asyncio.wait_for(client.recv(), 10)
    assert client.close_code is not None
    return client.close_code, client.close_reason or ""


async def until(condition: Any) -> None:
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


async def deaf(port: int, path: str, buffer: int = 4_096) -> socket.socket:
    """Open a WebSocket by hand, so that nothing reads it."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    await asyncio.to_thread(plain.connect, ("127.0.0.1", port))
    plain.sendall(head.encode())
    assert b" 101 " in await asyncio.to_thread(plain.recv, 4_096)
    return plain


def reset(plain: socket.socket) -> None:
    """End a connection without a word, as a crash does."""
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plain.close()
