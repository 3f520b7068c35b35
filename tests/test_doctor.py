"""The doctor: what it finds, judges, advises and prints, of nodes with each fault."""

import asyncio
import json
import logging
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from appliance import cli, settings
from appliance.chain.preset import built_in
from appliance.doctor.advice import advise, best_first
from appliance.doctor.chain import findings
from appliance.doctor.examine import Case, first_look
from appliance.doctor.finding import Advice, ChainFindings, Finding, Sample
from appliance.doctor.sample import taken
from appliance.doctor.table import text
from appliance.doctor.verdict import judge
from appliance.following.terms import ChainTerms, ContractTerms
from appliance.following.views import selector
from appliance.metrics import Metrics
from appliance.rpc.probe import Patient
from tests.chain_logs import ALICE, ETHER, POOL, VAMM, event_topic, key_of, made
from tests.fake_answers import Faults
from tests.fake_chain import FakeChain, FakeLog
from tests.fake_rpc import SECRET, FakeNode, served
from tests.following_world import FACTORY, creation, market_address
from tests.processes import PATIENCE_S, command, environment, run
from tests.rpc_clock import Clock

SIMPLE = Path("appliance/chain/presets/simple-vamm.toml")
FORKED = 70
Trade = Callable[[int], list[FakeLog]]


def fake(name: str, values: dict[str, Any], address: str = VAMM, preset: str = "vamm") -> FakeLog:
    log = made(built_in(preset), name, values, address=address)
    return FakeLog(log.address, log.topics, log.data)


def opened(position: int, address: str = VAMM) -> FakeLog:
    numbers = {"size": 3_000 * ETHER, "price": 2 * ETHER, "leverage": 5, "fee": 7}
    return fake(
        "PositionOpened",
        {"user": ALICE, "positionId": position, "isLong": True} | numbers,
        address,
    )


def traded(chain: FakeChain, blocks: int = 20, address: str = VAMM) -> FakeChain:
    """Mine blocks with one trade each."""
    for nth in range(blocks):
        chain.mine([opened(nth, address)])
    return chain


@pytest.fixture
def chain() -> FakeChain:
    """Ethereum with one vAMM: 280 empty blocks, then 20 with a trade."""
    chain = FakeChain(chain_id=1)
    chain.mine_empty(280)
    chain.deploy(VAMM, at=1)
    return traded(chain)


async def examined(
    chain: FakeChain,
    *faults: Faults,
    contracts: tuple[ContractTerms, ...] = (),
    late_s: float = 3.0,
    timeout_s: float = 8.0,
    **terms: Any,
) -> ChainFindings:
    """Examine nodes of one chain with these faults, as if its head were `late_s` old.

    Only waits take time, which the clock tells: how busy this machine is does not matter.
    """
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(FakeNode(chain, each)) for each in faults]
        given = {"ws_url": "", "start_block": None, "confirmations": None, "name": "main"} | terms
        urls = tuple(node.url for node in nodes)
        found = await findings(
            ChainTerms(rpc_urls=urls, contracts=contracts, **given),
            timeout_s,
            lambda part: None,
            now=lambda: chain.head.time + late_s,
            waiting=Clock().waiting(),
        )
    assert SECRET not in text([found], 200)
    return found


def one(found: ChainFindings) -> Finding:
    (endpoint,) = found.endpoints
    return endpoint


# -- endpoints --


