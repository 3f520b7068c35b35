"""Several endpoints as one that does not fail: fail-over, heads, chains, rests, and the errors."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from appliance.errors import ConfigError
from appliance.metrics import Metrics
from appliance.rpc.endpoint import Endpoint
from appliance.rpc.errors import (
    Missing,
    Nonsense,
    RangeTooWide,
    RateLimited,
    Rejected,
    RpcError,
    TooManyResults,
    Unavailable,
)
from appliance.rpc.pool import Pool, agreed
from appliance.rpc.records import Header
from tests.fake_answers import Faults
from tests.fake_chain import FakeChain, FakeLog
from tests.fake_rpc import SECRET, FakeNode
from tests.rpc_clock import Clock

ALICE = "0x" + "a1" * 20
HTML = "<html>sorry</html>"


class Bed:
    """Nodes of one chain of ten blocks, a pool over them, and the time they live in."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.chain = FakeChain()
        for number in range(1, 11):
            self.chain.mine([FakeLog(ALICE, [], hex(number))])
        self.clock = Clock()
        self.metrics = Metrics()
        self.nodes: list[FakeNode] = []
        self._stack = stack

    async def pool(self, *faults: Faults, retries: int = 3, timeout_s: float = 5.0) -> Pool:
        """Return an open pool over one node for each of `faults`."""
        for each in faults:
            self.nodes.append(await self._stack.enter_async_context(FakeNode(self.chain, each)))
        pool = Pool(
            [node.url for node in self.nodes],
            metrics=self.metrics,
            timeout_s=timeout_s,
            retries=retries,
            waiting=self.clock.waiting(),
        )
        self._stack.push_async_callback(pool.close)
        await pool.open()
        return pool


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    async with AsyncExitStack() as stack:
        yield Bed(stack)


async def count_logs(endpoint: Endpoint) -> int:
    return len(await endpoint.logs(0, 10, [ALICE], []))


async def name(endpoint: Endpoint) -> str:
    await endpoint.header(1)
    return endpoint.name


def always(answer: str) -> Callable[[Endpoint], Awaitable[str]]:
    async def work(_: Endpoint) -> str:
        return answer

    return work


@pytest.mark.parametrize(
    "faults",
    [
        Faults(status=429),
        Faults(status=429, retry_after="30"),
        Faults(status=503),
        Faults(body=HTML),
        Faults(truncated=True),
        Faults(cut_off=True),
        Faults(wrong_id=True),
        Faults(no_result=True),
        Faults(null_logs=True),
        Faults(error=(-32603, "Internal error")),
        Faults(error=(-32005, "rate limit exceeded")),
    ],
)
async def test_the_next_does_what_the_first_cannot(bed: Bed, faults: Faults) -> None:
    pool = await bed.pool(faults, Faults())
    for _ in range(3):
        assert await pool.run(count_logs) == 10
    assert bed.clock.slept == []


async def test_a_silent_node_is_left_after_its_time(bed: Bed) -> None:
    pool = await bed.pool(Faults(), Faults(), timeout_s=1.0)
    await pool.chain_id()
    bed.nodes[0].faults.hang = True
    assert await pool.run(count_logs) == 10
    assert "no answer in time" in pool.states()[0].reason


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        (Faults(max_range=5), RangeTooWide),
        (Faults(max_results=5), TooManyResults),
        (Faults(methods=["eth_chainId"]), Rejected),
    ],
)
async def test_what_another_question_helps_is_raised_at_once(
    bed: Bed, faults: Faults, kind: type[RpcError]
) -> None:
    pool = await bed.pool(faults, Faults())
    with pytest.raises(kind):
        await pool.run(count_logs)
    assert bed.nodes[1].count("eth_getLogs") == 0
    assert bed.clock.slept == []


async def test_other_errors_are_the_works_own(bed: Bed) -> None:
    pool = await bed.pool(Faults(), Faults())

    async def work(endpoint: Endpoint) -> None:
        raise ValueError(endpoint.name)

    with pytest.raises(ValueError, match=bed.nodes[0].name):
        await pool.run(work)


