"""A chain as a source: it says the truth about itself, and goes on after whatever happened."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from appliance.following.source import Around, ChainSource
from appliance.following.terms import ChainTerms, ContractTerms
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.status import PartState
from tests.conftest import Opened
from tests.fake_answers import Faults
from tests.fake_chain import FakeChain
from tests.fake_rpc import FakeNode
from tests.following_world import TERMS, VAMM, Trader, deploy, expected, market_address, stored


@dataclass
class World:
    """A source that runs on a chain with some trades."""

    chain: FakeChain
    trader: Trader
    node: FakeNode
    source: ChainSource
    metrics: Metrics
    now: list[float]
    told: list[tuple[int, int, int, int | None]] = field(default_factory=list)

    @property
    def state(self) -> PartState:
        """Return what the source says of itself."""
        found = self.source.state()
        assert found is not None
        return found

    async def until(self, is_so: Callable[[PartState], bool]) -> PartState:
        """Wait until the source says what is awaited, for 15 s at most."""
        for _ in range(1_500):
            if is_so(self.state):
                return self.state
            await asyncio.sleep(0.01)
        raise AssertionError(self.state)

    async def until_at(self, number: int) -> PartState:
        """Wait until a block is processed."""
        return await self.until(lambda s: s.state == "live" and s.numbers["block"] == number)


@asynccontextmanager
async def running(
    opened: Opened,
    chain_id: int = 1,
    blocks: int = 60,
    contracts: tuple[ContractTerms, ...] = (TERMS,),
    socket: bool = False,
) -> AsyncIterator[World]:
    """Run a source."""
    dice = random.Random(7)
    chain, trader = FakeChain(chain_id=chain_id), Trader(dice)
    deploy(chain)
    for _ in range(blocks):
        chain.mine(trader.logs(2))
    metrics, now = Metrics(), [100.0]
    told: list[tuple[int, int, int, int | None]] = []
    async with FakeNode(chain) as node:
        ws_url = node.ws_url if socket else ""
        terms = ChainTerms((node.url,), ws_url, None, 4, contracts, "fake")
        settings = Settings(rpc_max_retries=1)
        around = Around(
            *(settings, opened.store, opened.ingest(), metrics),
            lambda *step: told.append(step),
            lambda: now[0],
        )
        source = ChainSource(terms, around)
        source.start()
        try:
            yield World(chain, trader, node, source, metrics, now, told)
        finally:
            await source.stop()


async def test_a_source_reads_history_then_follows(opened: Opened) -> None:
    """Each processed block is told, with what is final by then."""
    async with running(opened) as world:
        assert ("chain fake", "syncing") == (world.state.name, world.state.state)
        assert not world.state.ready
        state = await world.until_at(60)
        assert ("chain 1", True) == (state.name, state.ready)
        times = [block.time for block in world.chain.blocks]
        final = {"chain_id": 1, "final": 56, "time": times[60]}
        assert {"head": 60, "block": 60, "behind": 0} | final == dict(state.numbers)
        world.chain.mine(world.trader.logs(3))
        await world.until_at(61)
        times = [block.time for block in world.chain.blocks]
        assert (1, times[61], 57, times[57]) == world.told[-1]
        text = world.metrics.text().decode()
        assert 'appliance_chain_head_count{chain="chain 1"} 61.0' in text
        assert 'appliance_chain_block_count{chain="chain 1"} 61.0' in text
        assert 'appliance_chain_lag_seconds{chain="chain 1"} 0.0' in text
    assert expected(world.chain) == stored(opened)


async def test_a_reorg_is_counted(opened: Opened) -> None:
    """With its depth."""
    async with running(opened) as world:
        await world.until_at(60)
        world.chain.reorg(3, *(world.trader.logs(1) for _ in range(5)))
        await world.until_at(62)
        text = world.metrics.text().decode()
        assert 'appliance_chain_reorgs_total{chain="chain 1"} 1.0' in text
        assert 'appliance_chain_reorg_depth_blocks_sum{chain="chain 1"} 3.0' in text
    assert expected(world.chain) == stored(opened)


async def test_a_head_that_stands_still_is_a_failure(opened: Opened) -> None:
    """The prices on screen are old, whoever is to blame; a new block makes it well."""
    async with running(opened) as world:
        await world.until_at(60)
        world.now[0] += 100
        assert world.state.state == "live", "blocks take 12 s: 20 of them may be awaited"
        world.now[0] += 500
        state = world.state
        assert not state.ready
        assert "head 60 has not moved for 10 min" in (state.reason or "")
        world.chain.mine(world.trader.logs(1))
        await world.until_at(61)


async def test_a_local_chain_may_rest(opened: Opened) -> None:
    """Blocks come when the developer wants."""
    async with running(opened, chain_id=31_337) as world:
        await world.until_at(60)
        world.now[0] += 10_000
        assert world.state.ready


async def test_a_node_that_goes_away_and_comes_back(opened: Opened) -> None:
    """Meanwhile the reason is told; then everything missed is read."""
    async with running(opened) as world:
        await world.until_at(60)
        await world.node.stop()
        state = await world.until(lambda s: s.state == "failing")
        assert world.node.name in (state.reason or "")
        for _ in range(50):
            world.chain.mine(world.trader.logs(2))
        await world.node.start()
        await world.until_at(110)
    assert expected(world.chain) == stored(opened)


async def test_a_contract_that_is_not_there_is_named(opened: Opened) -> None:
    """The server runs on: it may be deployed in a moment."""
    contract = ContractTerms("0x" + "99" * 20, VAMM)
    async with running(opened, contracts=(contract,)) as world:
        state = await world.until(lambda s: s.state == "failing")
        assert f"contract {contract.address} must exist" in (state.reason or "")
        world.chain.deploy(contract.address, at=0)
        await world.until_at(60)


async def test_a_fault_of_our_own_is_told_and_tried_again(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A task that died unseen would show old prices for ever."""
    async with running(opened) as world:
        await world.until_at(60)
        follower = world.source._follower
        assert follower is not None

        async def broken(_: object) -> None:
            raise ValueError("no such thing")

        monkeypatch.setattr(follower, "follow", broken)
        state = await world.until(lambda s: s.state == "failing")
        assert "stopped by ValueError('no such thing')" == state.reason
        assert "no such thing" in caplog.text
        world.chain.mine(world.trader.logs(1))
        await world.until_at(61)