async def test_a_node_without_faults_is_good(chain: FakeChain) -> None:
    found = await examined(chain, Faults())
    endpoint = one(found)
    assert ("good", [], {}) == (endpoint.verdict, endpoint.reasons, endpoint.unknown)
    assert (1, 300, 3.0, "fake/1.0") == (
        *(endpoint.chain_id, endpoint.head, endpoint.head_age_s),
        endpoint.client,
    )
    assert (64, 1, 301, 20) == (
        *(endpoint.finalized, endpoint.oldest_state),
        *(endpoint.log_range, endpoint.most_logs),
    )
    assert (True, True, 0, 100) == (
        *(endpoint.block_time, endpoint.blooms),
        *(endpoint.blanks, endpoint.batch),
    )
    assert (True, True, None) == (
        *((endpoint.rate or 0) > 1, endpoint.latency_ms == 0.0),
        endpoint.agrees,
    )
    assert (1, [], None, True) == (found.chain_id, found.warnings, found.sample, found.usable)


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (Faults(archive=False), "it keeps no states before about block 1"),
        (Faults(max_range=100), "it gives logs of 100 blocks at a time"),
        (Faults(block_time=False), "its logs carry no times"),
        (Faults(zero_bloom=True), "its blooms do not tell of logs that are there"),
        (Faults(no_bloom=True), "its blooms do not tell of logs that are there"),
        (Faults(batches=False), "it refuses batches"),
    ],
)
async def test_drawbacks_leave_it_usable(chain: FakeChain, faults: Faults, reason: str) -> None:
    endpoint = one(await examined(chain, faults))
    assert ("usable", 1) == (endpoint.verdict, len(endpoint.reasons))
    assert endpoint.reasons[0].startswith(reason)


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (Faults(status=503), "eth_chainId: does not answer (HTTP 503)"),
        (Faults(status=429, retry_after="50"), "eth_chainId: too many requests"),
        (Faults(body="<html>sorry</html>"), "eth_chainId: the answer is not JSON"),
        (Faults(truncated=True), "eth_chainId: the answer is cut off or damaged"),
        (Faults(hang=True), "eth_chainId: no answer in time"),
        (Faults(null_logs=True), "it gives no logs: logs must be a list, were null"),
        (
            Faults(methods=["eth_chainId", "eth_blockNumber", "eth_getBlockByNumber"]),
            "it gives no logs: eth_getLogs: the method eth_getLogs does not exist",
        ),
    ],
)
async def test_what_cannot_be_read_is_unusable(
    chain: FakeChain, faults: Faults, reason: str
) -> None:
    found = await examined(chain, faults, timeout_s=0.3 if faults.hang else 8.0)
    endpoint = one(found)
    assert ("unusable", False) == (endpoint.verdict, found.usable)
    assert endpoint.reasons[0].startswith(reason)
    assert [f"drop {endpoint.name}: {endpoint.reasons[0]}"] == [a.why for a in found.advice]


async def test_blank_answers_are_caught(chain: FakeChain) -> None:
    endpoint = one(await examined(chain, Faults(blank_share=0.4)))
    assert "usable" == endpoint.verdict
    assert "it gave empty answers for a block that has logs: never use it alone" in (
        endpoint.reasons
    )


async def test_a_limit_on_speed_is_found_and_named(chain: FakeChain) -> None:
    """Once refused, it is asked slowly; everything else is found out all the same."""
    faults = Faults(status=429, times=1, retry_after="0.01")
    endpoint = one(await examined(chain, faults))
    assert ("usable", {}) == (endpoint.verdict, endpoint.unknown)
    (reason,) = endpoint.reasons
    assert reason.endswith("requests/s: it has asked for fewer")


async def test_what_fails_is_named_and_the_rest_goes_on(chain: FakeChain) -> None:
    known = "eth_chainId eth_blockNumber eth_getBlockByNumber eth_getLogs".split()
    endpoint = one(await examined(chain, Faults(methods=known)))
    assert {"client version", "old states"} == endpoint.unknown.keys()
    assert ("", None, 301) == (endpoint.client, endpoint.oldest_state, endpoint.log_range)
    (reason,) = endpoint.reasons
    assert reason.startswith("old states not found out: eth_getCode: the method eth_getCode")


