"""From HTTP to a result or an error, without a network."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.rpc import answer
from appliance.rpc.answer import Reply, retry_after_s
from appliance.rpc.errors import (
    Nonsense,
    RangeTooWide,
    RateLimited,
    Rejected,
    RpcError,
    TooManyResults,
    Unavailable,
)

NOW = 1_700_000_000.0


def single(body: bytes, status: int = 200, retry_after: str | None = None) -> Any:
    return answer.single(Reply(status, body, retry_after), 7, NOW, msgspec.json.decode)


def batch(body: bytes, status: int = 200) -> Any:
    return answer.batch(Reply(status, body), [7, 8, 9], NOW, msgspec.json.decode)


def test_a_result_with_the_id_of_the_question() -> None:
    assert single(b'{"jsonrpc":"2.0","id":7,"result":[1,{"a":2}]}') == [1, {"a": 2}]
    assert single(b' {"result":"0x1","id":"7","error":null}') == "0x1"
    assert single(b'{"id":7,"result":null}') is None
    assert single(b'{"id":7,"result":[]}') == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Nonsense, b'{"id":8,"result":1}'),
        (Nonsense, b'{"id":null,"result":1}'),
        (Nonsense, b'{"result":1}'),
        (Nonsense, b'{"id":7}'),
        (Nonsense, b'{"id":7,"error":{}}'),
        (Nonsense, b'[{"id":7,"result":1}]'),
        (Nonsense, b"7"),
        (Nonsense, b"null"),
        (Unavailable, b'{"id":7,"result":[1,'),
        (Unavailable, b'{"id":7,"result":1}}'),
        (Unavailable, b"<!doctype html>"),
        (Unavailable, b""),
        (Unavailable, b"\xff\xfe"),
        (Rejected, b'{"id":null,"error":{"code":-32601,"message":"Method not found"}}'),
        (Rejected, b'{"id":99,"result":1,"error":{"code":-32601,"message":"Method not found"}}'),
        (RateLimited, b'{"id":7,"error":"rate limit exceeded"}'),
        (RateLimited, b'{"code":429,"message":"too many requests"}'),
    ],
)
def test_everything_else_is_an_error(kind: type[RpcError], body: bytes) -> None:
    with pytest.raises(RpcError) as caught:
        single(body)
    assert kind is caught.type


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        (RateLimited, 429, b""),
        (RateLimited, 429, b"<html>"),
        (RateLimited, 429, b'{"error":{"code":-32601,"message":"Method not found"}}'),
        (RateLimited, 403, b"You have exceeded the rate limit"),
        (TooManyResults, 413, b"<html>"),
        (TooManyResults, 500, b'{"error":{"message":"query returned more than 10 results"}}'),
        (RangeTooWide, 400, b"block range is too wide"),
        (Rejected, 400, b"bad request"),
        (Rejected, 415, b""),
        (Unavailable, 403, b"<html>rate limit</html>"),
        (Unavailable, 408, b""),
        (Unavailable, 302, b""),
        (Unavailable, 520, b"<html>"),
        (Unavailable, 101, b""),
        (Unavailable, 503, b'{"id":7,"result":"0x1"}'),
    ],
)
def test_failed_requests_are_read_too(kind: type[RpcError], status: int, body: bytes) -> None:
    with pytest.raises(RpcError) as caught:
        single(body, status)
    assert kind is caught.type
    assert str(caught.value)


def test_the_header_is_better_than_the_words() -> None:
    body = b'{"error":{"message":"too many requests, retry in 10s"}}'
    for header, seconds in ((None, 10.0), ("3", 3.0), ("x", 10.0)):
        with pytest.raises(RateLimited) as caught:
            single(body, 429, header)
        assert seconds == caught.value.retry_after_s


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("Tue, 14 Nov 2023 22:14:00 GMT", 40.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("Tue, 14 Nov 2023", None),
        ("Tue, 99 Nov 2023 22:14:00 GMT", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert seconds == retry_after_s(header, NOW)


def test_a_batch_in_any_order() -> None:
    body = b'[{"id":9,"result":"c"},{"id":"7","result":"a"},{"id":8,"result":null}]'
    assert ["a", None, "c"] == batch(body)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Nonsense, b'[{"id":7,"result":1},{"id":8,"result":1}]'),
        (Nonsense, b'[{"id":7,"result":1},{"id":8,"result":1},{"id":8,"result":1}]'),
        (Nonsense, b'[{"id":7,"result":1},{"id":8,"result":1},{"id":9}]'),
        (Nonsense, b'{"id":7,"result":1}'),
        (Nonsense, b"[1,2,3]"),
        (Nonsense, b'"no"'),
        (Unavailable, b'[{"id":7,'),
        (Unavailable, b"<html>"),
        (RateLimited, b'[{"id":7,"result":1},{"id":8,"error":{"code":429,"message":""}}]'),
        (RateLimited, b'{"error":{"code":429,"message":"too many requests"}}'),
        (Rejected, b'{"error":{"code":-32603,"message":"cannot unmarshal array"}}'),
        (Rejected, b'{"error":{"code":-31000,"message":"?"}}'),
        (TooManyResults, b'[{"id":null,"error":{"code":-32003,"message":"response too large"}}]'),
    ],
)
def test_batches_that_are_not_whole(kind: type[RpcError], body: bytes) -> None:
    with pytest.raises(RpcError) as caught:
        batch(body)
    assert kind is caught.type


@given(st.binary(max_size=60), st.sampled_from([200, 400, 429, 500]))
def test_bytes_of_any_kind_are_an_error_of_ours(body: bytes, status: int) -> None:
    for read in (single, batch):
        with pytest.raises(RpcError, match=r"\S"):
            read(body, status)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["id", "result", "error", "message", "code", "x"]), inner),
                    max_leaves=8))  # fmt: skip
def test_json_of_any_shape_is_a_result_or_an_error_of_ours(value: Any) -> None:
    for read in (single, batch):
        with suppress(RpcError):
            read(msgspec.json.encode(value))


def test_an_answer_cut_anywhere_is_never_believed() -> None:
    whole = b'{"jsonrpc":"2.0","id":7,"result":[{"a":"0x1"},{"a":"0x2"}]}'
    for length in range(len(whole)):
        with pytest.raises(Unavailable):
            single(whole[:length])
