import hmac
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from appliance.chain.log import Log
from appliance.web import webhooks
from tests.pushing import (
    OTHER,
    SECRET,
    Pushing,
    burst,
    expected,
    log_of,
    opened_at,
    pushing,
    stored,
    terms,
    vamm_terms,
)
from tests.web_server import Answer

NONE = {
    "accepted": 0,
    "duplicates": 0,
    "marks": 0,
    "ignored": 0,
    "followed": 0,
    "foreign": 0,
    "malformed": 0,
}
HEADERS = {"alchemy": "X-Alchemy-Signature", "generic": "X-Signature"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushing]:
    chains = [terms(vamm_terms(), chain_id=1)]
    with pushing(tmp_path_factory.mktemp("webhooks"), chains) as running:
        yield running


@pytest.fixture(autouse=True)
def no_commits(web: Pushing) -> None:
    web.commits.clear()


def signed(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, sha256).hexdigest()


def send(web: Pushing, provider: str, body: bytes, signature: str | None = None) -> Answer:
    """Send a body with its own signature, or another one."""
    header = {HEADERS[provider]: signed(body) if signature is None else signature}
    return web.ask(f"/api/webhooks/{provider}", "POST", body=body, **header)


def raw(log: Log, **changed: Any) -> dict[str, Any]:
    """Return a log as a node answers it."""
    return {
        "address": log.address,
        "topics": log.topics,
        "data": log.data,
        "blockNumber": hex(log.block_number),
        "blockHash": "0x" + "12" * 32,
        "blockTimestamp": hex(log.time_us // 10**6),
        "transactionHash": log.transaction_hash,
        "transactionIndex": "0x0",
        "logIndex": hex(log.log_index),
        "removed": False,
    } | changed


def graph(logs: list[Log], network: str = "ETH_MAINNET") -> bytes:
    """Return the body of a Custom Webhook about one block."""
    block = {
        "hash": "0x" + "12" * 32,
        "number": logs[0].block_number,
        "timestamp": logs[0].time_us // 10**6,
        "logs": [
            {
                "account": {"address": log.address},
                "topics": log.topics,
                "data": log.data,
                "index": log.log_index,
                "transaction": {"hash": log.transaction_hash},
            }
            for log in logs
        ],
    }
    event = {"data": {"block": block}, "sequenceNumber": "10000000000578619000", "network": network}
    return msgspec.json.encode({"webhookId": "wh_1", "type": "GRAPHQL", "event": event})


def generic(*logs: Any) -> bytes:
    return msgspec.json.encode(logs)


def test_a_burst_arrives_block_by_block(web: Pushing) -> None:
    """As the same rows that a follower would have stored; sent again, it changes nothing."""
    pushed = burst(15, seed=5)
    blocks: dict[int, list[Log]] = {}
    for each in pushed:
        blocks.setdefault(each["blockNumber"], []).append(log_of(each))
    for logs in blocks.values():
        assert 200 == send(web, "alchemy", graph(logs)).status
    assert expected(pushed).equals(stored(web.commits))
    web.commits.clear()
    again = send(web, "generic", generic(*(raw(log_of(each)) for each in pushed))).json
    assert ([], len(pushed), 0) == (
        web.commits,
        again["duplicates"] + again["marks"],
        again["accepted"],
    )


def test_what_is_not_stored_is_counted(web: Pushing) -> None:
    """Removed logs too: what a reorg replaced is known only to who follows the chain."""
    good = log_of(opened_at((300, 1), 300))
    logs = [
        raw(good),
        raw(good, logIndex="0x2", removed=True),
        raw(good, logIndex="0x3", address=OTHER),
        raw(good, logIndex="0x4", topics=["0x" + "dd" * 32]),
        raw(good, logIndex="0x5", data="0x12"),
    ]
    counts = NONE | {"accepted": 1, "ignored": 2, "foreign": 1, "malformed": 1}
    answer = send(web, "generic", generic(*logs))
    assert (200, counts) == (answer.status, answer.json)
    foreign = send(web, "alchemy", graph([good], "MATIC_MAINNET"))
    assert NONE | {"foreign": 1} == foreign.json


def test_transfers_of_address_activity_mean_nothing_here(web: Pushing) -> None:
    """They have no time; one that would mean something is refused, as it belongs to no candle."""
    log = raw(log_of(opened_at((301, 1), 301)))
    del log["blockTimestamp"]
    transfer = log | {"topics": ["0x" + "dd" * 32]}

    def body(activity: list[Any]) -> bytes:
        event = {"network": "ETH_MAINNET", "activity": activity}
        return msgspec.json.encode({"type": "ADDRESS_ACTIVITY", "event": event})

    sent = body([{"asset": "ETH"}, {"log": transfer}])
    assert NONE | {"ignored": 1} == send(web, "alchemy", sent).json
    answer = send(web, "alchemy", body([{"log": log}]))
    assert 400 == answer.status
    assert "logs[0].blockTimestamp must be given" in answer.json["error"]["message"]


@pytest.mark.parametrize("provider", ["alchemy", "generic"])
@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("", " must carry the body's signature, was none"),
        (signed(b"something else"), " must be the HMAC-SHA256 of the body by WEBHOOK_SECRET"),
        ("0" * 64, " must be the HMAC-SHA256 of the body by WEBHOOK_SECRET"),
        ("nonsense", " must be the HMAC-SHA256 of the body by WEBHOOK_SECRET"),
        ("é" * 64, " must be the HMAC-SHA256 of the body by WEBHOOK_SECRET"),
        (signed(b"", SECRET), " must be the HMAC-SHA256 of the body by WEBHOOK_SECRET"),
    ],
)
def test_unsigned_bodies_are_refused(
    web: Pushing, provider: str, signature: str, message: str
) -> None:
    """Nothing is stored of them, nor even read: this one is no JSON."""
    for body in (b"{", generic(raw(log_of(opened_at((302, 1), 302))))):
        answer = send(web, provider, body, signature)
        assert (401, "unauthorized", []) == (
            answer.status,
            answer.json["error"]["code"],
            web.commits,
        )
        assert answer.json["error"]["message"].startswith(HEADERS[provider].lower() + message)