async def test_a_chain_that_just_began_is_fine() -> None:
    endpoint = one(await examined(FakeChain(chain_id=1), Faults()))
    assert ("good", 0, 1, 0) == (
        *(endpoint.verdict, endpoint.oldest_state, endpoint.log_range),
        endpoint.most_logs,
    )
    assert (None, None, None) == (endpoint.block_time, endpoint.blooms, endpoint.blanks)


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        ({"rate": 4.0}, "it answers 4 requests/s"),
        ({"rate": 4.0, "rate_said": "slower"}, "it answers at most about 4 requests/s: slower"),
        ({"latency_ms": 1_500.0}, "it takes 1,500 ms for a small question"),
        ({"log_range": 5_000, "log_range_said": "too wide"}, ""),
        ({"unknown": {"client version": "not allowed"}}, ""),
    ],
)
def test_slowness_is_a_drawback(fact: dict[str, Any], reason: str) -> None:
    endpoint = Finding(name="a", chain_id=1, head=1, **fact)
    judge(endpoint, 1)
    assert [reason] * bool(reason) == endpoint.reasons
    assert ("usable" if reason else "good") == endpoint.verdict


async def test_what_finds_no_time_is_named(chain: FakeChain) -> None:
    async with FakeNode(chain, Faults(hang=True)) as node:
        patient = Patient(node.url, node.name, Metrics(), 8.0)
        await patient.open()
        case = Case(patient, Finding(name=node.name), patient.rate.now() + 0.05)
        await first_look(case)
        await case.note("latency", asyncio.sleep(10))
        await patient.close()
    assert "it does not answer in time" == case.finding.error
    assert {"latency": "no time was left for it"} == case.finding.unknown


# -- endpoints together --


async def test_who_is_behind_is_told_by_how_much(chain: FakeChain) -> None:
    found = await examined(chain, Faults(), Faults(behind=5), Faults(behind=200))
    good, late, lost = found.endpoints
    assert (0, 5, 60) == (good.behind, late.behind, late.behind_s)
    assert ["it is 5 blocks (60 s) behind the others"] == late.reasons
    assert ("good", "usable", "unusable") == (good.verdict, late.verdict, lost.verdict)
    assert ["it is 200 blocks (40 min) behind the others"] == lost.reasons
    assert (True, True, None) == (good.agrees, late.agrees, lost.agrees)


async def test_who_is_on_another_chain_is_out(chain: FakeChain) -> None:
    """Whatever the order: most decide, or the operator."""
    foreign = Faults(chain_id=5)
    found = await examined(chain, foreign, Faults(), Faults())
    assert 1 == found.chain_id
    assert ["unusable", "good", "good"] == [e.verdict for e in found.endpoints]
    assert ["it is on chain 5, must be on 1"] == found.endpoints[0].reasons
    assert ["the endpoints are on different chains: [1, 5]"] == found.warnings
    told = await examined(chain, Faults(), Faults(), foreign, chain_id=5)
    assert ["unusable", "unusable", "usable"] != [e.verdict for e in found.endpoints]
    assert "it is on chain 1, must be on 5" == told.endpoints[0].reasons[0]


async def test_a_fork_is_seen(chain: FakeChain) -> None:
    """The one that differs from most is out; where two differ, neither is believed."""
    other = FakeChain(chain_id=1, blocks=list(chain.blocks))
    other.reorg(FORKED, *[()] * FORKED)
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(FakeNode(which)) for which in (chain, other, chain)
        ]

        async def verdicts(*asked: FakeNode) -> list[str]:
            urls = tuple(node.url for node in asked)
            terms = ChainTerms(urls, "", None, None, (), "main")
            found = await findings(terms, 2.0, lambda part: None, now=lambda: chain.head.time + 1.0)
            assert ["the endpoints differ on block 235"] == found.warnings
            return [endpoint.verdict for endpoint in found.endpoints]

        assert ["good", "unusable", "good"] == await verdicts(*nodes)
        assert ["unusable", "unusable"] == await verdicts(*nodes[:2])


@pytest.mark.parametrize(
    ("late_s", "chain_id", "warning"),
    [
        (-100.0, 1, "the newest block is of 2 min after this machine's time: its clock is behind"),
        (7_200.0, 1, "the newest block is 2.0 h old: the nodes are out of sync"),
        (7_200.0, 31337, ""),
        (60.0, 1, ""),
        (-20.0, 1, ""),
    ],
)
async def test_the_clock_is_compared(
    chain: FakeChain, late_s: float, chain_id: int, warning: str
) -> None:
    chain.chain_id = chain_id
    warnings = (await examined(chain, Faults(), late_s=late_s)).warnings
    assert bool(warning) == bool(warnings)
    assert all(found.startswith(warning) for found in warnings)


