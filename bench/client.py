"""Ask a server over a number of connections as fast as it answers; run as a process of its own.

In (standard input, JSON): port, paths, headers, connections, seconds. Out: requests per second,
the median and the 99th percentile of the time to an answer, the mean size of a body, and how many
answers were not 200.
"""

import asyncio
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import uvloop

_LENGTH: Final = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What came of a run."""

    rate: float
    median_ms: float
    p99_ms: float
    size: float
    failed: int


def load(
    port: int,
    paths: Sequence[str],
    headers: str = "",
    connections: int = 16,
    seconds: float = 4,
) -> Load:
    """Run the client in a process and return what it measured."""
    asked = {"port": port, "paths": paths, "headers": headers}
    asked |= {"connections": connections, "seconds": seconds}
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    return Load(**json.loads(done.stdout))


class _Connection(asyncio.Protocol):
    def __init__(
        self, requests: Sequence[bytes], ends: float, done: "asyncio.Future[None]"
    ) -> None:
        self._requests = requests
        self._ends = ends
        self._done = done
        self._received = bytearray()
        self._wanted = 0
        self._at = 0.0
        self._transport: Any = None
        self.times: list[float] = []
        self.sizes = 0
        self.failed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self.failed += 1
            self._done.set_result(None)

    def _ask(self) -> None:
        self._at = time.perf_counter()
        if self._at >= self._ends:
            self._done.set_result(None)
            self._transport.close()
            return
        self._transport.write(random.choice(self._requests))

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._wanted:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._received[:end])
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            self._wanted = end + 4 + length
            self.sizes += length
            self.failed += not head.startswith(b"HTTP/1.1 200")
        if len(self._received) >= self._wanted:
            self._received.clear()
            self._wanted = 0
            self.times.append(time.perf_counter() - self._at)
            self._ask()


async def _measure(asked: dict[str, Any]) -> Load:
    loop = asyncio.get_running_loop()
    requests = [
        f"GET {path} HTTP/1.1\r\nHost: bench\r\n{asked['headers']}\r\n".encode()
        for path in asked["paths"]
    ]
    begun = time.perf_counter()
    ends = begun + asked["seconds"]
    done = [loop.create_future() for _ in range(asked["connections"])]
    made = [
        await loop.create_connection(
            partial(_Connection, requests, ends, each), "127.0.0.1", asked["port"]
        )
        for each in done
    ]
    await asyncio.gather(*done)
    took = time.perf_counter() - begun
    connections: list[Any] = [protocol for _, protocol in made]
    times = sorted(t for connection in connections for t in connection.times)
    return Load(
        len(times) / took,
        times[len(times) // 2] * 1e3,
        times[len(times) * 99 // 100] * 1e3,
        sum(connection.sizes for connection in connections) / len(times),
        sum(connection.failed for connection in connections),
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(_measure(json.load(sys.stdin))).__dict__))
