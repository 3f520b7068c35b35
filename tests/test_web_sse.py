"""Server-sent events, read off the socket as a browser would read them."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from appliance.streaming.limits import Limits
from tests.live_oracle import GOLD, NOON, deal
from tests.stream_served import Served, serving, serving_quietly, until

BAR, TRADES = "gold@kline_1m", "gold@trade"


@pytest.fixture
async def served(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Served]:
    async with serving_quietly(caplog) as it:
        it.add(deal(0, 9.0), deal(1, 10.0))
        yield it


@dataclass
class Source:
    """An EventSource, as HTML says it works; `last_id` is what it would come back with."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    last_id: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    comments: int = 0
    _text: bytes = b""

    async def begin(self, path: str, method: str = "GET", **headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{k}: {v}" for k, v in headers.items())]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.status = int(head[0].split()[1])
        self.headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)

    async def body(self) -> Any:
        return msgspec.json.decode(
            await self.reader.readexactly(int(self.headers["content-length"]))
        )

    async def block(self) -> bytes | None:
        """Return the next block, None at the end."""
        while b"\n\n" not in self._text:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            self._text += (await self.reader.readexactly(size + 2))[:-2]
            if not size:
                return None
        block, _, self._text = self._text.partition(b"\n\n")
        return block

    async def event(self) -> Any:
        """Return the data of the next event, None at the end."""
        while (block := await asyncio.wait_for(self.block(), 5)) is not None:
            data = None
            for line in block.decode().split("\n"):
                name, _, value = line.partition(": ")
                if name == "id":
                    self.last_id = value
                elif name == "data":
                    data = msgspec.json.decode(value)
                elif line.startswith(":"):
                    self.comments += 1
                else:
                    assert re.fullmatch("retry: [0-9]{4}", line)
            if data is not None:
                return data
        return None

    async def drop(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@asynccontextmanager
async def source(served: Served, streams: str, path: str = "/api/stream", **headers: str) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    it = Source(reader, writer)
    await it.begin(f"{path}?streams={streams}", **headers)
    try:
        yield it
    finally:
        await it.drop()
        await until(lambda: served.hub.connections == 0)


async def test_the_same_events_come_as_blocks(served: Served) -> None:
    async with source(served, f"{BAR}/{TRADES}", Origin="https://elsewhere.example") as it:
        assert it.status == 200
        assert it.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert it.headers["cache-control"] == "no-cache, no-transform"
        assert it.headers["access-control-allow-origin"] == "*"
        greeting = await it.event()
        assert greeting["result"]["epoch"] == "run-1"
        first = await it.event()
        assert (first["stream"], first["data"]["k"]["c"]) == (BAR, "10")
        served.add(deal(2, 11.0))
        bar, trade = await it.event(), await it.event()
        assert (bar["data"]["k"]["c"], bar["data"]["u"]) == ("11", first["data"]["u"])
        assert (trade["stream"], trade["data"]["p"]) == (TRADES, "11")


@pytest.mark.parametrize("how", ["header", "query"])
async def test_who_comes_back_with_the_last_id_misses_nothing(served: Served, how: str) -> None:
    async with source(served, f"{BAR}/{TRADES}") as it:
        await it.event()
        await it.event()
        served.add(deal(2, 11.0))
        assert [(await it.event())["data"]["e"] for _ in range(2)] == ["kline", "trade"]
        last_id = it.last_id
    served.add(deal(3, 12.0))
    served.store.retract(GOLD, (NOON + 3) * 10**6)
    served.add()
    await asyncio.sleep(0.05)
    query = f"&lastEventId={last_id}" if how == "query" else ""
    headers = {"Last-Event-ID": last_id} if how == "header" else {}
    async with source(served, f"{BAR}/{TRADES}{query}", **headers) as it:
        await it.event()
        answer = await it.event()
        recovered = [{"stream": name, "recovered": True} for name in (BAR, TRADES)]
        assert answer == {"result": recovered, "id": last_id}
        told = [(await it.event())["data"] for _ in range(3)]
        assert [event["e"] for event in told] == ["trade", "reset", "kline"]
        assert (told[0]["p"], told[2]["k"]["c"]) == ("12", "11")
        await until(lambda: True)
        served.add(deal(4, 13.0))
        assert [(await it.event())["data"]["e"] for _ in range(2)] == ["kline", "trade"]


@pytest.mark.parametrize("last_id", ["", "run-0.5", "run-1.x", "run-1.99999", "x" * 300, "run-1."])
async def test_an_id_that_says_nothing_is_never_called_recovered(
    served: Served, last_id: str
) -> None:
    async with source(served, TRADES, **{"Last-Event-ID": last_id}) as it:
        await it.event()
        if last_id:
            assert (await it.event())["result"] == [{"stream": TRADES, "recovered": False}]
        served.add(deal(2, 11.0))
        assert (await it.event())["data"]["p"] == "11"


async def test_a_mistake_is_told_before_the_answer_begins(served: Served) -> None:
    for query, part in (("", "streams must name some"), ("nope@trade", "known market")):
        async with source(served, query) as it:
            assert it.status == 400
            error = (await it.body())["error"]
            assert (error["field"], part in error["message"]) == ("streams", True)
    async with source(served, f"nope@trade/{TRADES}") as it:
        assert it.status == 200
        await it.event()
        assert "nope@trade: symbol must" in (await it.event())["error"]["msg"]
    async with source(served, TRADES, method="HEAD") as it:
        assert (it.status, served.hub.connections) == (200, 0)


async def test_one_connection_too_many_is_told_to_come_again() -> None:
    async with serving(Limits(connections=1)) as served, source(served, TRADES) as one:
        await one.event()
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        two = Source(reader, writer)
        await two.begin(f"/api/stream?streams={TRADES}")
        assert (two.status, two.headers["retry-after"]) == (503, "1")
        await two.drop()


async def test_heartbeats_keep_the_connection_used_and_ends_are_clean() -> None:
    async with serving(Limits(beat_s=0.1, lifetime_s=2.2)) as served:
        async with source(served, TRADES) as it:
            await it.event()
            assert await it.event() is None
            assert it.comments >= 1
            assert await asyncio.wait_for(it.reader.read(), 5) == b""
        assert served.sample("sockets_closed_total", code="1001") == 1


async def test_one_who_does_not_read_is_cut_and_others_notice_nothing(served: Served) -> None:
    async with source(served, TRADES) as reader:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1)
        writer.write(f"GET /api/stream?streams={TRADES} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await until(lambda: served.hub.connections == 2)
        await reader.event()
        count = 0
        while served.hub.connections == 2:
            served.publish(TRADES, b'{"x":"%s"}' % (b"x" * 50_000))
            count += 1
            assert (await reader.event())["stream"] == TRADES
            assert count < 1_000
        writer.close()
    assert served.sample("sockets_closed_total", code="4008") == 1