# -- advice --


def advice(
    *endpoints: Finding, in_file: bool = False, chain_id: int = 1, **given: Any
) -> dict[str, Advice]:
    terms = {"ws_url": "", "start_block": None, "confirmations": None} | given
    found = ChainFindings(name="main", chain_id=chain_id, endpoints=list(endpoints))
    chain = ChainTerms(rpc_urls=("http://x",), contracts=(), name="main", **terms)
    return {a.setting: a for a in advise(found, chain, in_file=in_file)}


def test_the_better_and_faster_comes_first() -> None:
    slow = Finding(name="slow", latency_ms=90.0)
    fast = Finding(name="fast", latency_ms=9.9)
    equal = Finding(name="equal", latency_ms=0.1)
    flawed = Finding(name="flawed", latency_ms=1.0, verdict="usable")
    found = best_first([flawed, slow, fast])
    assert ["fast", "slow", "flawed"] == [endpoint.name for endpoint in found]
    assert "fast, slow" == advice(slow, fast)["RPC_URL"].value
    assert "the order is right" in advice(fast, slow)["RPC_URL"].why
    assert "the order is right" in advice(fast, equal)["RPC_URL"].why
    assert "add one of another provider" in advice(fast)["RPC_URL"].why


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "the default for chain 1, need not be set; now the finalized block is 70 below"),
        (65, "the default for chain 1, need not be set"),
        (3, "is 3, and a reorg may go deeper on chain 1"),
        (500, "is 500, safe, and bars become final later than need be"),
    ],
)
def test_confirmations_are_those_of_the_chain(given: int | None, why: str) -> None:
    found = advice(Finding(name="a", finalized=70), confirmations=given)["CONFIRMATION_BLOCKS"]
    assert "65" == found.value
    assert found.why.startswith(why)


def test_a_first_block_is_asked_for_without_an_archive() -> None:
    pruned, archive = Finding(name="a", oldest_state=500), Finding(name="b", oldest_state=1)
    assert "no endpoint keeps states before about block 500" in advice(pruned)["START_BLOCK"].why
    assert "need not be set" in advice(pruned, archive)["START_BLOCK"].why
    assert "START_BLOCK" not in advice(pruned, start_block=7)
    assert "START_BLOCK" not in advice(Finding(name="a"))


def test_a_websocket_is_proposed_where_there_is_none() -> None:
    assert "a wss:// address of a" in advice(Finding(name="a"))["WS_RPC_URL"].value
    assert "WS_RPC_URL" not in advice(Finding(name="a"), ws_url="wss://x")


def test_settings_have_the_names_of_the_file() -> None:
    found = advice(Finding(name="a", oldest_state=500), in_file=True)
    assert ["rpc_urls", "confirmations", "start_block", "ws_url"] == list(found)


# -- the sample --


async def sampled(chain: FakeChain, faults: Faults, *contracts: ContractTerms) -> Sample:
    found = await examined(chain, faults, contracts=contracts)
    assert found.sample is not None
    return found.sample


def counts(sample: Sample) -> dict[str, tuple[int, int, int]]:
    return {e.event: (e.decoded, e.ignored, e.malformed) for e in sample.events}


OURS = ContractTerms(VAMM, built_in("vamm"), symbol="GOLD")


@pytest.mark.parametrize(
    "faults", [Faults(), Faults(block_time=False), Faults(max_range=7), Faults(max_results=9)]
)
async def test_the_newest_logs_are_decoded(chain: FakeChain, faults: Faults) -> None:
    """Also where the node gives no times, few blocks, or few logs at once."""
    sample = await sampled(chain, faults, OURS)
    assert ({"PositionOpened": (20, 0, 0)}, [], ["GOLD"]) == (
        *(counts(sample), sample.problems),
        sample.markets,
    )
    newest = sample.trades[0]
    assert (5, 300, "open", "buy") == (
        *(len(sample.trades), newest.block_number),
        *(newest.kind, newest.side),
    )
    assert ("GOLD", 2.0, None, "3000", "1500") == (
        *(newest.market, newest.execution_price, newest.price),
        *(newest.quote_volume, newest.base_volume),
    )
    assert "2023-11-14 23:13:20" == newest.time


