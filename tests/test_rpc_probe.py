"""Probes: what they find out of a node with each limit, and that they ask gently."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from appliance.metrics import Metrics
from appliance.rpc import line, probe
from appliance.rpc.errors import RateLimited, RpcError, Unavailable
from appliance.rpc.probe import NOBODY, Patient
from tests.fake_answers import Faults
from tests.fake_chain import FakeChain, FakeLog
from tests.fake_rpc import SECRET, FakeNode
from tests.rpc_clock import Clock

HEAD = 600
TOKEN = "0x00000000000000000000000000000000000000c0"
TRANSFER = "0x" + "dd" * 32


@pytest.fixture(scope="module")
def chain() -> FakeChain:
    """600 blocks; each of the newest 100 has three logs."""
    chain = FakeChain()
    chain.mine_empty(HEAD - 100)
    for _ in range(100):
        chain.mine([FakeLog(TOKEN, [TRANSFER])] * 3)
    return chain


@pytest.fixture
async def node(chain: FakeChain) -> AsyncIterator[FakeNode]:
    async with FakeNode(chain) as node:
        yield node


@asynccontextmanager
async def opened(node: FakeNode, clock: Clock | None = None) -> AsyncIterator[Patient]:
    waiting = clock.waiting() if clock else None
    patient = Patient(node.url, node.name, Metrics(), 2.0, waiting)
    await patient.open()
    try:
        yield patient
    finally:
        await patient.close()


@pytest.fixture
async def patient(node: FakeNode) -> AsyncIterator[Patient]:
    async with opened(node) as patient:
        yield patient


@pytest.fixture
async def timeless(node: FakeNode) -> AsyncIterator[Patient]:
    """One whose waits take no time."""
    async with opened(node, Clock()) as patient:
        yield patient


async def test_the_client_is_told_without_what_must_not_be_shown(
    node: FakeNode, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node may well repeat the path it was asked under."""
    assert "fake/1.0" == await patient.client()
    monkeypatch.setattr(node._answers, "_web3_clientVersion", lambda: f"x/{SECRET}\a")
    assert "x/*** " == await patient.client()


@pytest.mark.parametrize(
    ("faults", "size"),
    [
        (Faults(), 100),
        (Faults(max_batch=30), 25),
        (Faults(batches=False), 1),
    ],
)
async def test_the_size_of_batches_is_found(
    node: FakeNode, patient: Patient, faults: Faults, size: int
) -> None:
    node.faults = faults
    assert size == await patient.batch_size()


async def test_too_many_requests_say_nothing_of_batches(node: FakeNode, patient: Patient) -> None:
    node.faults = Faults(status=429, retry_after="30")
    with pytest.raises(RateLimited):
        await patient.batch_size()


async def test_short_waits_are_made_and_long_ones_are_not(
    node: FakeNode, timeless: Patient
) -> None:
    node.faults = Faults(status=429, times=2, retry_after="4")
    assert 31337 == await probe.patiently(timeless.chain_id, timeless)
    node.faults = Faults(status=429, times=2, retry_after="30")
    with pytest.raises(RateLimited):
        await probe.patiently(timeless.chain_id, timeless)
    assert 1 == node.faults.times


async def test_waits_have_an_end(node: FakeNode, timeless: Patient) -> None:
    node.faults = Faults(status=429, retry_after="1")
    with pytest.raises(RateLimited):
        await probe.patiently(timeless.chain_id, timeless)
    assert 4 == node.posts


async def test_latency_is_the_median(node: FakeNode, patient: Patient) -> None:
    node.faults.latency_s = 0.02
    assert 0.02 <= await probe.latency_s(patient, 3) < 1.0
    assert 3 == node.posts
    node.faults.latency_s = 1.0
    assert 1.0 <= await probe.latency_s(patient, 3)
    assert 4 == node.posts


# -- old states --


async def test_an_archive_is_recognized_by_two_questions(node: FakeNode, patient: Patient) -> None:
    assert 1 == await probe.oldest_state(patient, HEAD)
    assert 2 == node.count("eth_getCode")


async def test_the_oldest_state_is_found_roughly(node: FakeNode, patient: Patient) -> None:
    """The fake keeps 128 blocks; the answer is on the safe side and near."""
    node.faults.archive = False
    found = await probe.oldest_state(patient, HEAD)
    assert HEAD - 128 <= found <= HEAD - 100
    assert node.count("eth_getCode") <= 16


async def test_a_young_chain_has_all_states(patient: Patient) -> None:
    assert 0 == await probe.oldest_state(patient, 0)


async def test_a_node_without_any_state_is_an_error(node: FakeNode, patient: Patient) -> None:
    node.faults.methods = ["eth_chainId"]
    with pytest.raises(RpcError, match="eth_getCode"):
        await probe.oldest_state(patient, HEAD)


async def test_a_busy_node_does_not_say_what_it_keeps(node: FakeNode, patient: Patient) -> None:
    node.faults = Faults(status=429, retry_after="30")
    with pytest.raises(RateLimited):
        await probe.has_state(patient, 1)


# -- ranges of logs --


@pytest.mark.parametrize(
    ("limit", "wording", "width"),
    [
        (None, "", HEAD + 1),
        (500, "block range is too wide", 500),
        (250, "block range is too wide", 200),
        (37, "eth_getLogs is limited to a {max} range", 37),
        (37, "block range is too wide", 20),
        (5, "block range is too wide", 5),
        (1, "block range is too wide", 1),
    ],
)
async def test_the_widest_range_is_found(
    node: FakeNode, patient: Patient, limit: int | None, wording: str, width: int
) -> None:
    """Exactly where the node names it, else within its half; never wider than it takes."""
    node.faults = Faults(max_range=limit, range_error=(-32000, wording))
    found = await probe.log_range(patient, HEAD)
    assert (width, limit is not None) == (found.width, bool(found.said))
    assert node.count("eth_getLogs") <= 8
    assert SECRET not in found.said


