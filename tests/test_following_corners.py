"""Corners of following: settings at their limits, forks that flap, many contracts, a full disk."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from appliance.errors import DiskFull
from appliance.following.reader import MOST_ADDRESSES
from appliance.following.source import Around, ChainSource
from appliance.following.terms import ChainTerms, ContractTerms
from appliance.metrics import Metrics
from appliance.settings import Settings
from tests.conftest import Opened
from tests.fake_answers import Faults
from tests.fake_chain import FakeChain
from tests.fake_rpc import FakeNode
from tests.following_world import (
    TERMS,
    VAMM,
    deploy,
    expected,
    following,
    market_address,
    stored,
)
from tests.test_following_edges import mark, spy
from tests.test_following_follower import trading
from tests.test_following_source import running


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(1_500):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


def source(opened: Opened, node: FakeNode, around: Around, **terms: Any) -> ChainSource:
    said = {"start_block": None, "confirmations": 4, "contracts": (TERMS,), "name": "one"} | terms
    return ChainSource(ChainTerms((node.url,), "", **said), around)


def surroundings(opened: Opened) -> Around:
    settings = Settings(rpc_max_retries=1)
    return Around(settings, opened.store, opened.ingest(), Metrics(), lambda *_: None)


async def test_two_sources_do_not_follow_one_chain(opened: Opened) -> None:
    """They would share a cursor, and retract each other's trades: the second says so."""
    chain, _ = trading(30)
    around = surroundings(opened)
    async with FakeNode(chain) as node, FakeNode(chain) as other:
        first = source(opened, node, around)
        second = source(opened, other, around, name="two")
        first.start()
        await until(lambda: first.state().state == "live")
        second.start()
        await until(lambda: second.state().state == "failing")
        await second.stop()
        await first.stop()
    reason = second.state().reason or ""
    assert "chain two must be another one than one" in reason
    assert expected(chain) == stored(opened)


async def test_two_chains_may_have_the_same_contract(opened: Opened) -> None:
    """Each has its own trades, and a reorg of one leaves the other alone."""
    chains = [trading(60, seed) for seed in (1, 2)]
    for number, (chain, _) in enumerate(chains, 1):
        chain.chain_id = number
    around = surroundings(opened)
    async with FakeNode(chains[0][0]) as node, FakeNode(chains[1][0]) as other:
        sources = [source(opened, node, around), source(opened, other, around, name="two")]
        for each in sources:
            each.start()
        await until(lambda: all(s.state().state == "live" for s in sources))
        chains[0][0].reorg(5, *(chains[0][1].logs(1) for _ in range(7)))
        await until(lambda: sources[0].state().numbers.get("block") == 62)
        for each in sources:
            await each.stop()
    wanted = [row["transaction_hash"] for chain, _ in chains for row in expected(chain)]
    assert sorted(wanted) == sorted(row["transaction_hash"] for row in stored(opened))


async def test_a_start_beyond_the_head_is_waited_for(opened: Opened) -> None:
    """It is not live before, and says what it waits for."""
    chain, trader = trading(30)
    async with FakeNode(chain) as node:
        waits = source(opened, node, surroundings(opened), start_block=40)
        waits.start()
        await until(lambda: "waits for block 40" in (waits.state().reason or ""))
        assert not waits.state().ready
        for _ in range(15):
            chain.mine(trader.logs(1))
        await until(lambda: waits.state().numbers.get("block") == 45)
        await waits.stop()
    assert {row["sequence"] >> 20 >= 40 for row in stored(opened)} <= {True}


async def test_a_failure_is_no_longer_told_once_it_goes_on(opened: Opened) -> None:
    """Though the head is far: the rest of the history is read."""
    async with running(opened, blocks=400) as world:
        await world.until_at(400)
        await world.node.stop()
        await world.until(lambda s: s.state == "failing")
        for _ in range(400):
            world.chain.mine(world.trader.logs(1))
        reasons = []
        world.source._around.metrics.chain_block.labels(world.source.name)
        tell = world.source._tell

        def told(step: Any) -> None:
            tell(step)
            reasons.append(world.state.state)

        follower_tell = "appliance.following.source.ChainSource._tell"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(follower_tell, lambda _, step: told(step))
            await world.node.start()
            await world.until_at(800)
        assert "failing" not in reasons


async def test_everything_is_final_without_confirmations(opened: Opened) -> None:
    """And yet a reorg is corrected, also in what was read by ranges."""
    chain, trader = trading(120)
    async with FakeNode(chain) as node, following(opened, [node], confirmations=0) as world:
        await world.follow()
        chain.reorg(50, *(trader.logs(1) for _ in range(52)))
        await world.follow()
    assert expected(chain) == stored(opened)


async def test_a_chain_shorter_than_its_confirmations_is_followed(opened: Opened) -> None:
    """Block by block from the first one."""
    chain, trader = trading(5, share=1.0)
    async with FakeNode(chain) as node, following(opened, [node], confirmations=200) as world:
        await world.follow()
        chain.reorg(4, *(trader.logs(1) for _ in range(6)))
        await world.follow()
    assert expected(chain) == stored(opened)


async def test_many_contracts_are_asked_for_by_event(opened: Opened) -> None:
    """Foreign logs of the same events are left out, far from the head and near it."""
    chain = FakeChain()
    contracts = tuple(ContractTerms(market_address(n), VAMM) for n in range(MOST_ADDRESSES + 20))
    deploy(chain)
    for terms in contracts:
        chain.deploy(terms.address, at=0)
    foreign = mark(5_000)
    for number in range(80):
        chain.mine([foreign, mark(number), foreign, mark(400 - number)])
    async with FakeNode(chain) as node, following(opened, [node], contracts) as world:
        await world.follow()
        chain.mine([mark(410), foreign])
        await world.follow()
    assert 161 == len(stored(opened))


async def test_a_node_that_flaps_between_two_forks_is_survived(opened: Opened) -> None:
    """Every answer may be of the other fork; once it is steady, what is stored is that fork."""
    chain, trader = trading(100)
    fork = FakeChain(blocks=list(chain.blocks), codes=chain.codes)
    fork.reorg(6, *(trader.logs(1) for _ in range(6)))
    for _ in range(3):
        chain.mine(trader.logs(1))
        fork.mine(trader.logs(1))
    async with FakeNode(chain) as node, following(opened, [node]) as world:
        calls = [0]

        def flap(_: str, __: list[Any]) -> None:
            calls[0] += 1
            node._answers.chain = fork if calls[0] // 3 % 2 else chain

        restore = node._answers._result
        spy(node, flap)
        for _ in range(30):
            await world.follower.follow(await world.pool.head())
        node._answers._result = restore  # type: ignore[method-assign]
        node._answers.chain = fork
        await world.follow()
    assert expected(fork) == stored(opened)


async def test_a_full_disk_stops_it_for_a_while(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is told; with room again, everything that was missed is stored."""
    async with running(opened) as world:
        await world.until_at(60)

        def full(_: object) -> None:
            raise DiskFull("no room: 0 bytes are free")

        with monkeypatch.context() as patch:
            patch.setattr("appliance.store.disk.Disk.require_room", full)
            world.chain.mine(world.trader.logs(2))
            state = await world.until(lambda s: s.state == "failing")
            assert "no room" in (state.reason or "")
            world.chain.reorg(3, *(world.trader.logs(1) for _ in range(5)))
        await world.until_at(63)
        world.node.faults = Faults()
    assert expected(world.chain) == stored(opened)