async def test_every_event_is_counted(chain: FakeChain) -> None:
    """Those of the preset, those it does not name, and those that are not well formed."""
    broken = opened(1)
    increase = {"user": ALICE, "positionId": 1, "sizeAdded": ETHER, "newSize": ETHER}
    chain.reorg(20)  # no trade is left
    chain.mine([fake("PositionIncreased", increase | {"newEntryPrice": 1, "fee": 1})])
    mark = {"newPrice": 4 * ETHER, "totalSupply": 1, "priceChange": 2}
    chain.mine([fake("BondingCurveUpdated", mark)])
    rate = {"fundingRate": 5, "fundingIndex": 1, "premiumFraction": 0}
    chain.mine([fake("FundingUpdated", rate)])
    chain.mine([FakeLog(broken.address, broken.topics, broken.data[:-64])])
    chain.mine([FakeLog(VAMM, ["0x" + "ab" * 32]), FakeLog(VAMM)])
    sample = await sampled(chain, Faults(), OURS)
    assert {
        "PositionIncreased": (0, 0, 1),  # its mark came later
        "BondingCurveUpdated": (1, 0, 0),
        "FundingUpdated": (1, 0, 0),
        "PositionOpened": (0, 0, 1),
        "0x" + "ab" * 32: (0, 1, 0),
        "without a topic": (0, 1, 0),
    } == counts(sample)
    assert (2, []) == (len(sample.problems), sample.trades)
    shown = text([ChainFindings(name="x", sample=sample)], 200)
    assert "problem: PositionIncreased in block 302, log 0: the contract's mark price" in shown


async def test_prices_that_are_no_rows_count_as_decoded() -> None:
    chain, pool = FakeChain(chain_id=1), "uniswap-v2"
    chain.mine_empty(5)
    chain.deploy(POOL, at=1)
    tokens = {"token0()": key_of(ALICE), "token1()": key_of(FACTORY)}
    for view, token in tokens.items():
        chain.answer(POOL, selector(view), token)
    values = {"sender": ALICE, "amount0In": ETHER, "amount1In": 0, "amount0Out": 0}
    swap = fake("Swap", values | {"amount1Out": 2 * ETHER, "to": ALICE}, POOL, pool)
    sync = fake("Sync(uint112,uint112)", {"reserve0": ETHER, "reserve1": 3 * ETHER}, POOL, pool)
    chain.mine([sync, swap])
    sample = await sampled(chain, Faults(), ContractTerms(POOL, built_in(pool)))
    assert [1, 1] == [decoded for decoded, _, _ in counts(sample).values()]
    assert [] == sample.problems


async def test_markets_inside_one_contract_are_found_by_their_keys(chain: FakeChain) -> None:
    """Those that the contract has announced, and those that only their trades name."""
    name = "synthetix-perps-v3"
    made_known = {"perpsMarketId": 100, "marketName": "Ether", "marketSymbol": "ETH"}
    words = "fillPrice pnl accruedFunding sizeDelta newSize totalFees referralFees collectedFees"
    order: dict[str, Any] = {"accountId": 1} | dict.fromkeys(
        [*words.split(), "settlementReward"], ETHER
    )
    order |= {"trackingCode": bytes(32), "settler": ALICE}
    chain.deploy(POOL, at=1)
    chain.mine([fake("MarketCreated", made_known, POOL, name)])
    chain.mine([fake("OrderSettled", {"marketId": n} | order, POOL, name) for n in (100, 200)])
    sample = await sampled(chain, Faults(), ContractTerms(POOL, built_in(name)))
    assert {"MarketCreated": (1, 0, 0), "OrderSettled": (2, 0, 0)} == counts(sample)
    assert (2, 2, []) == (len(sample.markets), len(sample.trades), sample.problems)


