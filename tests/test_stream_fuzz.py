"""Whatever a client sends: a specified error or code, nothing in the log, nothing left behind."""

import asyncio
import contextlib
import gc
import json
import random
import struct
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.metrics import Metrics
from appliance.streaming.client import Client
from appliance.streaming.hub import Hub
from appliance.streaming.limits import Limits
from appliance.web.session import METHODS, Session
from appliance.web.socket import Socket
from tests.live_oracle import FakeStore, Wire, streams_of
from tests.stream_served import Served, ask, closed_with, deaf, serving, serving_quietly, until

CODES = {1000, 1002, 1003, 1007, 1009, 4000, 4029}
"""What those are closed with who send nonsense."""
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


@pytest.fixture
async def served(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Served]:
    async with serving_quietly(caplog) as it:
        yield it


# -- requests --

_TEXTS = st.one_of(
    st.sampled_from(
        ["gold@trade", "gold@kline_1m", "gold@kline_7m", "!miniTicker@arr", "gold@depth", "nope@x"]
    ),
    st.text(max_size=20),
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=6), inner, max_size=5)
    ),
    max_leaves=10,
)
_WISHES = st.fixed_dictionaries(
    {}, optional={"stream": _TEXTS | _VALUES, "epoch": _TEXTS | _VALUES, "u": _VALUES}
)
_REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(METHODS) | _VALUES,
        "params": st.lists(_TEXTS, max_size=9) | st.lists(_WISHES, max_size=4) | _VALUES,
        "id": st.integers(0, 9) | _VALUES,
    },
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_REQUESTS.map(json.dumps) | _VALUES.map(json.dumps) | st.text(), max_size=12))
def test_every_request_is_answered_or_refused(requests: list[str]) -> None:
    async def run() -> None:
        hub = Hub(Metrics(), "run-1")
        streams = streams_of(FakeStore(), hub)
        wire = Wire()
        session = Session(streams, hub.connect(wire))
        for request in requests:
            session.receive(request)
            hub.flush()
            answers = [msgspec.json.decode(text) for text in wire.taken()]
            assert len([a for a in answers if "result" in a]) + len(
                [a for a in answers if "error" in a and a["error"]["code"] in (2, 3)]
            ) == len(answers)
            assert answers or wire.ends

    asyncio.run(run())


async def test_ten_thousand_subscriptions_are_refused(served: Served) -> None:
    """By the size of the message, by their number, by their intervals."""
    names = [f"gold@kline_{n}s" for n in range(1, 10_001)]
    async with served.open() as client:
        await client.send(msgspec.json.encode({"method": "SUBSCRIBE", "params": names}).decode())
        assert (await closed_with(client))[0] == 1009
    async with served.open() as client:
        for first in range(0, 3_000, 1_000):
            some = names[first : first + 1_000]
            answer = await ask(client, "SUBSCRIBE", some)
            assert "at most 32 different intervals" in answer["error"]["msg"]
        depths = [f"{s}@depth{n}" for s in ("gold", "wethusdc", "fake") for n in range(500)]
        asking = {"method": "SUBSCRIBE", "params": depths, "id": 1}
        await client.send(msgspec.json.encode(asking).decode())
        assert await closed_with(client) == (4029, "too many subscriptions, at most 1,024")
    assert served.hub.topics == 0


# -- frames --


