"""Wake-ups from a WebSocket: one for each burst of heads, over lost connections, without data."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from appliance.errors import ConfigError
from appliance.rpc.wake import wakes
from tests.fake_chain import FakeChain
from tests.fake_rpc import SECRET, FakeNode
from tests.rpc_clock import Clock


@pytest.fixture
async def node() -> AsyncIterator[FakeNode]:
    async with FakeNode(FakeChain()) as node:
        yield node


async def test_a_new_block_wakes(node: FakeNode) -> None:
    async with asyncio.timeout(5), aclosing(wakes(node.ws_url)) as woken:
        await anext(woken)  # once when subscribed: there may have been blocks before
        for _ in range(3):
            node.chain.mine()
            await anext(woken)
    assert [("eth_subscribe", ["newHeads"])] == node.requests


async def test_many_blocks_while_busy_wake_once(node: FakeNode) -> None:
    async with aclosing(wakes(node.ws_url)) as woken:
        await anext(woken)
        node.chain.mine_empty(50)
        await anext(woken)
        await asyncio.sleep(0.05)
        node.chain.mine()
        wakeups = 0
        while True:
            try:
                async with asyncio.timeout(0.1):
                    await anext(woken)
                wakeups += 1
            except TimeoutError:
                break
    assert wakeups <= 2


async def test_a_lost_connection_is_made_again(
    node: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    async with asyncio.timeout(5), aclosing(wakes(node.ws_url, clock.waiting())) as woken:
        await anext(woken)
        for _ in range(3):
            await node.drop_sockets()
            await anext(woken)
            node.chain.mine()
            await anext(woken)
    assert clock.slept == [1.0, 1.0, 1.0]  # it does not grow where blocks came in between
    said = {record.getMessage() for record in caplog.records}
    assert said == {f"{node.name}: closed the subscription; new blocks are looked for without it"}


async def test_the_delay_grows_up_to_a_minute_and_is_told_once(
    node: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = node.ws_url
    await node.stop()
    clock = Clock()
    woken = wakes(url, clock.waiting())
    first = asyncio.ensure_future(anext(woken))
    await clock.sleeps(9)
    await node.start()
    async with asyncio.timeout(5):
        await first
    await woken.aclose()
    assert [1, 2, 4, 8, 16, 32, 60, 60, 60] == clock.slept[:9]
    said = [r.getMessage() for r in caplog.records if r.name.startswith("appliance")]
    assert len(said) == 1
    assert "cannot be reached" in said[0]
    assert SECRET not in caplog.text


@pytest.mark.parametrize("message", ["method not found", f"no such key {SECRET}"])
async def test_a_node_that_refuses_is_told_and_tried_again(
    node: FakeNode, caplog: pytest.LogCaptureFixture, message: str
) -> None:
    node.faults.error = (-32601, message)
    clock = Clock()
    woken = wakes(node.ws_url, clock.waiting())
    first = asyncio.ensure_future(anext(woken))
    await clock.sleeps(2)
    node.faults.error = None
    async with asyncio.timeout(5):
        await first
    await woken.aclose()
    assert "refuses the subscription: " in caplog.text
    assert SECRET not in caplog.text


async def test_an_answer_that_is_none_is_a_refusal(
    node: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    """One node says what is no JSON, another closes, a third has no subscription for us."""
    clock = Clock()
    woken = wakes(node.ws_url, clock.waiting())
    first = asyncio.ensure_future(anext(woken))
    for times, said in enumerate(["<html>", "", '{"id":1,"result":null}'], 1):
        node.faults.body = said
        await clock.sleeps(times)
    node.faults.body = None
    async with asyncio.timeout(5):
        await first
    await woken.aclose()
    assert "the connection was closed, or the answer is not JSON" in caplog.text
    assert "there is no subscription" in caplog.text


async def test_a_listener_that_breaks_is_seen(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("broken")

    monkeypatch.setattr("appliance.rpc.wake._follow", broken)
    with pytest.raises(KeyError):
        await anext(wakes(node.ws_url))


async def test_the_url_must_be_one_of_a_websocket() -> None:
    with pytest.raises(ConfigError, match="ws:// or wss://"):
        await anext(wakes(f"https://host/{SECRET}"))