async def test_a_factory_s_newest_markets_are_followed(chain: FakeChain) -> None:
    chain.deploy(FACTORY, at=1)
    chain.mine([creation(number) for number in range(1, 11)])
    for number in range(1, 11):
        chain.deploy(market_address(number), at=1)
    traded(chain, 3, market_address(9))
    sample = await sampled(chain, Faults(), ContractTerms(FACTORY, built_in("vamm"), factory=True))
    assert (8, "M3", "M10") == (len(sample.markets), sample.markets[0], sample.markets[-1])
    assert [8, 3] == [decoded for decoded, _, _ in counts(sample).values()]
    assert {"M9"} == {trade.market for trade in sample.trades}
    shown = text([ChainFindings(name="x", sample=sample)], 200)
    assert "8 markets (the newest of the factory): M3, M4" in shown


async def test_a_factory_without_markets_is_told(chain: FakeChain) -> None:
    chain.deploy(FACTORY, at=1)
    sample = await sampled(chain, Faults(), ContractTerms(FACTORY, built_in("vamm"), factory=True))
    assert [f"factory {FACTORY} made no market in blocks 0 to 300"] == sample.problems


async def test_where_nothing_is_found_it_says_what_it_looked_for(chain: FakeChain) -> None:
    chain.deploy(ALICE, at=1)
    found = await examined(chain, Faults(), contracts=(ContractTerms(ALICE, built_in("vamm")),))
    shown = text([found], 200)
    topic = next(iter(built_in("vamm").events))
    assert "no logs in blocks 0 to 300; looked for any event of the contracts" in shown
    for word in (ALICE, "PositionOpened", topic):
        assert word in shown


async def test_where_no_event_is_known_the_preset_s_are_named(chain: FakeChain) -> None:
    sample = await sampled(chain, Faults(), ContractTerms(VAMM, built_in("order-book")))
    assert [(0, 20, 0)] == list(counts(sample).values())
    shown = text([ChainFindings(name="x", sample=sample)], 200)
    assert "none of these events is one of the preset; it names:" in shown
    assert "TradeExecutionCompleted" in shown


async def test_a_contract_that_is_not_there_is_a_problem(chain: FakeChain) -> None:
    (problem,) = (await sampled(chain, Faults(), ContractTerms(ALICE, built_in("vamm")))).problems
    assert problem.startswith(f"contract {ALICE} must exist on the chain")


async def test_a_sample_that_takes_too_long_is_cut_short(chain: FakeChain) -> None:
    async with FakeNode(chain, Faults(latency_s=0.04)) as node:
        patient = Patient(node.url, node.name, Metrics(), 8.0)
        await patient.open()
        finding = Finding(name=node.name, chain_id=1, head=300, log_range=300)
        terms = ChainTerms((node.url,), "", None, None, (OURS,), "main")
        sample = await taken(Case(patient, finding, 0.0), terms, 0.06)
        await patient.close()
    assert ["there was no time to read all of it"] == sample.problems


async def test_a_block_that_holds_too_much_is_a_problem(chain: FakeChain) -> None:
    chain.mine([opened(1), opened(2)])
    (problem,) = (await sampled(chain, Faults(max_results=1), OURS)).problems
    assert problem.startswith("eth_getLogs: query returned more than 1 results")


async def test_a_creation_that_is_not_well_formed_is_named(chain: FakeChain) -> None:
    chain.deploy(FACTORY, at=1)
    good = creation(1)
    chain.mine([FakeLog(good.address, good.topics, "0x")])
    sample = await sampled(chain, Faults(), ContractTerms(FACTORY, built_in("vamm"), factory=True))
    assert [(0, 0, 1)] == list(counts(sample).values())
    assert sample.problems[0].startswith("MarketCreated in block 301, log 0: ")


async def test_a_node_that_fails_the_sample_is_a_problem(chain: FakeChain) -> None:
    known = "eth_chainId eth_blockNumber eth_getBlockByNumber eth_getLogs".split()
    (problem,) = (await sampled(chain, Faults(methods=known), OURS)).problems
    assert problem.startswith("eth_getCode: the method eth_getCode does not exist")


