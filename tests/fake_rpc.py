"""A node to test against: JSON-RPC over HTTP and WebSocket on 127.0.0.1, with faults to switch on.

    async with FakeNode(FakeChain()) as node:
        node.faults.behind = 3
        … node.url …

Code without an event loop uses `with served(node):`, which runs the node in a thread.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

from aiohttp import WSMsgType, web

from tests.fake_answers import Answers, Faults, fault
from tests.fake_chain import FakeBlock, FakeChain

SECRET = "aBcD1234secretKEY"  # part of every URL: no message, log or label may show it


class FakeNode:
    """One node of `chain`. `requests` holds every call as (method, params), in order."""

    def __init__(self, chain: FakeChain, faults: Faults | None = None) -> None:
        self.chain = chain
        self._answers = Answers(chain, faults or Faults())
        self.requests: list[tuple[str, list[Any]]] = []
        self.posts = 0
        self._more = asyncio.Condition()
        self.connections: set[object] = set()
        self.port = 0
        self._allowance = 1.0
        self._refilled: float | None = None
        self._runner: web.AppRunner | None = None
        self._sockets: set[web.WebSocketResponse] = set()
        self._sending: set[asyncio.Future[None]] = set()
        self._listener: Callable[[FakeBlock], None] = self._mined

    # -- running --

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v2/{SECRET}"

    @property
    def faults(self) -> Faults:
        return self._answers.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._answers.faults = faults

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/{SECRET}"

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def asked(self, posts: int) -> None:
        """Wait until so many HTTP requests have come."""
        async with self._more:
            await self._more.wait_for(lambda: self.posts >= posts)

    def count(self, method: str) -> int:
        """Return how often `method` was called."""
        return sum(called == method for called, _ in self.requests)

    async def start(self) -> None:
        """Listen; on the same port as before, after a stop."""
        app = web.Application()
        app.router.add_post("/{path:.*}", self._post)
        app.router.add_get("/{path:.*}", self._socket)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = runner.addresses[0][1]
        self._runner = runner
        loop = asyncio.get_running_loop()

        def mined(block: FakeBlock) -> None:
            loop.call_soon_threadsafe(self._mined, block)

        self._listener = mined
        self.chain.listeners.append(self._listener)

    async def stop(self) -> None:
        """Refuse connections from now on."""
        if self._runner is None:
            return
        self.chain.listeners.remove(self._listener)
        await self.drop_sockets()
        await self._runner.cleanup()
        self._runner = None

    async def drop_sockets(self) -> None:
        """Close every WebSocket."""
        for socket in tuple(self._sockets):
            await socket.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- HTTP --

    async def _post(self, request: web.Request) -> web.StreamResponse:
        async with self._more:
            self.posts += 1
            self._more.notify_all()
        self.connections.add(request.transport)
        asked = await request.json()
        calls = asked if isinstance(asked, list) else [asked]
        self.requests += [(call["method"], call["params"]) for call in calls]
        if self.faults.hang:
            await asyncio.sleep(3600)
        if self.faults.latency_s:
            await asyncio.sleep(self.faults.latency_s)
        if not self._allowed(len(calls)):
            return self._text("Too Many Requests", 429)
        if (self.faults.status or self.faults.body is not None) and self.faults.spoil():
            text = "<html>sorry</html>" if self.faults.body is None else self.faults.body
            return self._text(text, self.faults.status or 200)
        text = json.dumps(
            self._answers.batch(calls) if isinstance(asked, list) else self._answers.single(asked)
        )
        if self.faults.cut_off:
            return await self._cut(request, text)
        if self.faults.truncated and self.faults.spoil():
            text = text[: len(text) // 2]
        return web.Response(text=text, content_type="application/json")

    def _allowed(self, calls: int) -> bool:
        if (rate := self.faults.requests_per_s) is None:
            return True
        now = asyncio.get_running_loop().time()
        since = now - (now if self._refilled is None else self._refilled)
        self._refilled, self._allowance = now, min(max(1.0, rate), self._allowance + since * rate)
        if self._allowance < min(calls, max(1.0, rate)):
            return False
        self._allowance -= calls
        return True

    def _text(self, text: str, status: int) -> web.Response:
        header = self.faults.retry_after
        headers = {"Retry-After": header} if header is not None else {}
        kind = "application/json" if text[:1] in "{[" else "text/html"
        return web.Response(text=text, status=status, headers=headers, content_type=kind)

    async def _cut(self, request: web.Request, text: str) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": str(len(text))})
        await answer.prepare(request)
        await answer.write(text[: len(text) // 2].encode())
        assert request.transport is not None
        request.transport.close()
        return answer

    # -- WebSocket: newHeads only --

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._subscribe(socket, json.loads(message.data))
        finally:
            self._sockets.discard(socket)
        return socket

    async def _subscribe(self, socket: web.WebSocketResponse, call: dict[str, Any]) -> None:
        self.requests.append((call["method"], call["params"]))
        if self.faults.body is not None:
            await (socket.send_str(self.faults.body) if self.faults.body else socket.close())
            return
        if self.faults.error is not None:
            await socket.send_json(fault(call["id"], *self.faults.error))
            return
        await socket.send_json({"jsonrpc": "2.0", "id": call["id"], "result": "0x1"})
        self._sockets.add(socket)

    def _mined(self, block: FakeBlock) -> None:
        params = {"subscription": "0x1", "result": self._answers.header(block)}
        message = {"jsonrpc": "2.0", "method": "eth_subscription", "params": params}
        for socket in self._sockets:
            task = asyncio.ensure_future(_send(socket, message))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)


async def _send(socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
    with suppress(ConnectionError):
        await socket.send_json(message)


@contextmanager
def served(node: FakeNode) -> Iterator[FakeNode]:
    """Run `node` in a thread of its own, for tests and processes without an event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake-node", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(node.start(), loop).result(10)
        yield node
    finally:
        asyncio.run_coroutine_threadsafe(node.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