def test_a_signature_of_another_secret_or_header_is_none(web: Pushing) -> None:
    body = generic(raw(log_of(opened_at((303, 1), 303))))
    assert 401 == send(web, "generic", body, signed(body, SECRET + "x")).status
    wrong = web.ask("/api/webhooks/alchemy", "POST", body=body, X_Signature=signed(body))
    assert 401 == wrong.status
    for spelling in (signed(body).upper(), f"sha256={signed(body)}", f" {signed(body)} "):
        assert 200 == send(web, "generic", body, spelling).status


def test_one_changed_byte_breaks_the_signature(web: Pushing) -> None:
    body = generic(raw(log_of(opened_at((304, 1), 304))))
    assert 401 == send(web, "generic", body.replace(b"0x130", b"0x131"), signed(body)).status
    assert [] == web.commits


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole digests, by the function that is made for it, also when the first digit differs."""
    compared: list[tuple[bytes, bytes]] = []

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    class Watched:
        new = staticmethod(hmac.new)
        compare_digest = staticmethod(watched)

    monkeypatch.setattr(webhooks, "hmac", Watched)
    right = signed(b"body")
    for sent in (right, "f" + right[1:], right[:-1] + "f", ""):
        assert (sent == right) is webhooks.is_signed(b"body", sent, SECRET)
    assert [(right.encode(), sent.encode()) for sent in (right, "f" + right[1:])] == compared[:2]
    assert 4 == len(compared)


def test_unknown_providers_are_told_the_known_ones(web: Pushing) -> None:
    answer = web.ask("/api/webhooks/moralis", "POST", body=b"{}")
    assert (404, "provider must be one of alchemy, generic, was 'moralis'") == (
        answer.status,
        answer.json["error"]["message"],
    )


@pytest.mark.parametrize(
    ("provider", "body", "message"),
    [
        ("alchemy", b"{", "body must be what the provider sends, was not"),
        ("generic", b"{", "body must be what the provider sends, was not"),
        ("generic", b"[{}]", "body must be a list of logs as eth_getLogs answers them, was not"),
    ],
)
def test_signed_nonsense_is_refused(web: Pushing, provider: str, body: bytes, message: str) -> None:
    answer = send(web, provider, body)
    assert 400 == answer.status
    assert answer.json["error"]["message"].startswith(message)


def test_bodies_are_limited_and_come_unpacked(web: Pushing) -> None:
    """Packed, a signature would be of other bytes than those that are read."""
    assert 413 == send(web, "generic", b" " * 200_001).status
    body = generic()
    header = {"X-Signature": signed(body), "Content-Encoding": "gzip"}
    answer = web.ask("/api/webhooks/generic", "POST", body=body, **header)
    assert (400, "Content-Encoding must be absent: the signature is of the body as sent") == (
        answer.status,
        answer.json["error"]["message"],
    )


def test_strangers_are_refused_before_their_body_is_read(web: Pushing) -> None:
    head = b"POST /api/webhooks/alchemy HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n"
    assert b" 401 " in web.raw(head).split(b"\r\n")[0]


@effort(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=80), st.sampled_from(["alchemy", "generic"]))
def test_no_body_breaks_the_route(web: Pushing, body: bytes, provider: str) -> None:
    assert send(web, provider, body).status in (200, 400)


WORDS = st.sampled_from(["", "0x", "0x1", "0x" + "ab" * 32, "é", "0xffffffffffffffffff", "x"])


@effort(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(
        st.sampled_from("address topics data blockNumber logIndex blockTimestamp".split()),
        WORDS | st.lists(WORDS, max_size=5) | st.none() | st.integers(0, 1 << 64),
        max_size=2,
    )
)
def test_no_log_breaks_the_route(web: Pushing, changed: dict[str, Any]) -> None:
    log = raw(log_of(opened_at((305, 1), 305)), **changed)
    assert send(web, "generic", generic(log)).status in (200, 400, 409)


def test_without_a_secret_the_routes_are_closed(
    tmp_path_factory: pytest.TempPathFactory, web: Pushing
) -> None:
    """By default, whatever is sent."""
    web.store.close()  # one process holds one store
    with pushing(tmp_path_factory.mktemp("closed"), webhook_secret="") as closed:
        for signature in ("", signed(b"{}", "")):
            answer = send(closed, "alchemy", b"{}", signature)
            assert (403, "forbidden") == (answer.status, answer.json["error"]["code"])
            assert answer.json["error"]["message"].startswith("WEBHOOK_SECRET must be set to open")
