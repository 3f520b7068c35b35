"""HELLO and RESUME: numbers without holes, whole recoveries, and the truth where there is none."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from appliance.model import Market, MarketId, MarketSpec
from appliance.streaming.limits import Limits
from tests.live_oracle import FAKE, GOLD, NOON, deal
from tests.stream_served import Served, ask, closed_with, received, serving, serving_quietly, until

BAR, TRADES = "gold@kline_1m", "gold@trade"


@pytest.fixture
async def served(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Served]:
    async with serving_quietly(caplog) as it:
        it.add(deal(0, 9.0), deal(1, 10.0))
        yield it


async def hello(client: ClientConnection) -> str:
    answer = await ask(client, "HELLO", number=0)
    return str(answer["result"]["epoch"])


def wish(stream: str, u: Any, epoch: Any = "run-1") -> dict[str, Any]:
    return {"stream": stream, "epoch": epoch, "u": u}


async def test_events_are_numbered_by_stream_and_forming_bars_repeat_the_number(
    served: Served,
) -> None:
    async with served.open() as client:
        assert await hello(client) == "run-1"
        await ask(client, "SUBSCRIBE", [BAR, TRADES])
        numbers = [(await received(client))["u"]]
        for second in (2, 3):
            served.add(deal(second, 10.0))
            numbers += [(await received(client))["u"] for _ in range(2)]
        bar, trade = numbers[0], numbers[2]
        assert numbers == [bar, bar, trade, bar, trade + 1]


async def test_who_comes_back_is_told_what_was_missed_then_how_it_stands(served: Served) -> None:
    async with served.open() as client:
        await hello(client)
        await ask(client, "SUBSCRIBE", [TRADES, BAR])
        bar = (await received(client))["u"]
        served.add(deal(2, 11.0))
        first = await received(client)
        trade = await received(client)
        assert (first["e"], trade["e"]) == ("kline", "trade")
    served.add(deal(3, 12.0), deal(4, 13.0))
    served.add(deal(61, 14.0))
    served.store.retract(GOLD, (NOON + 61) * 10**6)
    served.add()
    await until(lambda: served.sample("sockets_open_count") == 0)
    async with served.open("/stream") as client:
        await hello(client)
        answer = await ask(client, "RESUME", [wish(BAR, bar), wish(TRADES, trade["u"])], "x")
        recovered = [{"stream": name, "recovered": True} for name in (BAR, TRADES)]
        assert answer == {"result": recovered, "id": "x"}
        told = [(await received(client))["data"] for _ in range(5)]
        assert [event["e"] for event in told] == ["trade"] * 3 + ["reset", "kline"]
        assert [event["u"] for event in told[:3]] == [trade["u"] + n for n in (1, 2, 3)]
        assert [(event["u"], event.get("reason")) for event in told[3:]] == [
            (bar + 1, "reorg"),
            (bar + 1, None),
        ]
        assert (told[4]["k"]["c"], told[4]["k"]["x"]) == ("13", False)
        assert (await ask(client, "LIST_SUBSCRIPTIONS"))["result"] == [BAR, TRADES]
        served.add(deal(5, 15.0))
        assert (await received(client))["data"]["k"]["c"] == "15"
    assert served.sample("streams_resumed_total", outcome="recovered") == 2


@pytest.mark.parametrize("why", ["another run", "too old", "of the future", "never followed"])
async def test_what_is_not_known_for_sure_is_never_called_recovered(why: str) -> None:
    async with serving(Limits(history_messages=3)) as served:
        served.add(deal(1, 10.0))
        async with served.open() as client:
            await hello(client)
            await ask(client, "SUBSCRIBE", [TRADES])
            served.add(deal(2, 11.0))
            u = (await received(client))["u"]
        served.add(*(deal(second, 12.0) for second in range(3, 8 if why == "too old" else 5)))
        wishes = {
            "another run": wish(TRADES, u, "run-0"),
            "too old": wish(TRADES, u),
            "of the future": wish(TRADES, u + 99),
            "never followed": wish(BAR, u),
        }
        async with served.open() as client:
            await hello(client)
            answer = await ask(client, "RESUME", [wishes[why]])
            assert [each["recovered"] for each in answer["result"]] == [False]
            served.add(deal(9, 13.0))
            async with asyncio.timeout(5):
                while '"13"' not in await client.recv():
                    pass
        assert served.sample("streams_resumed_total", outcome="incomplete") == 1


async def test_a_stream_that_cannot_be_resumed_says_why_and_the_others_are(served: Served) -> None:
    async with served.open(f"/ws/{TRADES}") as client:
        await hello(client)
        names = ["nope@trade", TRADES, BAR, "gold@x"]
        answers = (await ask(client, "RESUME", [wish(name, 1) for name in names]))["result"]
        assert [each["stream"] for each in answers] == names
        assert ["error" in each for each in answers] == [True, True, False, True]
        assert "known market" in answers[0]["error"]
        assert "subscribed already" in answers[1]["error"]
        assert (await received(client))["e"] == "kline"


@pytest.mark.parametrize("params", [None, {}, [1], [{}], [wish(TRADES, "1")], [wish(TRADES, 1, 7)]])
async def test_wrong_wishes_are_named(served: Served, params: Any) -> None:
    async with served.open() as client:
        await hello(client)
        error = (await ask(client, "RESUME", params))["error"]
        assert (error["code"], error["msg"][:19]) == (2, "params must be a li")


async def test_too_much_to_be_told_is_read_instead() -> None:
    """Half a queue is for what was missed; who missed more is not closed for it."""
    async with serving(Limits(queue_messages=20)) as served:
        served.add(deal(1, 10.0))
        async with served.open(f"/ws/{TRADES}") as client:
            await hello(client)
            served.add(deal(2, 10.0))
            u = (await received(client))["u"]
        for second in range(3, 30):
            served.add(deal(second, 10.0))
        async with served.open() as client:
            await hello(client)
            answer = await ask(client, "RESUME", [wish(TRADES, u)])
            assert not answer["result"][0]["recovered"]


async def test_the_server_announces_that_it_stops_to_those_who_said_hello() -> None:
    async with serving() as served:
        plain, extended = await served.open(), await served.open()
        await hello(extended)
    assert await closed_with(plain) == (1001, "shutdown")
    event = await received(extended)
    assert event == {"e": "serverShutdown", "E": (NOON + 30) * 1000}
    assert await closed_with(extended) == (1001, "shutdown")


async def test_messages_are_limited_by_the_second() -> None:
    async with serving(Limits(requests_at_once=5)) as served, served.open() as client:
        for _ in range(6):
            await client.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
        assert await closed_with(client) == (4029, "too many messages, at most 20 a second")


async def test_a_market_that_takes_the_name_of_another_takes_its_streams_too() -> None:
    """As the demo's markets give theirs up; who watches is told that nothing holds any more."""
    async with serving() as served:
        served.add(deal(1, 5.0, 1, market=FAKE), deal(2, 6.0, 2, market=FAKE))
        async with served.open() as client:
            await hello(client)
            await ask(client, "SUBSCRIBE", ["fake@kline_1m", "fake@trade"])
            u = (await received(client))["u"]
            catalogue = served.store.catalogue
            catalogue.put(replace(FAKE, spec=replace(FAKE.spec, symbol="FAKE.1")))
            real = Market(MarketId(9), MarketSpec("FAKE", quote="USD"))
            catalogue.put(real)
            served.add(deal(3, 70.0, market=real), deal(4, 80.0, market=real))
            told = [await received(client) for _ in range(4)]
            assert [event["e"] for event in told] == ["reset", "trade", "trade", "kline"]
            assert (told[0]["from"], told[0]["u"] > u + 1) == (0, True)
            assert told[3]["k"]["o"] == "70"
            answer = await ask(client, "UNSUBSCRIBE", ["fake@kline_1m"])
            answer = await ask(client, "RESUME", [wish("fake@kline_1m", u)])
            assert not answer["result"][0]["recovered"]