async def test_all_failing_is_tried_again_and_then_told(bed: Bed) -> None:
    pool = await bed.pool(Faults(), Faults(), retries=2)
    await pool.chain_id()
    bed.nodes[0].faults.status = 503
    bed.nodes[1].faults.body = HTML
    with pytest.raises(Unavailable) as caught:
        await pool.run(count_logs)
    assert [0.5, 1.0] == bed.clock.slept
    first, second = (node.name for node in bed.nodes)
    said = f"{first}: eth_chainId: does not answer (HTTP 503); {second}: eth_chainId: the answer"
    assert str(caught.value) == f"{said} is not JSON"
    assert [4, 4] == [node.posts for node in bed.nodes]


async def test_a_passing_fault_is_not_seen(bed: Bed) -> None:
    pool = await bed.pool(Faults(status=503, times=3))
    assert await pool.run(count_logs) == 10


async def test_a_limited_endpoint_is_waited_for_as_long_as_it_asks(bed: Bed) -> None:
    pool = await bed.pool(Faults())
    await pool.chain_id()
    bed.nodes[0].faults = Faults(status=429, retry_after="17", times=1)
    assert await pool.run(count_logs) == 10
    assert [17.0] == bed.clock.slept


async def test_a_limited_endpoint_is_not_asked_before_its_time(bed: Bed) -> None:
    pool = await bed.pool(Faults(), retries=1)
    await pool.chain_id()
    bed.nodes[0].faults = Faults(status=429, retry_after="3600")
    with pytest.raises(RateLimited):
        await pool.run(count_logs)
    assert [60.0] == bed.clock.slept
    posts = bed.nodes[0].posts
    with pytest.raises(RateLimited, match="HTTP 429") as caught:
        await pool.run(count_logs)
    assert caught.value.retry_after_s
    assert bed.nodes[0].posts == posts + 1


async def test_a_node_that_is_behind_is_not_asked_for_blocks_it_lacks(bed: Bed) -> None:
    """It would answer that there are no logs."""
    pool = await bed.pool(Faults(behind=3), Faults())
    assert await pool.run(name) == bed.nodes[0].name
    for height in (8, 9, 10):
        assert await pool.run(count_logs, height=height) == 10
    assert bed.nodes[0].count("eth_getLogs") == 0
    bed.nodes[0].faults.behind = 0
    assert await pool.run(name, height=10) == bed.nodes[0].name


async def test_a_block_nobody_has_is_missing(bed: Bed) -> None:
    pool = await bed.pool(Faults(behind=3), Faults(), retries=1)
    with pytest.raises(
        Missing, match=r"is at block 7, 11 was asked for; .* is at block 10, 11 was"
    ):
        await pool.run(count_logs, height=11)
    assert {"ok"} == {state.state for state in pool.states()}
    bed.chain.mine()
    assert await pool.run(count_logs, height=11) == 10


async def test_a_block_one_node_lacks_is_asked_of_the_next(bed: Bed) -> None:
    pool = await bed.pool(Faults(behind=1), Faults())
    head = bed.chain.head.hash
    logs = await pool.run(lambda endpoint: endpoint.block_logs(head, [], []))
    assert len(logs) == 1
    assert {"ok"} == {state.state for state in pool.states()}


async def test_avoided_endpoints_come_last(bed: Bed) -> None:
    pool = await bed.pool(Faults(), Faults())
    first, second = pool.endpoints
    assert await pool.run(name, avoid={first}) == second.name
    assert await pool.run(name, avoid=[second]) == first.name
    bed.nodes[1].faults.status = 503
    assert await pool.run(name, avoid={first}) == first.name


async def test_the_quicker_one_is_chosen(bed: Bed) -> None:
    pool = await bed.pool(Faults(), Faults())
    first, second = pool.endpoints
    first._line.latency_s, second._line.latency_s = 0.5, 0.1
    bed.clock.now += 1
    assert await pool.run(name) == second.name


async def test_a_node_that_was_down_comes_back(bed: Bed, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "appliance.rpc")
    pool = await bed.pool(Faults(), Faults())
    assert await pool.run(name) == bed.nodes[0].name
    await bed.nodes[0].stop()
    for _ in range(5):
        assert await pool.run(name) == bed.nodes[1].name
    assert ["resting", "ok"] == [state.state for state in pool.states()]
    assert "cannot be reached" in pool.states()[0].reason
    await bed.nodes[0].start()
    assert await pool.run(name) == bed.nodes[1].name  # it rests for a second
    bed.clock.now += 1
    pool.endpoints[0]._line.latency_s = 0.0
    assert await pool.run(name) == bed.nodes[0].name
    assert ["ok", "ok"] == [state.state for state in pool.states()]
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "cannot be reached" in messages[0]
    assert messages[1] == f"{bed.nodes[0].name} answers again"


