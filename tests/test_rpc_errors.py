"""What nodes and providers say, and which error it is; the advice in their words."""

import pytest

from appliance.errors import Retryable
from appliance.rpc.errors import (
    Missing,
    RangeTooWide,
    RateLimited,
    Rejected,
    RpcError,
    TooManyResults,
    Unavailable,
    classify,
)
from appliance.rpc.wordings import retry_after_s

RANGES: list[tuple[int, str, int | None, tuple[int, int] | None]] = [
    (-32600, "block range is too wide", None, None),
    (-32602, "Block range is too large", None, None),
    (-32012, "requested range too large", None, None),
    (
        -32600,
        (
            "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block"
            " range. Based on your parameters, this block range should work:"
            " [0x1180fca, 0x1180fd3]."
        ),
        10,
        (0x1180FCA, 0x1180FD3),
    ),
    (
        -32000,
        (
            "Query timeout exceeded. Consider reducing your block range. Based on your parameters,"
            " this block range should work: [0x5223c98, 0x5223e80]"
        ),
        None,
        (0x5223C98, 0x5223E80),
    ),
    (-32614, "eth_getLogs is limited to a 10,000 range", 10_000, None),
    (-32602, "eth_getLogs and eth_newFilter are limited to a 10,000 blocks range", 10_000, None),
    (-32602, "eth_getLogs is limited to 0 - 10000 blocks range", 10_000, None),
    (-32602, "eth_getLogs is limited to 1024 block range. Please check the docs", 1024, None),
    (-32701, "exceed maximum block range: 50000", 50_000, None),
    (-32000, "exceed maximum block range: 5000", 5000, None),
    (-32602, "query exceeds max block range 100000", 100_000, None),
    (-32602, "query block range exceeds server limit, narrow your filter: 5000", 5000, None),
    (-32000, "Invalid eth_getLogs request. Range too large. Max range: 800", 800, None),
    (-32047, "from-to range too large. Max range: 800", 800, None),
    (-32000, "block range too large (2000), maximum allowed is 1000 blocks", 1000, None),
    (-32000, "block range too large, range: 2001, max: 2000", 2000, None),
    (-32000, "The range is too wide, max is 2000 blocks", 2000, None),
    (-32000, "Maximum allowed number of requested blocks is 1000", 1000, None),
    (-32000, "requested too many blocks from 1 to 10000, maximum is set to 2048", 2048, None),
    (-32000, "maximum [from, to] blocks distance: 2000", 2000, None),
    (-32000, "query must be smaller than size 1024", 1024, None),
    (-32000, "max allowed of rounds in logs query is: 100", 100, None),
    (-32000, "Block range limit exceeded. See more details in our documentation", None, None),
    (35, "ranges over 10000 blocks are not supported on free plan", 10_000, None),
    (-32000, "please limit the query to at most 1000 blocks", 1000, None),
    (-32000, "Please limit your query to a smaller block range", None, None),
    (-32600, "You can make eth_getLogs requests with up to a 2K block range", 2000, None),
    (35, "plan", None, None),
]
RESULTS: list[tuple[int, str, tuple[int, int] | None]] = [
    (-32005, "query returned more than 10000 results", None),
    (
        -32005,
        "query returned more than 10000 results. Try with this block range [0x3E8, 0x7D0].",
        (1000, 2000),
    ),
    (
        -32602,
        "query exceeds max results 20000, retry with the range 6000000-6000509",
        (6_000_000, 6_000_509),
    ),
    (
        -32602,
        (
            "request exceeded max allowed range: query exceeds max results 2000,"
            " retry with the range 64862334-64862849"
        ),
        (64_862_334, 64_862_849),
    ),
    (-32005, "Too many logs requested. Max logs per response is 20000.", None),
    (-32000, "logs matched by query exceeds limit of 10000", None),
    (
        -32602,
        (
            "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block"
            " range and no limit on the response size, or you can request any block range with a"
            " cap of 10K logs in the response. Based on your parameters and the response size"
            " limit, this block range should work: [0xc5dc00, 0xc614a7]"
        ),
        (0xC5DC00, 0xC614A7),
    ),
    (-32000, "Response size is larger than 150MB limit.", None),
    (-32003, "response too large", None),
    (-32020, "backend response too large", None),
    (-32005, "limit exceeded", None),
    (0, "Request Entity Too Large: body too large", None),
]
RATES: list[tuple[int, str, float | None]] = [
    (-32090, "Too many requests, reason: call rate limit exhausted, retry in 10s", 10.0),
    (-32090, "Too many requests, reason: call rate limit exhausted, retry in 10m0s", 600.0),
    (429, "Your app has exceeded its compute units per second capacity.", None),
    (429, "Your app has exceeded its throughput limit", None),
    (-32005, "project ID request rate exceeded", None),
    (-32005, "daily request count exceeded, request rate limited", None),
    (-32007, "15/second request limit reached - reduce calls per second or upgrade", None),
    (-32016, "over rate limit", None),
    (-32005, "rate limit exceeded, try again in 5 seconds", 5.0),
    (-32097, "Rate limit reached", None),
    (-32029, "slow down", None),
    (-32000, "Monthly quota exceeded", None),
    (-32000, "You have exceeded your monthly credits", None),
    (-32000, "request was throttled. Please retry in 1.5 s", 1.5),
]
OTHERS: list[tuple[type[RpcError], int, str]] = [
    (Rejected, -32601, "the method eth_foo does not exist/is not available"),
    (Rejected, -32601, "Method not found"),
    (Rejected, -32602, "invalid argument 0: hex string without 0x prefix"),
    (Rejected, -32602, "exceed max addresses or topics per search position"),
    (Rejected, -32600, "Invalid Request"),
    (Rejected, -32700, "Parse error"),
    (Rejected, -32000, "execution reverted: no such pool"),
    (Rejected, 3, "execution reverted"),
    (Rejected, 31, "Batch of more than 3 requests are not allowed on free tier"),
    (Rejected, -32000, "this method is not supported"),
    (Missing, -32000, "unknown block"),
    (Missing, -32000, "header not found"),
    (Missing, -32000, "header for hash not found"),
    (Missing, -32001, "Requested block not found"),
    (Missing, -32000, "block 0xabc could not be found"),
    (Missing, -39001, "Unknown block"),
    (Missing, -39001, "no luck"),
    (Missing, -32602, "block range extends beyond current head block"),
    (Missing, -32602, "BlockOutOfRangeError: block height is 5 but requested was 999"),
    (Missing, -32000, "cannot query unfinalized data: block is after last accepted block"),
    (Missing, -32000, "missing trie node 01ab (path ) state 0x01 is not available"),
    (Missing, -32000, "required historical state unavailable (reexec=128)"),
    (Missing, 4444, "pruned history unavailable"),
    (Missing, -32000, "Archive, Debug and Trace requests are not available on this plan"),
    (Unavailable, -32603, "Internal error"),
    (Unavailable, -32603, "Internal JSON-RPC error."),
    (Unavailable, -32000, "temporary internal error. Please retry"),
    (Unavailable, -32011, "no backend is currently healthy to serve traffic"),
    (Unavailable, -32000, "context deadline exceeded"),
    (Unavailable, -32000, "request timed out"),
    (Unavailable, -32000, "Must be authenticated!"),
    (Unavailable, 30, "Request timeout on the free tier, please upgrade"),
    (Unavailable, -31000, "something nobody has ever said"),
]