def frame(choose: random.Random) -> bytes:
    """Return a frame: right or wrong in its header, its mask, its length, its text."""
    kind = choose.choice([0x81, 0x81, 0x01, 0x00, 0x80, 0x82, 0x88, 0x89, 0x8A, 0xC1, 0x83, 0x8B])
    text = choose.choice(
        [
            b"",
            b"{}",
            b"\xff\xfe",
            b'{"method":"SUBSCRIBE","params":["gold@trade"],"id":1}',
            b"[" * 200,
            choose.randbytes(choose.choice([2, 100, 125, 126, 300])),
            b"x" * 66_000,
        ]
    )
    size, masked = len(text), 0x80 if choose.random() < 0.95 else 0
    if size < 126:
        head = bytes((kind, masked | size))
    elif size < 1 << 16:
        head = bytes((kind, masked | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((kind, masked | 127)) + size.to_bytes(8, "big")
    whole = head + (bytes(4) if masked else b"") + text
    return whole[: choose.randrange(len(whole) + 1)] if choose.random() < 0.05 else whole


def close_code(data: bytes) -> int | None:
    """Return the code of the close frame among the server's frames, None if there is none."""
    at = 0
    while at + 2 <= len(data):
        size, start = data[at + 1], at + 2
        if size == 126:
            size, start = struct.unpack("!H", data[at + 2 : at + 4])[0], at + 4
        if data[at] == 0x88:
            return struct.unpack("!H", data[start : start + 2])[0] if size else 1000
        at = start + size
    return None


async def babble(port: int, seed: int) -> int | None:
    """Send frames, in pieces of any size; return the code with which the server closed."""
    choose = random.Random(seed)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /ws HTTP/1.1\r\nHost: x\r\n" + UPGRADE + KEY + b"\r\n")
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(choose.randint(1, 12)):
            data = frame(choose)
            while data:
                cut = choose.choice([1, 2, 7, 1_000, len(data)])
                writer.write(data[:cut] if cut < 8 or len(data) < 999 else data)
                data = data[cut:] if cut < 8 or len(data) < 999 else b""
                await asyncio.sleep(0)
        writer.write_eof()
    code = None
    with contextlib.suppress(ConnectionError, TimeoutError):
        code = close_code(await asyncio.wait_for(reader.read(1 << 20), 10))
    writer.close()
    return code


async def test_frames_of_any_kind_end_with_a_specified_code(served: Served) -> None:
    tasks = len(asyncio.all_tasks())
    seen: set[int | None] = set()
    for first in range(0, 400, 50):
        seen |= set(await asyncio.gather(*(babble(served.port, first + n) for n in range(50))))
    assert seen - {None} <= CODES
    assert {1002, 1009, 4000} <= seen
    async with served.open() as client:
        assert (await ask(client, "LIST_SUBSCRIPTIONS"))["result"] == []
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    assert (served.hub.connections, served.sample("sockets_open_count")) == (0, 0)
    gc.collect()
    assert [o for o in gc.get_objects() if isinstance(o, Client | Socket)] == []


async def test_floods_of_small_frames_and_of_pings_are_closed(served: Served) -> None:
    for first, small in ((b"", b"\x89\x80\0\0\0\0"), (b"\x01\x80\0\0\0\0", b"\x00\x80\0\0\0\0")):
        plain = await deaf(served.port, "/ws")
        plain.sendall(first)
        with contextlib.suppress(ConnectionError):
            for _ in range(1_000):
                await asyncio.to_thread(plain.sendall, small)
                if served.hub.connections == 0:
                    break
        assert served.hub.connections == 0
        plain.close()
    await until(lambda: served.sample("sockets_closed_total", code="4029") == 2)


async def test_requests_for_an_upgrade_that_are_none_are_refused(served: Served) -> None:
    choose = random.Random(0)
    lines = [*UPGRADE.splitlines(keepends=True), KEY, b"Sec-WebSocket-Version: 99\r\n"]
    lines += [b"Sec-WebSocket-Key: short\r\n", b"Upgrade: h2c\r\n", b"Origin: \xff\r\n"]
    for _ in range(100):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        some = b"".join(choose.sample(lines, choose.randrange(len(lines))))
        method = choose.choice([b"GET", b"GET", b"GET", b"POST", b"HEAD"])
        writer.write(method + b" /ws/%ff%00 HTTP/1.1\r\nHost: x\r\n" + some + b"\r\n")
        status = int((await asyncio.wait_for(reader.readline(), 5)).split()[1])
        assert status == 101 or 400 <= status < 500
        writer.close()
    await until(lambda: served.hub.connections == 0)


async def test_one_who_is_gone_without_a_word_is_noticed() -> None:
    """Nothing comes back to pings, as from a machine whose network failed."""
    async with serving(Limits(silence_s=1.5, beat_s=0.5)) as served, served.open() as alive:
        gone = await deaf(served.port, "/ws/gold@trade")
        await until(lambda: served.hub.connections == 2)
        await until(lambda: served.hub.connections == 1)
        assert (await ask(alive, "LIST_SUBSCRIPTIONS"))["result"] == []
        gone.close()
        await until(lambda: served.sample("sockets_closed_total", code="4008") == 1)
