"""The WebSocket routes, by a real client over a real socket."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from appliance import __version__
from appliance.streaming.limits import Limits
from tests.live_oracle import GOLD, NOON, deal
from tests.stream_served import (
    Served,
    ask,
    closed_with,
    deaf,
    received,
    reset,
    serving,
    serving_quietly,
    until,
)


@pytest.fixture
async def served(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Served]:
    async with serving_quietly(caplog) as it:
        yield it


async def test_subscribe_answers_and_sends_the_forming_bar_at_once(served: Served) -> None:
    served.add(deal(1, 10.0), deal(2, 12.0))
    async with served.open() as client:
        assert await ask(client, "SUBSCRIBE", ["gold@kline_1m"]) == {"result": None, "id": 1}
        event = await received(client)
        assert (event["e"], event["s"], event["k"]["c"], event["k"]["x"]) == (
            *("kline", "GOLD", "12", False),
        )
        assert "id" not in event
        served.add(deal(3, 13.0))
        assert (await received(client))["k"]["c"] == "13"


async def test_a_second_client_gets_its_own_first_bar_and_the_first_one_does_not(
    served: Served,
) -> None:
    served.add(deal(1, 10.0))
    async with served.open("/ws/gold@kline_1m") as one:
        assert (await received(one))["k"]["c"] == "10"
        async with served.open("/ws/gold@kline_1m") as two:
            assert (await received(two))["k"]["c"] == "10"
            served.add(deal(2, 11.0))
            assert (await received(one))["k"]["c"] == "11"
            assert (await received(two))["k"]["c"] == "11"


async def test_raw_and_wrapped_urls(served: Served) -> None:
    served.add(deal(1, 10.0))
    async with (
        served.open("/ws/gold@trade/GOLD@kline_1m") as raw,
        served.open("/stream?streams=gold@trade/wethusdc@trade") as wrapped,
    ):
        assert (await received(raw))["e"] == "kline"
        await until(lambda: served.hub.topics == 3)
        served.add(deal(2, 11.0))
        assert {(await received(raw))["e"] for _ in range(2)} == {"kline", "trade"}
        event = await received(wrapped)
        assert (event["stream"], event["data"]["p"]) == ("gold@trade", "11")
        names = ["gold@trade", "wethusdc@trade"]
        assert await ask(wrapped, "LIST_SUBSCRIPTIONS") == {"result": names, "id": 1}


async def test_symbols_are_found_by_any_spelling_and_named_by_one(served: Served) -> None:
    names = ["WETH/USDC@trade", "wethusdc@trade", "WETHUSDC@kline_1M", "wethusdc@kline_1m"]
    async with served.open() as client:
        assert await ask(client, "SUBSCRIBE", names) == {"result": None, "id": 1}
        listed = (await ask(client, "LIST_SUBSCRIPTIONS"))["result"]
        assert listed == ["wethusdc@trade", "wethusdc@kline_1M", "wethusdc@kline_1m"]


async def test_who_says_hello_is_told_of_revisions_and_others_are_not(served: Served) -> None:
    """Both get the revised bar; events keep their place behind what was sent before."""
    served.add(deal(1, 10.0), deal(2, 11.0))
    async with served.open("/ws/gold@kline_1m") as plain, served.open() as extended:
        greeting = {"epoch": "run-1", "server": f"chart-appliance/{__version__}"}
        assert await ask(extended, "HELLO", number=0) == {"result": greeting, "id": 0}
        assert (await ask(extended, "SUBSCRIBE", ["gold@kline_1m"]))["result"] is None
        for client in (plain, extended):
            assert (await received(client))["k"]["c"] == "11"
        served.store.retract(GOLD, (NOON + 2) * 10**6)
        served.add(deal(3, 12.0))
        told = [await received(extended) for _ in range(2)]
        assert [event["e"] for event in told] == ["reset", "kline"]
        assert (told[0]["reason"], told[1]["k"]["h"]) == ("reorg", "12")
        assert (await received(plain))["k"]["h"] == "12"


async def test_the_wrapped_form_names_the_stream_of_a_reset(served: Served) -> None:
    served.add(deal(1, 10.0), deal(2, 11.0))
    async with served.open("/stream?streams=gold@kline_1m") as client:
        await received(client)
        assert "epoch" in (await ask(client, "HELLO", number="a"))["result"]
        served.store.retract(GOLD, (NOON + 2) * 10**6)
        served.add()
        event = await received(client)
        assert (event["stream"], event["data"]["e"]) == ("gold@kline_1m", "reset")


async def test_unsubscribe_ends_the_events(served: Served) -> None:
    async with served.open("/ws/gold@trade") as client:
        names = ["gold@trade", "wethusdc@trade", "nonsense"]
        assert await ask(client, "UNSUBSCRIBE", names) == {"result": None, "id": 1}
        assert served.hub.topics == 0
        assert (await ask(client, "LIST_SUBSCRIPTIONS", number="a"))["result"] == []


async def test_an_unknown_symbol_is_an_error_and_the_others_are_subscribed(served: Served) -> None:
    async with served.open() as client:
        answer = await ask(client, "SUBSCRIBE", ["nope@trade", "gold@trade"], 7)
        message = "nope@trade: symbol must name a known market, was 'nope'"
        assert answer == {"error": {"code": 2, "msg": message}, "id": 7}
        assert (await ask(client, "LIST_SUBSCRIPTIONS"))["result"] == ["gold@trade"]
    async with served.open("/ws/nope@trade/gold@trade") as client:
        assert (await received(client))["error"]["code"] == 2
        assert (await ask(client, "LIST_SUBSCRIPTIONS"))["result"] == ["gold@trade"]


async def test_depth_is_accepted_and_silent(served: Served) -> None:
    async with served.open() as client:
        names = ["gold@depth", "gold@depth20@100ms"]
        assert await ask(client, "SUBSCRIBE", names) == {"result": None, "id": 1}
        assert (await ask(client, "LIST_SUBSCRIPTIONS"))["result"] == names


@pytest.mark.parametrize(
    ("request_", "code", "part"),
    [
        ('{"method":"SUBSCRIBE","params":["gold@aggTrade"],"id":1}', 2, "stream must be"),
        ('{"method":"SUBSCRIBE","params":["gold@kline_0m"],"id":1}', 2, "interval must be"),
        ('{"method":"SUBSCRIBE","params":["gold"],"id":1}', 2, "stream must be"),
        ('{"method":"SUBSCRIBE","params":"gold@trade","id":1}', 2, "params must be"),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2, "params must be"),
        ('{"method":"RESUME","id":0}', 2, "RESUME must come after"),
        ('{"method":"PUBLISH","id":0}', 2, "method must be one of"),
        ('{"method":["x"],"id":0}', 2, "method must be one of"),
        ('{"id":{}}', 2, "id must be"),
        ('{"id":true}', 2, "id must be"),
        ("[]", 2, "must be an object"),
        ("{", 3, "Invalid JSON"),
        ("[" * 50_000, 3, "Invalid JSON"),
        ("", 3, "Invalid JSON"),
    ],
)
async def test_wrong_requests_are_named(
    served: Served, request_: str, code: int, part: str
) -> None:
    async with served.open() as client:
        await client.send(request_)
        error = (await received(client))["error"]
        assert error["code"] == code
        assert part in error["msg"]
        assert (await ask(client, "LIST_SUBSCRIPTIONS"))["result"] == []


async def test_binary_messages_and_streaks_of_nonsense_are_closed_4000(served: Served) -> None:
    async with served.open() as client:
        await client.send(b"{}")
        assert (await closed_with(client))[0] == 4000
    async with served.open() as client:
        for _ in range(21):
            await client.send("{")
        assert (await closed_with(client))[0] == 4000
    await until(lambda: served.sample("sockets_closed_total", code="4000") == 2)


async def test_messages_over_64_kib_are_closed_1009(served: Served) -> None:
    async with served.open() as client:
        await client.send("x" * (64 << 10))
        assert (await received(client))["error"]["code"] == 3
        await client.send("x" * ((64 << 10) + 1))
        assert (await closed_with(client))[0] == 1009


async def test_fragments_are_joined_and_bad_utf8_is_closed_1007(served: Served) -> None:
    async with served.open() as client:
        await client.send(['{"method":"LIST_', 'SUBSCRIPTIONS","id":3}'])
        assert await received(client) == {"result": [], "id": 3}
    async with served.open() as client:
        await client.send(b"\xff\xfe", text=True)
        assert (await closed_with(client))[0] == 1007
    await until(lambda: served.hub.connections == 0)


async def test_intervals_of_one_market_are_capped(served: Served) -> None:
    async with served.open() as client:
        names = [f"gold@kline_{n}m" for n in range(1, served.hub.limits.intervals + 2)]
        answer = await ask(client, "SUBSCRIBE", names)
        assert "at most 32 different intervals" in answer["error"]["msg"]
        listed = await ask(client, "LIST_SUBSCRIPTIONS")
        assert len(listed["result"]) == served.hub.limits.intervals


async def test_too_many_connections_or_subscriptions_are_closed_4029() -> None:
    async with serving(Limits(connections=2, subscriptions=2)) as served:
        async with served.open() as one, served.open() as two:
            async with served.open() as three:
                assert await closed_with(three) == (4029, "too many connections, at most 2")
            names = ["gold@trade", "fake@trade", "wethusdc@trade"]
            await one.send(msgspec.json.encode({"method": "SUBSCRIBE", "params": names}).decode())
            assert await closed_with(one) == (4029, "too many subscriptions, at most 2")
            assert await ask(two, "LIST_SUBSCRIPTIONS") == {"result": [], "id": 1}
        await until(lambda: served.sample("sockets_closed_total", code="4029") == 2)


async def test_a_client_that_never_reads_is_closed_4008_and_others_get_everything(
    served: Served,
) -> None:
    async with served.open("/ws/gold@trade") as reader:
        silent = await deaf(served.port, "/ws/gold@trade")
        await until(lambda: served.hub.connections == 2)
        count = 0
        while served.hub.connections == 2:
            served.publish("gold@trade", b'"%s"' % (b"x" * 50_000))
            count += 1
            assert len(await received(reader)) == 50_000
            assert count < 2_000
        assert served.sample("sockets_closed_total", code="4008") in (None, 1.0)
        served.publish("gold@trade", b'"after"')
        assert await received(reader) == "after"
        data = await asyncio.to_thread(_rest, silent)
        assert data.endswith(b"\x88\x06" + struct.pack("!H", 4008) + b"slow")
    await until(lambda: served.sample("sockets_closed_total", code="4008") == 1)


def _rest(plain: socket.socket) -> bytes:
    """Read to the close frame."""
    plain.settimeout(10)
    data = b""
    with plain:
        while not data.endswith(b"slow"):
            data = (data + plain.recv(1 << 20))[-1_000:]
    return data


async def test_abrupt_ends_leave_nothing_behind(served: Served) -> None:
    for linger in (True, False):
        plain = await deaf(served.port, "/ws/gold@trade")
        await until(lambda: served.hub.connections == 1)
        if linger:
            reset(plain)
        else:
            plain.close()
        served.publish("gold@trade", *[b"1"] * 50)
        await until(lambda: served.hub.connections == 0)
    assert served.sample("sockets_open_count") == 0
    assert served.hub.topics == 0


async def test_a_client_that_closes_while_events_flow(served: Served) -> None:
    async def flow() -> None:
        while True:
            served.publish("gold@trade", *[b'"x"'] * 20)
            await asyncio.sleep(0)

    task = asyncio.create_task(flow())
    for _ in range(20):
        async with served.open("/ws/gold@trade", max_queue=None) as client:
            await received(client)
    task.cancel()
    await asyncio.wait([task])
    await until(lambda: served.hub.connections == 0)


async def test_any_origin_is_served_and_a_plain_request_is_told_to_upgrade(
    served: Served,
) -> None:
    async with served.open(origin="https://elsewhere.example") as client:
        assert (await ask(client, "LIST_SUBSCRIPTIONS"))["result"] == []
    with pytest.raises(InvalidStatus):
        await served.open("/wsx")
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 426 ")
    writer.close()


async def test_the_server_says_goodbye_with_1001() -> None:
    async with serving() as served:
        client = await served.open("/ws/gold@trade")
        await until(lambda: served.hub.connections == 1)
    assert await closed_with(client) == (1001, "shutdown")
    assert served.sample("sockets_closed_total", code="1001") == 1


async def test_messages_and_open_sockets_are_counted(served: Served) -> None:
    async with served.open() as client:
        await ask(client, "LIST_SUBSCRIPTIONS")
        await until(lambda: served.sample("sockets_open_count") == 1)
        assert served.sample("socket_messages_total") == 1
    await until(lambda: served.sample("sockets_open_count") == 0)