async def test_a_limit_that_is_named_is_not_believed(node: FakeNode, patient: Patient) -> None:
    """One provider names 10,000 blocks and takes 100."""
    node.faults = Faults(max_range=60, range_error=(-32000, "exceed maximum block range: 90"))
    found = await probe.log_range(patient, HEAD)
    assert (45, False) == (found.width, found.slow)
    assert "exceed maximum block range: 90" in found.said


async def test_a_node_without_logs_has_no_range(node: FakeNode, patient: Patient) -> None:
    node.faults.methods = ["eth_chainId"]
    found = await probe.log_range(patient, HEAD)
    assert 0 == found.width
    assert "does not exist" in found.said


async def test_the_search_for_a_range_ends_with_its_time(node: FakeNode, patient: Patient) -> None:
    found = await probe.log_range(patient, HEAD, until=patient.rate.now())
    assert (100, True, 1) == (found.width, found.slow, node.count("eth_getLogs"))


async def test_a_refusal_for_speed_ends_the_search(node: FakeNode, patient: Patient) -> None:
    """With what was known by then, if anything."""
    node.faults = Faults(status=429, retry_after="30")
    with pytest.raises(RateLimited):
        await probe.log_range(patient, HEAD)
    node.faults = Faults(requests_per_s=1, retry_after="30")
    async with opened(node, Clock()) as another:
        found = await probe.log_range(another, HEAD)
    assert (100, True, "eth_getLogs: Too Many Requests") == (found.width, found.slow, found.said)


async def test_a_refusal_for_speed_ends_the_reading(node: FakeNode, timeless: Patient) -> None:
    node.faults = Faults(requests_per_s=1, retry_after="30")
    found = await probe.recent_logs(timeless, HEAD, [], HEAD)
    assert (3, "") == (found.most, found.said)


# -- the newest logs --


async def test_logs_are_read_back_until_there_are_enough(node: FakeNode, patient: Patient) -> None:
    found = await probe.recent_logs(patient, HEAD, [], HEAD, enough=20)
    assert (48, 48, "") == (found.most, len(found.logs), found.said)
    assert 3 == node.count("eth_getLogs")


async def test_a_limit_on_results_is_told(node: FakeNode, patient: Patient) -> None:
    node.faults.max_results = 15
    found = await probe.recent_logs(patient, HEAD, [], HEAD)
    assert (12, 12) == (found.most, len(found.logs))
    assert "more than 15 results" in found.said


async def test_the_range_is_never_wider_than_is_taken(node: FakeNode, patient: Patient) -> None:
    node.faults.max_range = 10
    found = await probe.recent_logs(patient, HEAD, [], 10)
    assert (30, "") == (found.most, found.said)


async def test_where_any_contract_is_refused_ours_are_asked_for(
    node: FakeNode, patient: Patient
) -> None:
    node.faults = Faults(error=(-32602, "specify an address in your request"), times=1)
    found = await probe.recent_logs(patient, HEAD, [TOKEN], 4, enough=5)
    assert (12, [TOKEN]) == (found.most, node.requests[-1][1][0]["address"])
    node.faults = Faults(error=(-32602, "specify an address in your request"), times=1)
    assert [] == (await probe.recent_logs(patient, HEAD, [], 4)).logs


async def test_blank_answers_are_counted(node: FakeNode, patient: Patient) -> None:
    (known, *_) = await probe.any_logs(patient, HEAD, HEAD, [])
    assert 0 == await probe.blanks(patient, known)
    node.faults.blank_share = 1.0
    assert 4 == await probe.blanks(patient, known)


# -- speed --


async def test_a_burst_is_measured(node: FakeNode, patient: Patient) -> None:
    found = await probe.burst(patient, HEAD)
    assert (True, False, "", 40) == (found.per_second > 1, found.paced, found.said, node.posts)


async def test_our_own_care_may_be_the_limit(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public endpoint is asked 25 times a second, and no more often for our curiosity."""
    monkeypatch.setattr(line, "local", lambda url: False)
    async with opened(node, Clock()) as patient:
        found = await probe.burst(patient, HEAD)
    assert (True, "", 31) == (found.paced, found.said, round(found.per_second))


async def test_a_burst_ends_at_the_first_refusal(node: FakeNode, timeless: Patient) -> None:
    node.faults.requests_per_s = 5
    found = await probe.burst(timeless, HEAD)
    assert "Too Many Requests" in found.said
    assert not found.paced
    assert node.posts <= 40


async def test_other_failures_of_a_burst_are_errors(node: FakeNode, patient: Patient) -> None:
    node.faults.status = 503
    with pytest.raises(Unavailable):
        await probe.burst(patient, HEAD)


@pytest.mark.parametrize(
    "ask",
    [
        lambda patient: probe.has_state(patient, 1, NOBODY),
        probe.latency_s,
        Patient.client,
    ],
)
async def test_no_message_shows_the_url(
    node: FakeNode, patient: Patient, ask: Callable[[Patient], Awaitable[object]]
) -> None:
    node.faults = Faults(status=429, retry_after="30", body=f"slow down {SECRET}")
    with pytest.raises(RpcError) as caught:
        await ask(patient)
    assert SECRET not in str(caught.value)
    assert SECRET not in patient.words(caught.value)
