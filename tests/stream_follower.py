"""A client as a chart is one: it resumes, reads again what it is told to, and checks each number.

Bars are rows of (open, high, low, close, volume, trades), by their start in milliseconds.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Bars = dict[int, tuple[float, ...]]


class Past(Protocol):
    """Where a client reads what it was not told."""

    async def bars(self, stream: str) -> Bars:
        """Return all bars of a stream."""
        ...

    async def trades(self, stream: str) -> dict[int, float]:
        """Return the price of all trades, by sequence."""
        ...


class Follower:
    """One reader, over any number of connections."""

    def __init__(self, address: str, streams: Sequence[str], past: Past) -> None:
        self.address, self.streams, self.past = address, streams, past
        self.epoch = ""
        self.u: dict[str, int] = {}
        self.bars: dict[str, Bars] = {name: {} for name in streams if "kline" in name}
        self.trades: dict[str, dict[int, float]] = {n: {} for n in streams if "trade" in n}
        self.told: set[tuple[str, int]] = set()
        self.recovered = self.lost = self.events = 0

    async def connected(self, seconds: float, choose: random.Random) -> None:
        """Connect, take up where it ended, listen for a while, and drop the connection."""
        async with connect(f"{self.address}/stream", compression=None, max_queue=None) as socket:
            await self._begin(socket)
            try:
                async with asyncio.timeout(seconds):
                    while True:
                        await self._take(msgspec.json.decode(await socket.recv()))
            except (TimeoutError, ConnectionClosed):
                if choose.random() < 0.7:
                    socket.transport.abort()

    async def _begin(self, socket: ClientConnection) -> None:
        await _ask(socket, "HELLO", None)
        greeting = await _answer(socket, self)
        known = [
            {"stream": name, "epoch": self.epoch, "u": self.u[name]}
            for name in self.streams
            if name in self.u
        ]
        self.epoch = greeting["result"]["epoch"]
        await _ask(socket, "RESUME", known)
        for each in (await _answer(socket, self))["result"]:
            assert "error" not in each
            if each["recovered"]:
                self.recovered += 1
            else:
                self.lost += 1
                del self.u[each["stream"]]
        new = [name for name in self.streams if name not in {each["stream"] for each in known}]
        await _ask(socket, "SUBSCRIBE", new)
        for name in self.streams:
            if name not in self.u:
                await self._read(name)

    async def _read(self, name: str) -> None:
        if name in self.bars:
            self.bars[name] = await self.past.bars(name)
        else:
            self.trades[name] |= await self.past.trades(name)

    async def _take(self, message: dict[str, Any]) -> None:
        if "stream" not in message:
            assert message["result"] is None
            return
        name, event = message["stream"], message["data"]
        self.events += 1
        bar = event.get("k")
        self._count(name, event["u"], counted=bar is None or bar["x"])
        if event["e"] == "trade":
            assert (name, event["t"]) not in self.told
            self.told.add((name, event["t"]))
            self.trades[name][event["t"]] = float(event["p"])
        elif event["e"] == "reset":
            await self._read(name)
        elif bar is not None:
            self.bars[name][bar["t"]] = row(bar)

    def _count(self, name: str, u: int, counted: bool) -> None:
        """Check that nothing is missing and nothing comes twice."""
        last = self.u.get(name)
        if last is not None:
            assert u == last + counted, f"{name}: {u} came after {last}"
        self.u[name] = u


def row(k: dict[str, Any]) -> tuple[float, ...]:
    """Return the numbers of a bar."""
    return (*(float(k[name]) for name in "ohlcv"), k["n"])


async def _ask(socket: ClientConnection, method: str, params: Any) -> None:
    await socket.send(
        msgspec.json.encode({"method": method, "params": params, "id": method}).decode()
    )


async def _answer(socket: ClientConnection, follower: Follower) -> Any:
    while True:
        message = msgspec.json.decode(await asyncio.wait_for(socket.recv(), 30))
        if "id" in message and message["id"] in ("HELLO", "RESUME"):
            return message
        await follower._take(message)
