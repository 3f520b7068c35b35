"""The whole appliance in this process: store, sources, web, on a port of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sanic import Sanic
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from appliance.app import Appliance, build, create_app, start, start_sources
from appliance.settings import Settings
from appliance.status import PartState
from appliance.web.socket import StreamProtocol

PATIENCE_S = 60.0


@dataclass
class Served:
    """An appliance that runs."""

    appliance: Appliance
    url: str

    @property
    def chain(self) -> PartState:
        """Return what the only chain says of itself."""
        found = self.appliance.chains[0].state()
        assert found is not None
        return found

    @property
    def tip(self) -> int:
        """Return the number of the newest block that is processed."""
        return self.chain.numbers.get("block", -1)

    async def until_at(self, number: int) -> None:
        """Wait until a block is processed."""
        await self.until(lambda: self.chain.state == "live" and self.tip == number)

    def has(self, number: int, block_hash: str) -> bool:
        """Return whether this very block is processed and remembered."""
        intake = self.appliance.chains[0]._intake
        block = intake.trail.below(number) if intake is not None else None
        return block is not None and (number, block_hash) == (block.number, block.hash)

    async def until_on(self, block_hash: str) -> None:
        """Wait until this very block is processed: another one may have had its number."""
        await self.until(lambda: self.chain.state == "live" and self._tip_hash == block_hash)

    @property
    def _tip_hash(self) -> str:
        intake = self.appliance.chains[0]._intake
        tip = intake.trail.tip if intake else None
        return tip.hash if tip else ""

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        for _ in range(int(PATIENCE_S * 50)):
            if is_so():
                return
            await asyncio.sleep(0.02)
        raise AssertionError(self.chain)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Served]:
    """Run the appliance until the block ends."""
    Sanic.test_mode = True
    appliance = build(settings)
    appliance.store.open()
    served = Served(appliance, "")
    async with AsyncExitStack() as stack:
        await start(appliance, stack)
        app = create_app(appliance)
        listener = socket.create_server(("127.0.0.1", 0))
        served.url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        server = await app.create_server(
            sock=listener, return_asyncio_server=True, protocol=StreamProtocol
        )
        assert server is not None
        await server.startup()  # type: ignore[no-untyped-call]
        await server.before_start()  # type: ignore[no-untyped-call]
        await server.after_start()  # type: ignore[no-untyped-call]
        start_sources(appliance, stack)
        try:
            yield served
        finally:
            await server.before_stop()  # type: ignore[no-untyped-call]
            server.close()  # type: ignore[no-untyped-call]
            await server.wait_closed()  # type: ignore[no-untyped-call]
            await server.after_stop()  # type: ignore[no-untyped-call]


@dataclass
class Subscriber:
    """A client that said HELLO and keeps what a careful reader of the streams knows.

    `bars` holds the newest bar of each bucket, by stream and start; a reset takes away those of
    its range. `resets` are (stream, from, to, reason), as they came.
    """

    served: Served
    bars: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    resets: list[tuple[str, int, int, str]] = field(default_factory=list)
    revised: int = 0
    """Bars that came for a range which a reset had taken away."""
    events: int = 0
    _gone: set[tuple[str, int]] = field(default_factory=set)

    async def run(self, streams: list[str], ready: asyncio.Event) -> None:
        """Read until the connection ends."""
        async with connect(f"{self.served.url}/ws", compression=None, max_queue=None) as client:
            for number, (method, params) in enumerate((("HELLO", None), ("SUBSCRIBE", streams))):
                message = {"method": method, "params": params, "id": number}
                await client.send(msgspec.json.encode(message).decode())
            try:
                async for text in client:
                    self._take(msgspec.json.decode(text), ready)
            except ConnectionClosed:
                return

    def _take(self, event: dict[str, Any], ready: asyncio.Event) -> None:
        if event.get("id") == 1:
            assert event["result"] is None, event
            ready.set()
        if "e" not in event:
            return
        self.events += 1
        if event["e"] == "reset":
            self._reset(event)
        elif event["e"] == "kline":
            bar = event["k"]
            stream = f"{bar['s'].lower()}@kline_{bar['i']}"
            start = bar["t"] // 1000
            self.bars.setdefault(stream, {})[start] = bar
            if (stream, start) in self._gone:
                self.revised += 1
                self._gone.discard((stream, start))

    def _reset(self, event: dict[str, Any]) -> None:
        stream = f"{event['s'].lower()}@kline_{event['i']}"
        first, last = event["from"] // 1000, event["to"] // 1000
        self.resets.append((stream, first, last, event["reason"]))
        bars = self.bars.setdefault(stream, {})
        for bucket in [bucket for bucket in bars if first <= bucket < last]:
            del bars[bucket]
            self._gone.add((stream, bucket))


@asynccontextmanager
async def subscribed(served: Served, streams: list[str]) -> AsyncIterator[Subscriber]:
    """Subscribe until the block ends."""
    subscriber, ready = Subscriber(served), asyncio.Event()
    task = asyncio.create_task(subscriber.run(streams, ready), name="subscriber")
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ready.wait()
        yield subscriber
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