async def test_rests_grow_up_to_a_minute(bed: Bed) -> None:
    pool = await bed.pool(Faults(status=503), Faults())
    member = pool._members[0]
    rests = []
    for _ in range(9):
        await pool.run(name, avoid=pool.endpoints[1:])
        rests.append(member._rests_until - bed.clock.now)
        bed.clock.now = member._rests_until
    assert [1, 2, 4, 8, 16, 32, 60, 60, 60] == rests


async def test_resting_endpoints_are_better_than_none(bed: Bed) -> None:
    pool = await bed.pool(Faults(status=503, times=1))
    assert await pool.chain_id() == 31337
    bed.nodes[0].faults = Faults(status=503, times=1)
    assert await pool.run(name) == bed.nodes[0].name


async def test_the_head_is_the_newest_header(bed: Bed) -> None:
    pool = await bed.pool(Faults(), Faults(), Faults(behind=1))
    header = await pool.head()
    assert (10, bed.chain.head.hash) == (header.number, header.hash)
    assert [10, 10, 9] == [endpoint.head for endpoint in pool.endpoints]
    assert all(node.count("eth_getBlockByNumber") == 1 for node in bed.nodes)


async def test_one_node_far_ahead_is_not_followed(bed: Bed) -> None:
    pool = await bed.pool(Faults(behind=4), Faults(behind=4), Faults())
    assert (await pool.head()).number == 6


async def test_nodes_far_behind_are_told_so(bed: Bed) -> None:
    bed.chain.mine_empty(20)
    pool = await bed.pool(Faults(behind=15), Faults())
    assert (await pool.head()).number == 30
    states = pool.states()
    assert ["behind", "ok"] == [state.state for state in states]
    assert states[0].reason == f"{bed.nodes[0].name}: is 15 blocks behind"
    assert (15, 30) == (states[0].head, states[1].head)


async def test_the_head_comes_without_the_node_that_hangs(bed: Bed) -> None:
    """And that node is not asked again before its first answer or time-out."""
    pool = await bed.pool(Faults(), Faults())
    await pool.chain_id()
    pool._heads._patience_s = 0.05
    bed.nodes[0].faults.hang = True
    for _ in range(3):
        assert (await pool.head()).number == 10
    assert bed.nodes[0].count("eth_getBlockByNumber") == 1


async def test_the_head_is_asked_again_when_nobody_answers(bed: Bed) -> None:
    pool = await bed.pool(Faults(), Faults(), retries=1)
    await pool.chain_id()
    for node in bed.nodes:
        node.faults = Faults(status=503, times=1)
    assert (await pool.head()).number == 10
    for node in bed.nodes:
        node.faults = Faults(status=503)
    with pytest.raises(Unavailable, match=r"HTTP 503.*; .*HTTP 503"):
        await pool.head()


def test_heads_are_agreed_on_by_half() -> None:
    def header(number: int, mark: str = "a") -> Header:
        return Header(number, mark, "", 0)

    assert agreed([header(5)]).number == 5
    assert agreed([header(5), header(9)]).number == 9
    assert agreed([header(5), header(9), header(7)]).number == 7
    assert agreed([header(9), header(9), header(1), header(1)]).number == 9
    assert agreed([header(5), header(5, "b"), header(5, "b")]).hash == "b"
    assert agreed([header(5, "b"), header(5)]).hash == "b"


async def test_a_node_on_another_chain_is_out(bed: Bed, caplog: pytest.LogCaptureFixture) -> None:
    pool = await bed.pool(Faults(chain_id=1), Faults(), Faults())
    assert await pool.chain_id() == 31337
    assert await pool.chain_id() == 31337
    for _ in range(3):
        assert await pool.run(name) != bed.nodes[0].name
        await pool.head()
    pool._members[0].put_out(31337)
    state = pool.states()[0]
    reason = f"{bed.nodes[0].name}: is on chain 1, not 31337"
    assert ("out", reason) == (state.state, state.reason)
    assert [f"{reason}; it is not used"] == [record.getMessage() for record in caplog.records]
    assert {"eth_chainId"} == {method for method, _ in bed.nodes[0].requests}