@pytest.mark.parametrize(("code", "message", "width", "span"), RANGES)
def test_ranges_that_are_too_wide(
    code: int, message: str, width: int | None, span: tuple[int, int] | None
) -> None:
    error = classify(code, message)
    assert isinstance(error, RangeTooWide)
    assert (width, span) == (error.width, error.span)


@pytest.mark.parametrize(("code", "message", "span"), RESULTS)
def test_ranges_with_too_many_logs(code: int, message: str, span: tuple[int, int] | None) -> None:
    error = classify(code, message)
    assert isinstance(error, TooManyResults)
    assert span == error.span


@pytest.mark.parametrize(("code", "message", "wait_s"), RATES)
def test_rates_that_are_too_high(code: int, message: str, wait_s: float | None) -> None:
    error = classify(code, message)
    assert isinstance(error, RateLimited)
    assert wait_s == error.retry_after_s


@pytest.mark.parametrize(("kind", "code", "message"), OTHERS)
def test_everything_else(kind: type[RpcError], code: int, message: str) -> None:
    error = classify(code, message)
    assert kind is type(error)
    assert str(error).startswith(message)
    assert f"({code})" in str(error)


def test_every_error_is_one_to_try_again() -> None:
    for kind in (RangeTooWide, TooManyResults, RateLimited, Missing, Rejected):
        assert issubclass(kind, RpcError)
    assert issubclass(RpcError, Retryable)
    assert issubclass(Missing, Unavailable)


def test_the_reason_may_stand_in_the_data() -> None:
    """Some say "invalid params" and tell the rest there."""
    error = classify(-32602, "invalid params", "query exceeds max results 500")
    assert isinstance(error, TooManyResults)
    limits = {"rate": {"allowed_rps": 1, "backoff_seconds": 30, "current_rps": 1.13}}
    limited = classify(-32005, "project ID request rate exceeded", limits)
    assert isinstance(limited, RateLimited)
    assert limited.retry_after_s == 30.0


def test_what_a_reverted_call_returns_are_no_words() -> None:
    error = classify(3, "execution reverted", "0x08c379a0" + "00" * 500)
    assert str(error) == "execution reverted (3)"


@pytest.mark.parametrize(
    ("code", "message"),
    [(None, None), ("x", 7), (None, {"a": 1}), (-32000, ""), (True, []), (10**30, "?")],
)
def test_objects_of_any_shape_are_errors(code: object, message: object) -> None:
    error = classify(code, message)
    assert isinstance(error, RpcError)
    assert str(error)


def test_texts_are_short_and_printable() -> None:
    shown = str(classify(-32000, "a\r\n\x1b[2Jb\u2028" + "c" * 5000))
    assert shown.isprintable()
    assert len(shown) < 250


def test_ranges_that_run_backwards_are_no_advice() -> None:
    error = classify(-32005, "query returned more than 10 results. Try [0x10, 0x1]")
    assert isinstance(error, TooManyResults)
    assert error.span is None


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("retry in 1h2m3s", 3723.0),
        ("please wait 250ms", 0.25),
        ("retry-after: 7", 7.0),
        ("try again later", None),
        ("too many requests", None),
    ],
)
def test_times_to_wait(said: str, seconds: float | None) -> None:
    assert seconds == retry_after_s(said)