# -- how it is printed --


def test_columns_become_blocks_where_they_do_not_fit() -> None:
    endpoints = [Finding(name=n, chain_id=1, head=7) for n in ("first.example", "second.example")]
    chain = ChainFindings(name="main", chain_id=1, endpoints=endpoints)
    wide, narrow = text([chain], 100).splitlines(), text([chain], 30).splitlines()
    assert "endpoint             first.example    second.example" in wide
    assert "endpoint             first.example" in narrow
    assert len(wide) + 18 == len(narrow)


def test_unknown_facts_are_question_marks() -> None:
    chain = ChainFindings(
        name="x", chain_id=1, endpoints=[Finding(name="a", chain_id=1, head=1, head_age_s=-40.0)]
    )
    lines = {line[:19].rstrip(): line[21:] for line in text([chain], 100).splitlines()}
    assert ("?", "?", "-40 s", "not known to it") == (
        *(lines["old states"], lines["latency"]),
        *(lines["age of the head"], lines["finalized"]),
    )


# -- the command --


@dataclass(frozen=True)
class Result:
    returncode: int
    stdout: str
    stderr: str


Main = Callable[..., Result]


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Main]:
    """Run the command in this process, with these variables only."""
    root = logging.getLogger()
    before = root.level, root.handlers[:]

    def call(*arguments: str, **variables: str) -> Result:
        for name in (row.metadata["name"] for row in settings.rows()):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return Result(cli.main(["doctor", *arguments]), *capsys.readouterr())

    yield call
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.fixture
def node(chain: FakeChain) -> Iterator[FakeNode]:
    with served(FakeNode(chain)) as node:
        yield node


def test_the_command_prints_a_table(node: FakeNode) -> None:
    """Without colours and without a progress bar, as nobody is at the terminal."""
    result = run("doctor", "--rpc", node.url, "--address", VAMM)
    assert (0, "") == (result.returncode, result.stderr)
    for words in (f"{node.name}  good", "Recommended", "PositionOpened", "newest trades"):
        assert words in result.stdout
    assert not {"\x1b", SECRET} & {*result.stdout, *result.stdout.split("/")}


def test_the_command_prints_json(main: Main, node: FakeNode) -> None:
    result = main("--json", RPC_URL=node.url, CONTRACT_ADDRESS=VAMM)
    found = json.loads(result.stdout)
    assert (0, "", True) == (result.returncode, result.stderr, found["usable"])
    (chain,) = found["chains"]
    assert (node.name, 1, "good") == (
        *(chain["name"], chain["chain_id"]),
        chain["endpoints"][0]["verdict"],
    )
    assert 20 == chain["sample"]["events"][0]["decoded"]
    assert SECRET not in result.stdout


def test_without_a_usable_endpoint_it_fails(main: Main, chain: FakeChain) -> None:
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(served(FakeNode(chain, Faults(status=status))))
            for status in (401, 503)
        ]
        result = main("--rpc", *(node.url for node in nodes))
    assert (1, "") == (result.returncode, result.stderr)
    assert f"{nodes[0].name}  unusable: eth_chainId: refuses the key (HTTP 401)" in result.stdout
    assert SECRET not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        ([], {}, "an endpoint must be given: name one with --rpc URL, or set RPC_URL"),
        ([], {"CONTRACT_ADDRESS": VAMM}, "an endpoint must be given"),
        (["--rpc", f"ftp://x/{SECRET}"], {}, "--rpc must be a comma list of addresses like"),
        (["--rpc", "http://x", "--address", "0x1"], {}, "--address must be an address of 0x"),
        (["--rpc", "http://x", "--preset", "vamm"], {}, "--address must be given with --preset"),
        (
            ["--rpc", "http://x", "--address", VAMM, "--preset", "nothing"],
            {},
            "PRESET must be one of aerodrome,",
        ),
        (
            ["--rpc", "http://x", "--address", VAMM, "--preset", "no.toml"],
            {},
            "no.toml: the events file must be readable text",
        ),
    ],
)
def test_wrong_words_are_one_sentence(
    main: Main, arguments: list[str], variables: dict[str, str], said: str
) -> None:
    result = main(*arguments, **variables)
    assert (2, "") == (result.returncode, result.stdout)
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"appliance: {said}")
    assert SECRET not in line


