"""Clients that read nothing or hardly anything, or come back all at once: others do not notice."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator

import pytest

from appliance.streaming.limits import Limits
from appliance.streaming.message import Event
from tests.stream_served import Served, deaf, received, serving, serving_quietly, until

TOPIC = "gold@trade"
BAR = b'{"n":%d,"x":"' + b"x" * 4_000 + b'"}'


@pytest.fixture
async def served(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Served]:
    async with serving_quietly(caplog) as it:
        yield it


def queued(served: Served) -> list[int]:
    return [client.queued for client in served.hub._clients]


async def read_slowly(plain: socket.socket, ended: asyncio.Event) -> bytes:
    """Read 100 bytes a second, a little at a time, until told to read all of it."""
    loop, data = asyncio.get_running_loop(), b""
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            data += await asyncio.wait_for(loop.sock_recv(plain, 10), 0.1)
        await asyncio.sleep(0.1)
    return data


async def test_one_who_reads_100_bytes_a_second_is_sent_fewer_states_but_each_trade(
    served: Served,
) -> None:
    """Of forming bars the newest; all that is counted comes, in its place."""
    plain = await deaf(served.port, f"/ws/{TOPIC}")
    plain.setblocking(False)
    ended = asyncio.Event()
    reading = asyncio.create_task(read_slowly(plain, ended))
    async with served.open(f"/ws/{TOPIC}", max_queue=None) as reader:
        await until(lambda: served.hub.connections == 2)
        for n in range(1_000):
            served.hub.publish(TOPIC, [Event(BAR % n, "bar")])
            if n % 100 == 0:
                served.hub.publish(TOPIC, [Event(b'{"t":%d}' % n)])
                assert await received(reader)
            served.hub.flush()
            await asyncio.sleep(0)
            assert max(queued(served)) < 300_000
        assert served.hub.connections == 2
        conflated = served.sample("socket_conflated_total") or 0
        assert conflated > 700
        ended.set()
        data = await reading
        loop = asyncio.get_running_loop()
        while b'{"n":999' not in data or data[-1:] != b"}":
            data += await asyncio.wait_for(loop.sock_recv(plain, 1 << 16), 5)
        trades = [n for n in range(0, 1_000, 100) if b'{"t":%d}' % n in data]
        assert trades == list(range(0, 1_000, 100))
        assert data.count(b'{"n":') < 300
    plain.close()


async def test_a_hundred_who_never_read_are_closed_and_hold_no_memory() -> None:
    limits = Limits(queue_bytes=100_000)
    async with serving(limits) as served, served.open(f"/ws/{TOPIC}") as reader:
        silent = [await deaf(served.port, f"/ws/{TOPIC}") for _ in range(100)]
        await until(lambda: served.hub.connections == 101)
        for n in range(2_000):
            served.publish(TOPIC, BAR % n)
            assert (await received(reader))["n"] == n
            assert sum(queued(served)) < 102 * 200_000
            if served.hub.connections == 1:
                break
        assert served.hub.connections == 1
        for plain in silent:
            plain.close()
        await until(lambda: served.sample("sockets_closed_total", code="4008") == 100)


async def test_five_hundred_who_come_back_at_once_are_all_served(served: Served) -> None:
    """And one who was there all the time gets everything, in order."""
    told: list[int] = []

    async def watch() -> None:
        async with served.open(f"/ws/{TOPIC}") as reader:
            while not told or told[-1] >= 0:
                told.append((await received(reader))["n"])

    async def come_back() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        head = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        wish = [{"stream": TOPIC, "epoch": "run-1", "u": 1}]
        requests = [{"method": "HELLO", "id": 0}, {"method": "RESUME", "params": wish, "id": 1}]
        writer.write(head.encode() + b"".join(map(masked, requests)))
        data = b""
        while b'"n":-1' not in data:
            data += await asyncio.wait_for(reader.read(1 << 16), 30)
        writer.close()
        return data

    watching = asyncio.create_task(watch())
    await until(lambda: served.hub.topics == 1)
    coming = [asyncio.create_task(come_back()) for _ in range(500)]
    for n in range(1, 200):
        served.publish(TOPIC, b'{"n":%d}' % n)
        await asyncio.sleep(0.002)
    await until(lambda: served.hub.connections == 501)
    served.publish(TOPIC, b'{"n":-1}')
    await watching
    assert told == [*range(1, 200), -1]
    numbers = b"".join(b'{"n":%d,"u":%d}' % (n, n + 1) for n in range(1, 200))
    for data in await asyncio.gather(*coming):
        whole = data.replace(b"\x89\x00", b"")  # without pings
        texts = whole.partition(b'"recovered":true')[2].split(b"\x81")[1:]
        assert b"".join(text[text.index(b"{") :] for text in texts[:199]) == numbers
    await until(lambda: served.hub.connections == 0)


def masked(request: object) -> bytes:
    text = json.dumps(request).encode()
    assert len(text) < 126
    return bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text
