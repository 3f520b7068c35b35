"""Headers and logs out of JSON: exact, fast, and nothing of the wrong shape."""

import json
import time
from typing import Any

import msgspec
import pytest

from appliance.rpc.records import Header, LogRecord, read_header, read_logs

HASH = "0x" + "Ab" * 32
OTHER = "0x" + "11" * 32
ADDRESS = "0x" + "Cd" * 20
HEADER: dict[str, Any] = {
    "number": "0x112a880",
    "hash": HASH,
    "parentHash": OTHER,
    "timestamp": "0x6553f100",
    "logsBloom": "0x" + "00" * 255 + "01",
    "transactions": [],
}
LOG: dict[str, Any] = {
    "address": ADDRESS,
    "topics": [OTHER],
    "data": "0x01",
    "blockNumber": "0x112a880",
    "blockHash": HASH,
    "transactionHash": HASH,
    "transactionIndex": "0x0",
    "logIndex": "0x1f",
    "blockTimestamp": "0x6553f100",
    "removed": False,
}
RECORD = LogRecord(
    ADDRESS.lower(),
    [OTHER],
    "0x01",
    18_000_000,
    HASH.lower(),
    HASH.lower(),
    31,
    1_700_000_000,
)


def raw(value: object) -> bytes:
    return json.dumps(value).encode()


def test_a_header() -> None:
    bloom = bytes(255) + b"\x01"
    expected = Header(18_000_000, HASH.lower(), OTHER, 1_700_000_000, bloom)
    assert expected == read_header(raw(HEADER))


@pytest.mark.parametrize("absent", [{}, {"logsBloom": None}, {"logsBloom": "0x"}])
def test_a_header_may_lack_its_bloom(absent: dict[str, Any]) -> None:
    plain = {key: value for key, value in HEADER.items() if key != "logsBloom"}
    assert read_header(raw(plain | absent)).bloom == b""


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": None},
        {"number": 5},
        {"number": "five"},
        {"hash": "0x12"},
        {"hash": None},
        {"timestamp": ""},
        {"logsBloom": "0x00"},
        {"logsBloom": "0xzz"},
    ],
)
def test_headers_of_another_shape_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((msgspec.ValidationError, ValueError)):
        read_header(raw(HEADER | wrong))


def test_logs_keep_their_order() -> None:
    second = LOG | {"logIndex": "0x0", "removed": True, "topics": []}
    found = read_logs(raw([LOG, second]))
    assert [RECORD, msgspec.structs.replace(RECORD, log_index=0, removed=True, topics=[])] == found
    assert read_logs(b"[]") == []


@pytest.mark.parametrize(
    "absent", [{}, {"blockTimestamp": None}, {"blockTimestamp": "0x0"}, {"blockTimestamp": "0x00"}]
)
def test_a_log_may_lack_the_time_of_its_block(absent: dict[str, Any]) -> None:
    plain = {key: value for key, value in LOG.items() if key != "blockTimestamp"}
    assert [None] == [log.block_time for log in read_logs(raw([plain | absent]))]


def test_removed_may_be_absent() -> None:
    plain = {key: value for key, value in LOG.items() if key != "removed"}
    assert [RECORD] == read_logs(raw([plain]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"blockNumber": None},  # pending
        {"logIndex": None},
        {"blockHash": None},
        {"address": "0x12"},
        {"topics": ["0x12"]},
        {"topics": None},
        {"data": None},
        {"logIndex": "x"},
        {"blockTimestamp": "soon"},
    ],
)
def test_logs_of_another_shape_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((msgspec.ValidationError, ValueError)):
        read_logs(raw([LOG, LOG | wrong]))


def test_logs_are_read_fast() -> None:
    """At some 400,000 a second on a quiet machine; this margin is for a busy one."""
    many = raw([LOG | {"topics": [OTHER] * 3, "data": "0x" + "22" * 160}] * 5000)
    best = min(_time(many) for _ in range(5))
    assert best < 5000 / 100_000


def _time(many: bytes) -> float:
    began = time.thread_time()
    assert len(read_logs(many)) == 5000
    return time.thread_time() - began