def test_a_node_alone_is_examined_without_contracts(main: Main, node: FakeNode) -> None:
    result = main(RPC_URL=node.url)
    assert 0 == result.returncode
    assert "Sample" not in result.stdout


def test_a_preset_of_one_s_own_is_checked(main: Main, node: FakeNode, tmp_path: Path) -> None:
    """Named as a file, also where EVENTS_FILE names it already."""
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\nprice_rule = "execution"\n[[event]]\n'
        'signature = "PositionOpened(address indexed user, uint256 indexed positionId, '
        'bool isLong, uint256 size, uint256 price, uint256 leverage, uint256 fee)"\n'
        f'topic0 = "{event_topic(built_in("vamm"), "PositionOpened")}"\n'
        'kind = "open"\nexecution = { argument = "price", scale = 18 }\n'
        'quote = { argument = "size", scale = 18 }\n'
        'side = { flag = "isLong", long = "buy" }\nposition = "positionId"\ntrader = "user"\n'
    )
    own = str(tmp_path / "mine.toml")
    given = ["--json", "--rpc", node.url, "--address", VAMM, "--preset", own]
    for variables in ({}, {"EVENTS_FILE": own}):
        result = main(*given, **variables)
        (chain,) = json.loads(result.stdout)["chains"]
        assert (20, 2.0) == (
            chain["sample"]["events"][0]["decoded"],
            chain["sample"]["trades"][0]["price"],
        )


def test_chains_of_a_file_are_examined_in_turn(main: Main, node: FakeNode, tmp_path: Path) -> None:
    """Each must have an endpoint that is usable; one that is only pushed to has none to examine."""
    contract = f'[[chain.contract]]\naddress = "{VAMM}"\n'
    chains = [
        f'[[chain]]\nname = "one"\nrpc_urls = ["{node.url}"]\n{contract}',
        f'[[chain]]\nname = "two"\nrpc_urls = ["http://127.0.0.1:9/{SECRET}"]\n{contract}',
        f'[[chain]]\nname = "pushed"\nchain_id = 9\n{contract}',
    ]
    (tmp_path / "markets.toml").write_text("\n".join(chains))
    file = str(tmp_path / "markets.toml")
    result = main(MARKETS_FILE=file)
    assert (1, "") == (result.returncode, result.stderr)
    for words in ("one (chain 1)", "two\n", "cannot be reached", "  confirmations = 65"):
        assert words in result.stdout
    assert "pushed" not in result.stdout
    refused = main("--address", VAMM, MARKETS_FILE=file)
    assert (2, True) == (refused.returncode, "--rpc must be given" in refused.stderr)
    (tmp_path / "markets.toml").write_text(chains[0].replace(VAMM, ALICE))
    one_chain = main("--address", VAMM, MARKETS_FILE=file)
    assert (0, True) == (one_chain.returncode, "PositionOpened" in one_chain.stdout)


def test_the_time_is_bounded_and_ctrl_c_is_clean(chain: FakeChain) -> None:
    """A node that never answers costs its time-out; an impatient operator not even that."""
    with served(FakeNode(chain, Faults(hang=True))) as node:
        started = time.monotonic()
        result = run("doctor", "--rpc", node.url, RPC_TIMEOUT="300")
        assert 1 == result.returncode
        assert "no answer in time" in result.stdout
        assert time.monotonic() - started < 25
        process = subprocess.Popen(
            command("doctor", "--rpc", node.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        deadline = time.monotonic() + PATIENCE_S
        asked = len(node.requests)
        while len(node.requests) == asked and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert ("", "") == process.communicate(timeout=PATIENCE_S)
    assert 130 == process.returncode