async def test_of_two_the_first_decides_the_chain(bed: Bed) -> None:
    pool = await bed.pool(Faults(chain_id=1), Faults())
    assert await pool.chain_id() == 1
    assert ["ok", "out"] == [state.state for state in pool.states()]


async def test_a_node_that_comes_late_is_checked_before_it_is_used(bed: Bed) -> None:
    """It was down at the start, and is on another chain."""
    pool = await bed.pool(Faults(), Faults(status=503), retries=1)
    assert await pool.chain_id() == 31337
    bed.nodes[1].faults = Faults(chain_id=1)
    bed.nodes[0].faults = Faults(status=503)
    with pytest.raises(RpcError, match="is on chain 1, not 31337"):
        await pool.run(count_logs)
    assert bed.nodes[1].count("eth_getLogs") == 0
    assert pool.states()[1].state == "out"


async def test_a_node_that_failed_is_checked_again(bed: Bed) -> None:
    """Behind the same URL there may be another chain now."""
    pool = await bed.pool(Faults(), retries=2)
    await pool.run(count_logs)
    bed.nodes[0].faults = Faults(status=503, times=1, chain_id=1)
    with pytest.raises(Nonsense, match="is on chain 1, not 31337"):
        await pool.run(count_logs)
    with pytest.raises(Nonsense, match="is on chain 1"):
        await pool.head()


async def test_the_chain_is_asked_once_by_many(bed: Bed) -> None:
    pool = await bed.pool(Faults(latency_s=0.01))
    await asyncio.gather(*(pool.run(name) for _ in range(20)), *(pool.head() for _ in range(5)))
    assert bed.nodes[0].count("eth_chainId") == 1
    assert bed.nodes[0].count("eth_getBlockByNumber") == 21


async def test_parallel_failures_are_one(bed: Bed) -> None:
    pool = await bed.pool(Faults(), Faults())
    await pool.chain_id()
    bed.nodes[0].faults.status = 503
    await asyncio.gather(*(pool.run(name) for _ in range(20)))
    assert pool._members[0]._rests_until == bed.clock.now + 1


async def test_work_that_is_cancelled_leaves_the_pool_well(bed: Bed) -> None:
    pool = await bed.pool(Faults())
    await pool.chain_id()
    bed.nodes[0].faults.hang = True
    posts = bed.nodes[0].posts
    tasks = [asyncio.create_task(pool.run(name)), asyncio.create_task(pool.head())]
    await bed.nodes[0].asked(posts + 2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    bed.nodes[0].faults.hang = False
    assert await pool.run(name) == bed.nodes[0].name
    await pool.close()
    await pool.close()


async def test_states_tell_of_limits(bed: Bed) -> None:
    pool = await bed.pool(Faults(), Faults())
    assert ["unknown", "unknown"] == [state.state for state in pool.states()]
    await pool.chain_id()
    bed.nodes[0].faults = Faults(status=429, retry_after="9")
    await pool.run(name)
    states = pool.states()
    assert ["limited", "ok"] == [state.state for state in states]
    assert "HTTP 429" in states[0].reason
    assert states[0].rate < 10_000 == states[1].rate
    assert SECRET not in repr(states)


async def test_two_keys_of_one_host_have_two_names(bed: Bed) -> None:
    urls = [f"https://rpc.example.com/{SECRET}", f"https://rpc.example.com/other{SECRET}"]
    pool = Pool(urls, metrics=bed.metrics)
    names = [endpoint.name for endpoint in pool.endpoints]
    assert names == ["rpc.example.com", "rpc.example.com#2"]
    with pytest.raises(ConfigError, match="endpoint URL 1 must begin with http"):
        Pool([f"wss://rpc.example.com/{SECRET}"], metrics=bed.metrics)


async def test_many_faults_at_once_lose_nothing(bed: Bed) -> None:
    """Every piece of work is done whole by a node that has the block, or not at all."""
    pool = await bed.pool(
        Faults(requests_per_s=40),
        Faults(status=503, times=7),
        Faults(truncated=True, times=9),
        Faults(behind=1),
        Faults(chain_id=5),
        Faults(),
        retries=5,
    )
    found = await asyncio.gather(*(pool.run(count_logs, height=10) for _ in range(100)))
    assert [10] * 100 == found
    assert bed.nodes[3].count("eth_getLogs") == bed.nodes[4].count("eth_getLogs") == 0
