"""One endpoint against a node on a socket: typed answers, and faults by their kind."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

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
from appliance.rpc.records import Header, LogRecord
from tests.fake_answers import Faults
from tests.fake_chain import START_TIME, FakeChain, FakeLog
from tests.fake_rpc import SECRET, FakeNode

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20
SWAP = "0x" + "11" * 32
MINT = "0x" + "22" * 32


@pytest.fixture
def chain() -> FakeChain:
    """Return a chain of 11 blocks; 3, 4 and 7 have logs."""
    chain = FakeChain()
    chain.mine_empty(2)
    chain.mine([FakeLog(ALICE, [SWAP], "0x03"), FakeLog(BOB, [SWAP], "0x04")])
    chain.mine([FakeLog(ALICE, [MINT, SWAP], "0x05")])
    chain.mine_empty(2)
    chain.mine([FakeLog(ALICE, [SWAP, MINT], "0x06")])
    chain.mine_empty(3)
    return chain


@pytest.fixture
async def node(chain: FakeChain) -> AsyncIterator[FakeNode]:
    async with FakeNode(chain) as node:
        yield node


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def endpoint(node: FakeNode, metrics: Metrics) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(node.url, node.name, metrics, timeout_s=5)
    await endpoint.open()
    yield endpoint
    await endpoint.close()


async def test_headers_by_number_and_tag(chain: FakeChain, endpoint: Endpoint) -> None:
    block = chain.blocks[3]
    expected = Header(3, block.hash, block.parent_hash, START_TIME + 36, block.bloom)
    assert expected == await endpoint.header(3)
    latest = await endpoint.header("latest")
    assert latest is not None
    assert (10, chain.head.hash) == (latest.number, latest.hash)
    chain.finality = 4
    finalized = await endpoint.header("finalized")
    assert finalized is not None
    assert finalized.number == 6
    assert await endpoint.header(11) is None


async def test_the_head_is_the_newest_block_heard_of(
    chain: FakeChain, node: FakeNode, endpoint: Endpoint
) -> None:
    assert endpoint.head == 0
    await endpoint.header(4)
    assert endpoint.head == 4
    await endpoint.header("latest")
    await endpoint.header(4)
    assert endpoint.head == 10
    node.faults.behind = 2
    await endpoint.header("latest")
    assert endpoint.head == 8


async def test_a_node_without_the_word_finalized_has_none(
    node: FakeNode, endpoint: Endpoint
) -> None:
    node.faults.error = (-32602, "invalid argument 0: hex string without 0x prefix")
    assert await endpoint.header("finalized") is None
    with pytest.raises(Rejected):
        await endpoint.header("latest")
    with pytest.raises(Rejected):
        await endpoint.header(3)
    node.faults.error = (-39001, "Unknown block")
    assert await endpoint.header("finalized") is None


async def test_headers_in_batches_keep_their_order(node: FakeNode, endpoint: Endpoint) -> None:
    found = await endpoint.headers([7, 0, 3, 3])
    assert [7, 0, 3, 3] == [header.number for header in found]
    assert node.posts == 1
    assert await endpoint.headers([]) == []


@pytest.mark.parametrize("faults", [Faults(batches=False), Faults(max_batch=3)])
async def test_headers_where_batches_are_refused(
    node: FakeNode, endpoint: Endpoint, faults: Faults
) -> None:
    node.faults = faults
    assert list(range(11)) == [header.number for header in await endpoint.headers(range(11))]
    before = node.posts
    await endpoint.headers(range(3))
    assert node.posts - before == (3 if not faults.batches else 2)


async def test_a_batch_without_one_of_its_headers_is_missing(
    node: FakeNode, endpoint: Endpoint
) -> None:
    with pytest.raises(Missing, match="has no block 11"):
        await endpoint.headers([9, 10, 11])
    node.faults.batches = False
    with pytest.raises(Missing, match="has no block 11"):
        await endpoint.headers([9, 10, 11])


async def test_logs_of_a_range(chain: FakeChain, endpoint: Endpoint) -> None:
    block = chain.blocks[4]
    expected = LogRecord(
        ALICE, [MINT, SWAP], "0x05", 4, block.hash, block.transaction_hash(0), 0, block.time
    )
    assert [expected] == await endpoint.logs(4, 6, [], [])
    assert ["0x03", "0x05", "0x06"] == data(await endpoint.logs(0, 10, [ALICE], []))
    assert ["0x03", "0x04", "0x06"] == data(await endpoint.logs(0, 10, [], [SWAP]))
    assert ["0x03", "0x05"] == data(
        await endpoint.logs(0, 4, ["0x" + ALICE[2:].upper()], [SWAP, MINT])
    )
    assert await endpoint.logs(8, 10, [], []) == []


async def test_logs_of_a_block(chain: FakeChain, endpoint: Endpoint) -> None:
    assert ["0x03", "0x04"] == data(await endpoint.block_logs(chain.blocks[3].hash, [], []))
    assert ["0x04"] == data(await endpoint.block_logs(chain.blocks[3].hash, [BOB], [SWAP]))
    gone = chain.head.hash
    chain.reorg(1)
    with pytest.raises(Missing, match="unknown block"):
        await endpoint.block_logs(gone, [], [])


async def test_logs_without_the_time_of_their_block(node: FakeNode, endpoint: Endpoint) -> None:
    node.faults.block_time = False
    assert [None] == [log.block_time for log in await endpoint.logs(4, 4, [], [])]


async def test_views_and_code(chain: FakeChain, node: FakeNode, endpoint: Endpoint) -> None:
    chain.answer(ALICE, "0x95d89b41", "0x2a")
    assert await endpoint.eth_call(ALICE, "0x95d89b41") == "0x2a"
    with pytest.raises(Rejected, match="execution reverted"):
        await endpoint.eth_call(ALICE, "0x313ce567", 5)
    chain.deploy(ALICE, "0x6001", at=5)
    assert await endpoint.code(ALICE, 4) == "0x"
    assert await endpoint.code(ALICE, 5) == "0x6001"
    chain.mine_empty(200)
    node.faults.archive = False
    with pytest.raises(Missing, match="missing trie node"):
        await endpoint.code(ALICE, 5)


async def test_any_method_with_any_type(endpoint: Endpoint) -> None:
    assert await endpoint.call("web3_clientVersion", [], str) == "fake/1.0"
    assert await endpoint.chain_id() == 31337
    with pytest.raises(Nonsense, match="Expected `int`, got `str`"):
        await endpoint.call("web3_clientVersion", [], int)
    with pytest.raises(Rejected, match="does not exist"):
        await endpoint.call("eth_mistake", [], str)
    with pytest.raises(Nonsense, match="was null"):
        await endpoint.call("eth_getBlockByNumber", ["0xffff", False], dict)


HTML = "<html><body>Just a moment…</body></html>"
FAULTS: list[tuple[type[RpcError], str, Faults]] = [
    (Unavailable, "HTTP 503", Faults(status=503)),
    (Unavailable, "HTTP 500", Faults(status=500)),
    (Unavailable, "refuses the key", Faults(status=401)),
    (Unavailable, "refuses the key", Faults(status=403)),
    (Unavailable, "redirects elsewhere", Faults(status=301)),
    (Unavailable, "no JSON-RPC at this path", Faults(status=404)),
    (Unavailable, "not JSON", Faults(body=HTML)),
    (Unavailable, "is empty", Faults(body="")),
    (Unavailable, "cut off or damaged", Faults(truncated=True)),
    (Unavailable, "cut off", Faults(cut_off=True)),
    (Unavailable, "no answer in time", Faults(hang=True)),
    (Unavailable, "Internal error", Faults(error=(-32603, "Internal error"))),
    (Nonsense, "not a JSON-RPC answer", Faults(body="[1]")),
    (Nonsense, "neither a result nor an error", Faults(no_result=True)),
    (Nonsense, "the answer's id must be", Faults(body="{}")),
    (Nonsense, "the answer's id must be", Faults(wrong_id=True)),
    (RateLimited, "HTTP 429", Faults(status=429)),
    (RateLimited, "slow down", Faults(status=429, body='{"error":{"message":"slow down"}}')),
    (RateLimited, "rate limit", Faults(error=(-32000, "rate limit"))),
    (
        RateLimited,
        "Limit Exceeded",
        Faults(status=403, body='{"message":"Limit Exceeded: quota exceeded"}'),
    ),
    (RateLimited, "limit exceeded", Faults(error=(-32005, "limit exceeded"))),
    (
        RangeTooWide,
        "too wide",
        Faults(status=400, body='{"error":{"message":"block range is too wide"}}'),
    ),
    (RateLimited, "HTTP 413", Faults(status=413)),
    (Rejected, "HTTP 400", Faults(status=400)),
]
# "limit exceeded" and 413 for a small question are limits on how often; for logs see below.


@pytest.mark.parametrize(("kind", "words", "faults"), FAULTS)
async def test_faults_have_their_kind_and_name_the_endpoint(
    node: FakeNode, metrics: Metrics, kind: type[RpcError], words: str, faults: Faults
) -> None:
    node.faults = faults
    endpoint = Endpoint(node.url, node.name, metrics, timeout_s=0.3 if faults.hang else 10)
    await endpoint.open()
    try:
        with pytest.raises(RpcError, match=words) as caught:
            await (endpoint.logs(0, 9, [], []) if kind is RangeTooWide else endpoint.header(1))
    finally:
        await endpoint.close()
    assert kind is caught.type
    assert str(caught.value).startswith(f"{node.name}: eth_get")
    count = metrics.rpc_errors.labels(node.name, kind.__name__)._value.get()
    assert count == 1


async def test_nobody_listening(metrics: Metrics) -> None:
    async with FakeNode(FakeChain()) as node:
        url, name = node.url, node.name
    endpoint = Endpoint(url, name, metrics)
    await endpoint.open()
    with pytest.raises(Unavailable, match=r"cannot be reached \(Connect"):
        await endpoint.chain_id()
    await endpoint.close()
    await endpoint.close()


async def test_opening_again_does_nothing(node: FakeNode, endpoint: Endpoint) -> None:
    await endpoint.chain_id()
    await endpoint.open()
    await endpoint.chain_id()
    assert len(node.connections) == 1


async def test_an_endpoint_that_is_not_open_says_so(metrics: Metrics) -> None:
    with pytest.raises(RuntimeError, match=r"a: open\(\) comes first"):
        await Endpoint("http://a", "a", metrics).chain_id()


async def test_a_range_that_is_too_wide_comes_with_advice(
    node: FakeNode, endpoint: Endpoint
) -> None:
    node.faults.max_range = 4
    node.faults.range_error = (-32600, "up to a {max} block range; try [{from_hex}, {to_hex}]")
    with pytest.raises(RangeTooWide) as caught:
        await endpoint.logs(2, 10, [], [])
    assert (4, (2, 5)) == (caught.value.width, caught.value.span)


async def test_advice_that_leads_nowhere_is_dropped(node: FakeNode, endpoint: Endpoint) -> None:
    """One provider names 10,000 blocks and takes 100; following it would never end."""
    node.faults.max_range = 2
    node.faults.range_error = (35, "ranges over 10000 blocks are not supported, try [0x2, 0xff]")
    with pytest.raises(RangeTooWide) as caught:
        await endpoint.logs(2, 10, [], [])
    assert (None, None) == (caught.value.width, caught.value.span)


async def test_too_many_logs_come_with_advice(node: FakeNode, endpoint: Endpoint) -> None:
    node.faults.max_results = 2
    node.faults.results_error = (
        -32602,
        "query exceeds max results {max}, retry with the range {first}-{last}",
    )
    with pytest.raises(TooManyResults) as caught:
        await endpoint.logs(0, 10, [], [])
    assert caught.value.span == (0, 4)
    node.faults = Faults(status=413)
    with pytest.raises(TooManyResults, match="HTTP 413") as caught:
        await endpoint.logs(0, 10, [], [])
    assert caught.value.span is None


@pytest.mark.parametrize(
    ("faults", "ask"),
    [
        (Faults(null_logs=True), lambda e, c: e.logs(0, 9, [], [])),
        (Faults(unfiltered=True), lambda e, c: e.logs(0, 6, [], [])),
        (Faults(unfiltered=True), lambda e, c: e.logs(0, 10, [ALICE], [])),
        (Faults(unfiltered=True), lambda e, c: e.logs(0, 10, [], [SWAP])),
        (Faults(wrong_header=True), lambda e, c: e.header(4)),
        (Faults(wrong_header=True), lambda e, c: e.headers([4, 5])),
        (Faults(body='{"id":0,"result":null}'), lambda e, c: e.header("latest")),
        (Faults(body='{"id":0,"result":"many"}'), lambda e, c: e.chain_id()),
        (Faults(body='{"id":0,"result":"0x7a69"}'), lambda e, c: e.headers([1, 2])),
        (Faults(body='[{"id":0,"result":null}]'), lambda e, c: e.headers([1, 2])),
    ],
)
async def test_answers_that_do_not_fit_are_nonsense(
    chain: FakeChain,
    node: FakeNode,
    endpoint: Endpoint,
    faults: Faults,
    ask: Callable[[Endpoint, FakeChain], Awaitable[object]],
) -> None:
    node.faults = faults
    with pytest.raises(Nonsense):
        await ask(endpoint, chain)


async def test_logs_of_another_block_are_nonsense(
    chain: FakeChain, node: FakeNode, endpoint: Endpoint
) -> None:
    logs = await endpoint.logs(3, 3, [], [])
    assert logs
    other = {"blockNumber": "0x4", "blockHash": chain.blocks[4].hash, "transactionHash": SWAP}
    log = other | {"address": ALICE, "topics": [], "data": "0x", "logIndex": "0x0", "removed": True}
    node.faults.body = json.dumps({"id": 1, "result": [log]})
    with pytest.raises(Nonsense, match="logs must be of block"):
        await endpoint.block_logs(chain.blocks[3].hash, [], [])
    node.faults.body = json.dumps({"id": 2, "result": [log]})
    found = await endpoint.block_logs(chain.blocks[4].hash, [], [])
    assert [True] == [log.removed for log in found]


async def test_retry_after_is_kept(node: FakeNode, endpoint: Endpoint) -> None:
    node.faults = Faults(status=429, retry_after="7")
    with pytest.raises(RateLimited) as caught:
        await endpoint.chain_id()
    assert caught.value.retry_after_s == 7.0
    assert 2 < endpoint.rate.held_s <= 7


async def test_retry_after_may_be_a_date(node: FakeNode, endpoint: Endpoint) -> None:
    until = datetime.now(UTC) + timedelta(seconds=3600)
    node.faults = Faults(status=429, retry_after=format_datetime(until, usegmt=True))
    with pytest.raises(RateLimited) as caught:
        await endpoint.chain_id()
    assert caught.value.retry_after_s is not None
    assert 3500 < caught.value.retry_after_s <= 3600
    assert 50 < endpoint.rate.held_s <= 60


async def test_connections_are_kept(node: FakeNode, endpoint: Endpoint) -> None:
    for _ in range(5):
        await endpoint.header("latest")
    assert len(node.connections) == 1
    await asyncio.gather(*(endpoint.header("latest") for _ in range(100)))
    assert len(node.connections) <= 32


async def test_a_connection_that_was_closed_meanwhile_is_made_again(
    node: FakeNode, endpoint: Endpoint
) -> None:
    assert await endpoint.chain_id() == 31337
    await node.stop()
    await node.start()
    assert await endpoint.chain_id() == 31337


async def test_large_answers_leave_the_loop_free(chain: FakeChain, endpoint: Endpoint) -> None:
    chain.mine([FakeLog(ALICE, [SWAP, MINT], "0x" + "33" * 160)] * 5000)
    threads: set[str] = set()
    read = asyncio.to_thread

    async def noticed(*arguments: object) -> object:
        threads.add("used")
        return await read(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("appliance.rpc.line.asyncio.to_thread", noticed)
        assert len(await endpoint.logs(11, 11, [ALICE], [SWAP])) == 5000
    assert threads == {"used"}


async def test_an_answer_too_large_for_memory_is_not_read_on(
    chain: FakeChain, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.mine([FakeLog(ALICE, [SWAP], "0x" + "33" * 4000)] * 400)
    monkeypatch.setattr("appliance.rpc.provider._MOST_BYTES", 1024 * 1024)
    with pytest.raises(TooManyResults, match="larger than 1 MiB"):
        await endpoint.logs(11, 11, [], [])
    assert len(await endpoint.logs(3, 3, [], [])) == 2


async def test_cancelled_questions_leave_nothing_behind(node: FakeNode, endpoint: Endpoint) -> None:
    node.faults.hang = True
    asked = [asyncio.create_task(endpoint.header(i)) for i in range(50)]
    await node.asked(32)
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    node.faults.hang = False
    assert await endpoint.chain_id() == 31337
    assert endpoint.rate.load == 0.0


async def test_requests_are_counted_and_timed(endpoint: Endpoint, metrics: Metrics) -> None:
    await endpoint.headers([1, 2, 3])
    await endpoint.logs(0, 10, [], [])
    text = metrics.text().decode()
    name = endpoint.name
    for line in (
        f'appliance_rpc_requests_total{{endpoint="{name}",method="eth_getBlockByNumber"}} 3.0',
        f'appliance_rpc_requests_total{{endpoint="{name}",method="eth_getLogs"}} 1.0',
        f'appliance_rpc_request_seconds_count{{endpoint="{name}",method="eth_getLogs"}} 1.0',
    ):
        assert line in text.splitlines()
    assert 0 < endpoint.latency_s < 1


async def test_keys_show_nowhere(
    node: FakeNode, endpoint: Endpoint, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even where the provider says them, or a library logs everything."""
    caplog.set_level(logging.DEBUG)
    shown = [repr(endpoint)]
    for faults in (
        Faults(error=(-32000, f"Invalid API key: {SECRET.lower()}")),
        Faults(status=401),
        Faults(hang=True),
        Faults(cut_off=True),
        Faults(),
    ):
        node.faults = faults
        try:
            async with asyncio.timeout(0.2 if faults.hang else 10):
                await endpoint.header("latest")
        except (RpcError, TimeoutError) as error:
            shown.append(f"{error!r} {error.__cause__!r}")
    await node.stop()
    with pytest.raises(Unavailable) as caught:
        await endpoint.header("latest")
    shown += [str(caught.value), metrics.text().decode(), caplog.text]
    assert "key: ***" in shown[1]
    assert SECRET.lower() not in "".join(shown).lower()


async def test_web3_itself_can_use_the_provider(node: FakeNode) -> None:
    from web3 import AsyncWeb3

    from appliance.rpc.provider import Provider

    provider = Provider(node.url, 5, 4)
    assert SECRET not in str(provider)
    assert await AsyncWeb3(provider).eth.chain_id == 31337
    await provider.disconnect()


def data(logs: list[LogRecord]) -> list[str]:
    return [log.data for log in logs]
