"""How long after its block a trade is there: on the WebSocket and over HTTP."""

import asyncio
import itertools
import random
import statistics
from collections.abc import Callable
from pathlib import Path

import aiohttp
import msgspec
import pytest
from websockets.asyncio.client import connect

from appliance.settings import Settings
from tests.chain_logs import ALICE, ETHER, made
from tests.fake_chain import BLOCK_S, FakeLog
from tests.fake_rpc import FakeNode, served
from tests.following_served import Served, serving
from tests.following_world import FACTORY, VAMM, market_address
from tests.test_following_follower import trading

PROMISED_S = 1.0
PATIENCE_S = 10.0
Report = Callable[[str], None]


def settings(node: FakeNode, data_dir: Path, socket: bool) -> Settings:
    return Settings(
        data_dir=data_dir,
        demo="off",
        ballast_size=1 << 20,
        rpc_url=(node.url,),
        ws_rpc_url=node.ws_url if socket else "",
        factory_address=(FACTORY,),
        preset="vamm",
    )


async def heard(appliance: Served, mine: Callable[[], object]) -> float:
    """Return how many seconds pass from a block to its trade on the WebSocket."""
    loop = asyncio.get_running_loop()
    async with connect(f"{appliance.url}/ws/m1@trade", compression=None) as client:
        await asyncio.sleep(0.1)  # subscribed at the start, which is not answered
        begun = loop.time()
        mine()
        async with asyncio.timeout(PATIENCE_S):
            while msgspec.json.decode(await client.recv())["e"] != "trade":
                pass
        return loop.time() - begun


async def seen(appliance: Served, mine: Callable[[], object]) -> float:
    """Return how many seconds pass from a block to its trade in an answer over HTTP."""
    loop = asyncio.get_running_loop()
    url = appliance.url.replace("ws://", "http://") + "/api/lightweight/trades?symbol=M1&limit=1"
    async with aiohttp.ClientSession() as session:

        async def newest() -> object:
            async with session.get(url) as answer:
                return (await answer.json())["data"]

        before, begun = await newest(), loop.time()
        mine()
        for _ in range(int(PATIENCE_S * 100)):
            if await newest() != before:
                return loop.time() - begun
            await asyncio.sleep(0.01)
    raise AssertionError(appliance.chain)


async def measure(blocks: int, data_dir: Path, socket: bool) -> dict[str, list[float]]:
    """Mine blocks at any moment; return the seconds until each was there."""
    chain, _ = trading(60, share=1.0)
    chain.chain_id = 1
    dice = random.Random(blocks)
    positions = itertools.count(10_000)

    def mine() -> None:
        who = {"user": ALICE, "positionId": next(positions), "isLong": True}
        rest = {"size": ETHER, "price": ETHER, "leverage": 3, "fee": 1}
        log = made(VAMM, "PositionOpened", who | rest, address=market_address(1))
        chain.mine([FakeLog(log.address, log.topics, log.data)])

    found: dict[str, list[float]] = {"WebSocket": [], "HTTP": []}
    with served(FakeNode(chain)) as node:
        async with serving(settings(node, data_dir, socket)) as appliance:
            await appliance.until_at(chain.head.number)
            for number in range(blocks):
                await asyncio.sleep(dice.random())
                way = heard if number % 2 else seen
                found["WebSocket" if number % 2 else "HTTP"].append(await way(appliance, mine))
    return found


@pytest.mark.parametrize("socket", [False, True])
async def test_a_trade_is_there_soon_after_its_block(tmp_path: Path, socket: bool) -> None:
    """The short form of the next; how soon that is on a busy machine is no matter."""
    found = await measure(2, tmp_path / "data", socket)
    assert [1, 1] == [len(times) for times in found.values()]


@pytest.mark.fault
@pytest.mark.parametrize("socket", [False, True])
async def test_a_trade_is_there_within_a_second(
    tmp_path: Path, socket: bool, report: Report
) -> None:
    """With blocks every 12 seconds by their times, and the next one at any moment."""
    found = await measure(60, tmp_path / "data", socket)
    report(f"blocks of {BLOCK_S} s, announced by the node: {'yes' if socket else 'no'}")
    for way, times in found.items():
        middle, most = statistics.median(times), max(times)
        report(f"  {way}: median {middle:.2f} s, at most {most:.2f} s after the block")
        assert middle < PROMISED_S
