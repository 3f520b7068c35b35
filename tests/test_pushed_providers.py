"""What providers send, in the forms that their manuals show."""

from typing import Any

import msgspec
import pytest

from appliance.errors import BadRequest
from appliance.pushed.providers import PROVIDERS, Delivery
from appliance.rpc.records import LogRecord
from tests.chain_logs import VAMM

TOPIC = "0x" + "ab" * 32
BLOCK_HASH = "0x" + "12" * 32
HASH = "0x" + "34" * 32
GRAPH_LOG: dict[str, Any] = {
    "account": {"address": VAMM.upper().replace("0X", "0x")},
    "topics": [TOPIC],
    "data": "0x01",
    "index": 3,
    "transaction": {"hash": HASH.upper().replace("0X", "0x"), "nonce": 1},
}
RAW_LOG: dict[str, Any] = {
    "address": VAMM,
    "topics": [TOPIC],
    "data": "0x01",
    "blockNumber": "0x10",
    "transactionHash": HASH,
    "transactionIndex": "0xa",
    "blockHash": BLOCK_HASH,
    "logIndex": "0x3",
    "removed": False,
}


def read(provider: str, body: Any) -> Delivery:
    return PROVIDERS[provider].read(msgspec.json.encode(body))


def graph(*logs: dict[str, Any], network: str = "ETH_MAINNET", **block: Any) -> dict[str, Any]:
    """Return the body of a Custom Webhook."""
    block = {"hash": BLOCK_HASH, "number": 16, "timestamp": 1_700_000_000} | block
    event = {"data": {"block": block | {"logs": logs}}, "sequenceNumber": "1", "network": network}
    return {
        "webhookId": "wh_octjglnywaupz6th",
        "id": "whevt_ogrc5v64myey69ux",
        "createdAt": "2023-11-14T22:13:24.000Z",
        "type": "GRAPHQL",
        "event": event,
    }


def activity(*items: Any, network: str = "MATIC_MAINNET") -> dict[str, Any]:
    """Return the body of an Address Activity webhook."""
    event = {"network": network, "activity": items}
    return {"webhookId": "wh", "id": "e", "type": "ADDRESS_ACTIVITY", "event": event}


def expected(time: int | None, block_hash: str, removed: bool = False) -> LogRecord:
    return LogRecord(VAMM, [TOPIC], "0x01", 16, block_hash, HASH, 3, time, removed)


@pytest.mark.parametrize(
    "block", [{}, {"number": "0x10", "timestamp": "0x6553f100"}, {"timestamp": "1700000000"}]
)
def test_a_custom_webhook(block: dict[str, Any]) -> None:
    wanted = Delivery([expected(1_700_000_000, "")], 1)
    assert wanted == read("alchemy", graph(GRAPH_LOG, **block))


def test_its_removed_logs_are_known() -> None:
    (log,) = read("alchemy", graph(GRAPH_LOG | {"removed": True})).logs
    assert log.removed


@pytest.mark.parametrize(
    ("network", "chain_id"), [("BASE_MAINNET", 8_453), ("MOON_MAINNET", None), ("", None)]
)
def test_its_network_is_the_chain(network: str, chain_id: int | None) -> None:
    """A network that is not known leaves it to the settings."""
    assert Delivery([], chain_id) == read("alchemy", graph(network=network))


@pytest.mark.parametrize("missing", ["index", "account", "transaction", "topics", "data"])
def test_a_query_that_asks_for_too_little_is_told_so(missing: str) -> None:
    log = {name: value for name, value in GRAPH_LOG.items() if name != missing}
    with pytest.raises(BadRequest) as refused:
        read("alchemy", graph(log))
    assert f"missing required field `{missing}` - at `event.data.block.logs[" in str(refused.value)
    assert "the webhook's query must ask for block { number timestamp logs" in str(refused.value)


def test_address_activity_brings_the_raw_logs_of_transfers() -> None:
    """Native ones have none; one log of several tokens comes several times."""
    body = activity({"asset": "ETH"}, {"log": RAW_LOG}, {"log": None}, {"log": RAW_LOG})
    assert Delivery([expected(None, BLOCK_HASH)], 137) == read("alchemy", body)


@pytest.mark.parametrize("body", [{"event": {}}, {"event": {"data": None, "network": "X"}}])
def test_an_event_of_neither_kind_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"event must have data .* or activity .*, had neither"):
        read("alchemy", body)


def test_logs_as_nodes_answer_them() -> None:
    timed = RAW_LOG | {"blockTimestamp": "0x6553f100", "removed": True}
    wanted = [expected(1_700_000_000, BLOCK_HASH, True), expected(None, BLOCK_HASH)]
    assert Delivery(wanted) == read("generic", [timed, RAW_LOG])
    for chain_id in (137, "137", "0x89"):
        body = {"chainId": chain_id, "logs": [timed, RAW_LOG]}
        assert Delivery(wanted, 137) == read("generic", body)
    assert Delivery(wanted) == read("generic", {"logs": [timed, RAW_LOG]})


@pytest.mark.parametrize(
    ("provider", "body", "message"),
    [
        ("alchemy", b"", "body must be what the provider sends, was not: Input data was truncated"),
        ("alchemy", b"[]", "body must be what the provider sends, was not: Expected `object`"),
        ("alchemy", b'{"event":{"data":5}}', "body must be what the provider sends, was not:"),
        ("alchemy", b'{"event":{"activity":[{"log":5}]}}', "event.activity must be a list of logs"),
        ("alchemy", b"\xff", "body must be what the provider sends, was not"),
        ("generic", b"5", "body must be a list of logs as eth_getLogs answers them, was not"),
        ("generic", b'[{"address":"0x"}]', "body must be a list of logs as eth_getLogs answers"),
        ("generic", b'{"logs":5}', "logs must be a list of logs as eth_getLogs answers them"),
        ("generic", b'{"chainId":"x","logs":[]}', "chainId must be a whole number"),
        ("generic", b'{"chainId":-1,"logs":[]}', "chainId must be from 0 to 2^63 - 1, was -1"),
        ("generic", b"[" * 100_000, "body must be a list of logs as eth_getLogs answers them"),
        ("alchemy", b'{"event":' * 50_000, "body must be what the provider sends, was not"),
    ],
)
def test_other_bodies_are_refused(provider: str, body: bytes, message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        PROVIDERS[provider].read(body)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("block", [{"number": "x"}, {"timestamp": -1}, {"number": 1 << 70}])
def test_numbers_of_a_block_are_checked(block: dict[str, Any]) -> None:
    (name,) = block
    with pytest.raises(BadRequest, match=rf"^event\.data\.block\.{name} must be "):
        read("alchemy", graph(GRAPH_LOG, **block))
