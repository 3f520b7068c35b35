"""A chain is followed whole and in order, whatever its nodes do and however it is reorganized."""

import random
import time
from pathlib import Path

import pytest

from appliance.following import trail as following_trail
from appliance.following.terms import ContractTerms
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.store.store import Store
from tests.conftest import Opened, Opener
from tests.fake_answers import Faults
from tests.fake_chain import START_TIME, FakeBlock, FakeChain, digest
from tests.fake_rpc import FakeNode
from tests.following_world import (
    IMPOSTOR,
    TERMS,
    VAMM,
    Trader,
    creation,
    deploy,
    expected,
    following,
    market_address,
    stored,
)


def trading(
    blocks: int, seed: int = 1, share: float = 0.7, genesis: str = "first"
) -> tuple[FakeChain, Trader]:
    """Return a chain of some blocks with trades, and the trader that goes on."""
    dice = random.Random(seed)
    first = FakeBlock(0, digest(genesis), "0x" + "0" * 64, START_TIME)
    chain, trader = FakeChain(blocks=[first]), Trader(dice)
    deploy(chain)
    for _ in range(blocks):
        chain.mine(trader.logs(dice.randrange(1, 6)) if dice.random() < share else [])
    return chain, trader


async def test_a_chain_is_read_from_its_first_block_to_the_head(opened: Opened) -> None:
    """Far blocks by ranges, near ones one by one; markets made and traded in the same block."""
    chain, trader = trading(300)
    async with FakeNode(chain) as node, following(opened, [node]) as world:
        await world.follow()
        assert expected(chain) == stored(opened)
        for _ in range(5):
            chain.mine(trader.logs(3))
            await world.follow()
        assert expected(chain) == stored(opened)
        assert node.count("eth_getLogs") < 60
    assert not any(step.from_block for step in world.steps)


@pytest.mark.parametrize("seed", range(8))
async def test_reorgs_of_any_depth_are_corrected(opened: Opened, seed: int) -> None:
    """Also of blocks that made markets, and to a chain that is shorter for a while."""
    chain, trader = trading(120, seed)
    dice = random.Random(seed)
    async with FakeNode(chain) as node, following(opened, [node]) as world:
        await world.follow()
        for _ in range(6):
            depth = dice.choice((1, 2, 5, 30, 70))
            length = max(1, depth + dice.choice((-3, 0, 1, 4)))
            chain.reorg(depth, *(trader.logs(dice.randrange(3)) for _ in range(length)))
            for _ in range(dice.randrange(4)):
                chain.mine(trader.logs(2))
            await world.follow()
            assert expected(chain) == stored(opened), f"depth {depth}, length {length}"
    assert any(step.from_block is not None for step in world.steps)


@pytest.mark.parametrize("seed", range(3))
async def test_a_restart_goes_on_from_what_is_stored(open_store: Opener, seed: int) -> None:
    """Sides of positions and marks are those of before; blocks may be reorganized meanwhile."""
    chain, trader = trading(100, seed)
    async with FakeNode(chain) as node:
        for round_ in range(5):
            opened = open_store()
            asked = len(node.requests)
            async with following(opened, [node]) as world:
                await world.follow()
                assert expected(chain) == stored(opened)
            if round_:
                ranges = [p[0] for m, p in node.requests[asked:] if m == "eth_getLogs"]
                firsts = [int(r["fromBlock"], 16) for r in ranges if "fromBlock" in r]
                assert all(first > 60 for first in firsts), "history is not read again"
            opened.store.close()
            if round_ % 2:
                chain.reorg(10, *(trader.logs(2) for _ in range(12)))
            for _ in range(20):
                chain.mine(trader.logs(2))


