"""The brief look at the start: a warning for each fault, none without one, and few questions."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from appliance.chain.preset import built_in
from appliance.following.brief import _keeps_states, brief
from appliance.following.terms import ChainTerms, ContractTerms
from appliance.metrics import Metrics
from appliance.rpc.endpoint import Endpoint
from appliance.rpc.pool import Pool
from tests.chain_logs import VAMM
from tests.fake_answers import Faults
from tests.fake_chain import FakeChain, FakeLog
from tests.fake_rpc import SECRET, FakeNode

CONFIRMATIONS = 65


@pytest.fixture
def chain() -> FakeChain:
    chain = FakeChain(chain_id=1)
    chain.mine_empty(280)
    for _ in range(20):
        chain.mine([FakeLog(VAMM, ["0x" + "ab" * 32])])
    return chain


async def warned(
    chain: FakeChain,
    *faults: Faults | FakeNode,
    late_s: float = 5.0,
    begun: bool = False,
    **given: Any,
) -> list[str]:
    """Return the warnings, with A, B … for the names of the endpoints."""
    async with AsyncExitStack() as stack:
        nodes = [f if isinstance(f, FakeNode) else FakeNode(chain, f) for f in faults]
        for node in nodes:
            await stack.enter_async_context(node)
        pool = Pool([node.url for node in nodes], metrics=Metrics(), timeout_s=0.5)
        await pool.open()
        stack.push_async_callback(pool.close)
        contracts = (ContractTerms(VAMM, built_in("vamm")),)
        terms = {"start_block": None, "confirmations": None, "chain_id": None} | given
        found = await brief(
            pool.endpoints,
            ChainTerms(rpc_urls=(), ws_url="", contracts=contracts, name="main", **terms),
            CONFIRMATIONS,
            begun=begun,
            now=lambda: chain.head.time + late_s,
        )
        assert all(len(node.requests) <= 6 for node in nodes)
    for letter, node in zip("ABC", nodes, strict=False):
        found = [line.replace(node.name, letter) for line in found]
    assert SECRET not in " ".join(found)
    return found


async def test_without_faults_there_is_nothing_to_say(chain: FakeChain) -> None:
    assert [] == await warned(chain, Faults(), Faults(behind=2))


@pytest.mark.parametrize(
    ("faults", "warning"),
    [
        (Faults(status=503), "A: eth_chainId: does not answer (HTTP 503)"),
        (Faults(hang=True), "A: eth_chainId: no answer in time"),
        (
            Faults(methods=["eth_chainId", "eth_getBlockByNumber", "eth_getCode"]),
            "A: eth_getLogs: the method eth_getLogs does not exist/is not available (-32601)",
        ),
        (
            Faults(zero_bloom=True),
            "A: its blooms do not tell of logs that are there, so that missing ones go unnoticed",
        ),
        (
            Faults(archive=False),
            "no endpoint keeps old states, by which the first block of the contracts is found: set",
        ),
    ],
)
async def test_each_fault_is_one_warning(chain: FakeChain, faults: Faults, warning: str) -> None:
    (found,) = await warned(chain, faults)
    assert found.startswith(warning)


@pytest.mark.parametrize("faults", [Faults(max_range=10), Faults(max_results=5)])
async def test_limits_are_no_fault(chain: FakeChain, faults: Faults) -> None:
    """The reader finds them out."""
    assert [] == await warned(chain, faults)


async def test_old_states_matter_only_where_the_first_block_is_searched(chain: FakeChain) -> None:
    pruned = Faults(archive=False)
    assert [] == await warned(chain, pruned, start_block=7)
    assert [] == await warned(chain, pruned, begun=True)
    assert [] == await warned(chain, pruned, Faults())


async def test_a_busy_node_does_not_say_what_it_keeps(chain: FakeChain) -> None:
    """Its silence is no warning about old states."""
    async with FakeNode(chain, Faults(archive=False)) as node:
        endpoint = Endpoint(node.url, "A", Metrics(), 1.0)
        await endpoint.open()
        node.faults.status = 429
        assert await _keeps_states(endpoint, VAMM) is None
        await endpoint.close()


async def test_who_is_on_another_chain_is_named(chain: FakeChain) -> None:
    nodes = Faults(), Faults(), Faults(chain_id=5)
    assert ["C: it is on chain 5, must be on 1: remove it"] == await warned(chain, *nodes)
    assert ["A: it is on chain 1, must be on 7: remove it"] == (
        await warned(chain, Faults(), chain_id=7)
    )


async def test_who_is_behind_is_named(chain: FakeChain) -> None:
    assert ["B: it is 40 min behind the others"] == (
        await warned(chain, Faults(), Faults(behind=200))
    )


async def test_a_fork_is_named(chain: FakeChain) -> None:
    other = FakeChain(chain_id=1, blocks=list(chain.blocks))
    other.reorg(70, *[()] * 70)
    (found,) = await warned(chain, FakeNode(chain), FakeNode(other))
    one, two = chain.blocks[235].hash[:10], other.blocks[235].hash[:10]
    assert (
        f"the endpoints differ on block 235: A has {one}…, B has {two}…: one of them is on a fork"
        == found
    )


@pytest.mark.parametrize(
    ("late_s", "chain_id", "warning"),
    [
        (-60.0, 1, "the newest block is of 60 s after this machine's time: its clock is behind"),
        (600.0, 1, "the newest block is 10 min old: the nodes are out of sync"),
        (600.0, 31337, ""),
        (-20.0, 1, ""),
    ],
)
async def test_the_clock_is_compared(
    chain: FakeChain, late_s: float, chain_id: int, warning: str
) -> None:
    chain.chain_id = chain_id
    found = await warned(chain, Faults(), late_s=late_s)
    assert bool(warning) == bool(found)
    assert all(line.startswith(warning) for line in found)


async def test_nobody_is_waited_for_long(chain: FakeChain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.following.brief._TIME_S", 0.05)
    assert ["A: it does not answer in time"] == await warned(chain, Faults(hang=True))


async def test_a_busy_node_is_told_and_not_judged(chain: FakeChain) -> None:
    (found,) = await warned(chain, Faults(status=429, retry_after="30"))
    assert found.startswith("A: eth_chainId: too many requests")
