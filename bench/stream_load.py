"""The load generator of the stream benchmark: thousands of WebSockets in a process of its own.

It takes commands as JSON lines on standard input and answers each with a line. Every received
event is noted with the client and the moment; texts are parsed once, as all clients get the same.
"""

import asyncio
import base64
import json
import os
import sys
import time
from array import array
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import uvloop

_AT_ONCE: Final = 100
_KEY: Final = base64.b64encode(bytes(16)).decode()


class Load:
    """All clients, and what they received since `record`."""

    def __init__(self, port: int) -> None:
        """Connect nothing yet."""
        self.port = port
        self.clients: list[Client] = []
        self.texts: dict[bytes, int] = {}
        self.who, self.what, self.when = array("I"), array("I"), array("d")
        self.is_recording = False
        self.receives = self.bytes = 0
        self.closed: list[str] = []

    async def connect(self, clients: int) -> dict[str, float]:
        """Open connections until there are so many."""
        loop = asyncio.get_running_loop()
        while len(self.clients) < clients:
            wave = min(_AT_ONCE, clients - len(self.clients))
            first = len(self.clients)
            new = [Client(self, number) for number in range(first, first + wave)]
            makers = [partial(lambda client: client, client) for client in new]
            address = "127.0.0.1", self.port
            await asyncio.gather(*(loop.create_connection(make, *address) for make in makers))
            await asyncio.gather(*(client.opened for client in new))
            self.clients += new
        return {"clients": len(self.clients)}

    async def subscribe(self, markets: int, each: int, clients: int = 0) -> dict[str, float]:
        """Let each client (or some) follow the minutes of `each` of the first `markets` markets."""
        for number, client in enumerate(self.clients[: clients or None]):
            names = [f"m{(number * each + i) % markets}@kline_1m" for i in range(each)]
            client.names = names
            client.ask("SUBSCRIBE", names)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        return {}

    async def unsubscribe(self) -> dict[str, float]:
        """Let no client follow anything."""
        for number, client in enumerate(client for client in self.clients if client.names):
            client.ask("UNSUBSCRIBE", client.names)
            client.names = []
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        return {}

    async def record(self) -> dict[str, float]:
        """Begin to note what comes."""
        self.texts.clear()
        for column in (self.who, self.what, self.when):
            del column[:]
        self.receives = self.bytes = 0
        self.is_recording = True
        return {}

    async def save(self, path: str) -> dict[str, float]:
        """Stop, and write what was noted to a file."""
        self.is_recording = False
        await asyncio.to_thread(self._write, path)
        return {"receives": self.receives, "bytes": self.bytes, "closed": len(self.closed)}

    def _write(self, path: str) -> None:
        np.savez(path, who=self.who, what=self.what, when=self.when)
        Path(f"{path}.texts").write_bytes(b"\n".join(self.texts))

    async def cpu(self) -> dict[str, float]:
        """Return the process's CPU seconds."""
        return {"cpu_s": time.process_time()}


class Client(asyncio.Protocol):
    """One WebSocket; masks with zeros and understands what our server sends, no more."""

    __slots__ = ("load", "names", "number", "opened", "rest", "transport")

    def __init__(self, load: Load, number: int) -> None:
        """Wait for the connection."""
        self.load, self.number = load, number
        self.names: list[str] = []
        self.rest = b""
        self.transport: Any = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self.transport = transport
        head = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {_KEY}\r\n\r\n"
        self.transport.write(head.encode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Note it."""
        self.load.closed.append(f"{self.number}: {exc!r}")

    def ask(self, method: str, params: list[str]) -> None:
        """Send a request."""
        text = json.dumps({"method": method, "params": params, "id": 1}).encode()
        self._send(0x81, text)

    def _send(self, first: int, text: bytes) -> None:
        size = len(text)
        head = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self.transport.write(bytes((first,)) + head + bytes(4) + text)

    def data_received(self, data: bytes) -> None:
        """Note the events in it."""
        now = time.perf_counter()
        self.load.receives += self.load.is_recording
        if not self.opened.done():
            end = data.index(b"\r\n\r\n") + 4
            if b" 101 " not in data[:end]:
                raise RuntimeError(f"no upgrade: {data[:200]!r}")
            self.opened.set_result(None)
            data = data[end:]
        data = self.rest + data
        at, end = 0, len(data)
        while end - at >= 4 or (end - at >= 2 and data[at + 1] < 126):
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            if start + size > end:
                break
            self._take(data[at], data[start : start + size], now)
            at = start + size
        self.rest = data[at:]

    def _take(self, first: int, text: bytes, now: float) -> None:
        load = self.load
        if first == 0x89:
            self._send(0x8A, text)
        elif first == 0x81 and load.is_recording:
            load.who.append(self.number)
            load.what.append(load.texts.setdefault(text, len(load.texts)))
            load.when.append(now)
            load.bytes += len(text) + (2 if len(text) < 126 else 4)


async def _main() -> None:
    load = Load(int(sys.argv[1]))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        answer = await getattr(load, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)
    os._exit(0)


if __name__ == "__main__":
    uvloop.run(_main())