FAULTS = {
    "no block times": Faults(block_time=False),
    "empty blooms": Faults(zero_bloom=True),
    "no blooms": Faults(no_bloom=True),
    "no batches": Faults(batches=False),
    "narrow ranges": Faults(max_range=7),
    "few results": Faults(max_results=20),
    "no archive": Faults(archive=False),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_limited_node_is_enough(opened: Opened, name: str) -> None:
    """What one answer lacks is asked for in another way."""
    chain, trader = trading(260)
    async with FakeNode(chain, FAULTS[name]) as node, following(opened, [node]) as world:
        await world.follow()
        for _ in range(5):
            chain.mine(trader.logs(3))
        chain.reorg(3, *(trader.logs(1) for _ in range(5)))
        await world.follow()
    assert expected(chain) == stored(opened)


@pytest.mark.parametrize("seed", range(4))
async def test_blank_answers_lose_nothing(opened: Opened, seed: int) -> None:
    """Nodes that answer [] one time in six, for ranges and for single blocks."""
    chain, trader = trading(400, seed, share=0.5)
    faults = Faults(blank_share=0.15)
    async with (
        FakeNode(chain, faults) as node,
        FakeNode(chain, faults) as other,
        following(opened, [node, other]) as world,
    ):
        await world.follow()
        for _ in range(30):
            chain.mine(trader.logs(1))
            await world.follow()
    assert expected(chain) == stored(opened)


async def test_one_honest_node_among_bad_ones_is_enough(opened: Opened) -> None:
    """One on another chain, one behind, one that answers HTML, and one that is well."""
    chain, trader = trading(200)
    async with (
        FakeNode(FakeChain(chain_id=1)) as foreign,
        FakeNode(chain, Faults(behind=40)) as behind,
        FakeNode(chain, Faults(body="<html>", times=60)) as broken,
        FakeNode(chain) as well,
        following(opened, [behind, foreign, broken, well]) as world,
    ):
        await world.follow()
        for _ in range(10):
            chain.mine(trader.logs(3))
            await world.follow()
    assert expected(chain) == stored(opened)


async def test_a_contract_that_is_configured_later_gets_its_history(open_store: Opener) -> None:
    """And what was stored before stays as it is."""
    chain, trader = trading(150)
    known = ContractTerms(market_address(1), VAMM)
    async with FakeNode(chain) as node:
        opened = open_store()
        async with following(opened, [node], [known]) as world:
            await world.follow()
            assert {0xAA01} == {int(m.spec.contract, 16) for m in opened.store.catalogue.all()}
        opened.store.close()
        for _ in range(10):
            chain.mine(trader.logs(2))
        opened = open_store()
        async with following(opened, [node], [known, TERMS]) as world:
            await world.follow()
        assert len(expected(chain)) == len(stored(opened))
        opened.store.close()
        opened, asked = open_store(), len(node.requests)
        async with following(opened, [node], [known, TERMS]) as world:
            await world.follow()
        assert not any(m == "eth_getLogs" for m, _ in node.requests[asked:])


async def test_an_impostor_is_not_believed(opened: Opened) -> None:
    """Its events have the same topics; neither its markets nor their trades are stored."""
    chain, trader = trading(50)
    chain.mine([creation(99, factory=IMPOSTOR)])
    chain.mine(trader.fake(99))
    async with FakeNode(chain) as node, following(opened, [node]) as world:
        await world.follow()
        assert not any(row["symbol"] == "M99" for row in stored(opened))


async def test_a_local_chain_that_was_started_anew_is_read_anew(open_store: Opener) -> None:
    """A developer restarts the node: nothing of the former chain stays."""
    chain, _ = trading(60, 1)
    opened = open_store()
    async with FakeNode(chain) as node, following(opened, [node]) as world:
        await world.follow()
    opened.store.close()
    anew, _ = trading(20, 2, genesis="another")
    opened = open_store()
    async with FakeNode(anew) as node, following(opened, [node]) as world:
        await world.follow()
    assert expected(anew) == stored(opened)


async def test_trades_that_are_older_than_is_kept_are_left_out(tmp_path: Path) -> None:
    """RETENTION_TRADES_DAYS must not stop a chain from being followed."""
    chain, trader = trading(50)
    for _ in range(40):  # the newest days
        chain.mine(trader.logs(2), time=int(time.time()) - 3_600)
    settings = Settings(data_dir=tmp_path, retention_trades_days=5)
    store = Store(settings, Metrics(), lambda commit: None)
    store.open()
    try:
        opened = Opened(store, Metrics())
        async with FakeNode(chain) as node, following(opened, [node]) as world:
            await world.follow()
        newest = [row for row in expected(chain) if row["sequence"] >> 20 > 50]
        assert newest == stored(opened)
    finally:
        store.close()


async def test_a_reorg_deeper_than_is_remembered_begins_anew(
    open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a restart: history is read from where it began, not from where it stood."""
    monkeypatch.setattr(following_trail, "SIZE", 16)
    chain, trader = trading(120)
    async with FakeNode(chain) as node:
        opened = open_store()
        async with following(opened, [node]) as world:
            await world.follow()
        opened.store.close()
        chain.reorg(100, *(trader.logs(1) for _ in range(105)))
        opened = open_store()
        async with following(opened, [node]) as world:
            await world.follow()
            assert expected(chain) == stored(opened)
            chain.reorg(60, *(trader.logs(1) for _ in range(61)))
            await world.follow()
        assert expected(chain) == stored(opened)


async def test_an_earlier_start_brings_the_history_before(open_store: Opener) -> None:
    """A later one takes nothing away."""
    chain, trader = trading(200)
    async with FakeNode(chain) as node:
        rows = []
        for start_block in (150, 20, 199, None):
            opened = open_store()
            async with following(opened, [node], start_block=start_block) as world:
                await world.follow()
                rows.append(len(stored(opened)))
            opened.store.close()
            chain.mine(trader.logs(0))
    assert 0 < rows[0] < rows[1] == rows[2] == rows[3]