async def test_a_web_socket_wakes_it(opened: Opened) -> None:
    """A block is there before the next look would have been due."""
    async with running(opened, socket=True) as world:
        await world.until_at(60)
        for number in range(61, 66):
            begun = asyncio.get_running_loop().time()
            world.chain.mine(world.trader.logs(1))
            await world.until_at(number)
            assert asyncio.get_running_loop().time() - begun < 2.5


async def test_a_malformed_log_is_named_and_left_out(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """Never fatal."""
    async with running(opened) as world:
        await world.until_at(60)
        good = world.trader.logs(1)
        bad = type(good[0])(market_address(1), [VAMM.topics[0]], "0x")
        world.chain.mine([bad, *good])
        await world.until_at(61)
        text = world.metrics.text().decode()
        assert 'appliance_chain_logs_total{chain="chain 1",outcome="malformed"} 1.0' in text
        assert "malformed log left out" in caplog.text


async def test_a_limited_node_slows_it_but_loses_nothing(opened: Opened) -> None:
    """Too many requests, in the middle of following."""
    async with running(opened) as world:
        await world.until_at(60)
        world.node.faults = Faults(status=429, times=3, retry_after="0")
        for _ in range(3):
            world.chain.mine(world.trader.logs(2))
        await world.until_at(63)
    assert expected(world.chain) == stored(opened)
