from collections.abc import Iterator

import pytest
from sanic.compat import Header
from sanic.exceptions import RequestTimeout, SanicException, ServerError, ServiceUnavailable

from appliance.errors import ConfigError
from appliance.web.answers import Failure, describe, dialect
from appliance.web.request import Request
from tests.web_server import Web, serving

CONFIG = "/api/tradingview/config"


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


def test_the_same_answer_is_not_sent_twice(web: Web) -> None:
    """A matching entity tag brings 304 without a body, but with the headers browsers need."""
    first = web.ask(CONFIG)
    again = web.ask(CONFIG, If_None_Match=first.headers["etag"])
    assert (304, b"") == (again.status, again.body)
    for header in ("etag", "cache-control", "access-control-allow-origin"):
        assert first.headers[header] == again.headers[header]
    assert "content-length" not in again.headers


@pytest.mark.parametrize("known", ["*", 'W/{}, "x"', '"x", {}'])
def test_entity_tags_match_in_every_form(web: Web, known: str) -> None:
    tag = web.ask(CONFIG).headers["etag"]
    assert web.ask(CONFIG, If_None_Match=known.format(tag)).status == 304


def test_another_tag_brings_the_answer(web: Web) -> None:
    assert web.ask(CONFIG, If_None_Match='"other"').status == 200


def test_answers_are_asked_for_again_every_time(web: Web) -> None:
    """Corrected bars must reach a chart that asks again."""
    assert web.ask(CONFIG).headers["cache-control"] == "no-cache"


def test_errors_are_not_kept(web: Web) -> None:
    answer = web.ask("/api/nothing")
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [f"{CONFIG}/", f"/{CONFIG}", "//api//tradingview///config//", f"{CONFIG}/?x=//", f"{CONFIG}//"],
)
def test_slashes_too_many_do_not_matter(web: Web, path: str) -> None:
    assert web.ask(path).status == 200


@pytest.mark.parametrize(
    "path", [CONFIG, "/api/lightweight/markets", "/health", "/", "/metrics", "/static/mark.svg"]
)
def test_head_is_get_without_the_body(web: Web, path: str) -> None:
    """With the length that the body would have."""
    head = web.ask(path, "HEAD")
    assert (200, b"") == (head.status, head.body)
    assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize("path", [CONFIG, "/api/trades", "/api/nothing", "/nothing", "/"])
def test_options_are_answered_on_every_path(web: Web, path: str) -> None:
    answer = web.ask(path, "OPTIONS", Origin="https://example.org")
    assert (204, b"") == (answer.status, answer.body)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "X-API-Key" in answer.headers["access-control-allow-headers"]
    assert "POST" in answer.headers["access-control-allow-methods"]


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [(CONFIG, "GET", 200), ("/api/nothing", "GET", 404), (CONFIG, "DELETE", 405)],
)
def test_every_answer_can_be_read_by_other_origins(
    web: Web, path: str, method: str, status: int
) -> None:
    answer = web.ask(path, method, Origin="https://example.org")
    assert status == answer.status
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


def test_errors_elsewhere_name_code_and_message(web: Web) -> None:
    error = {
        "code": "not_found",
        "message": "path must be one that is served, was '/api/nothing'",
    }
    assert {"success": False, "error": error} == web.ask("/api/nothing").json


@pytest.mark.parametrize(
    ("head", "status", "part"),
    [
        (b"GET /api/tradingview/symbols?symbol=" + b"x" * 9_000, b"413", b'{"s":"error"'),
        (b"GET /api/tradingview/symbols?symbol=\xff\xfe", b"400", b'{"s":"error"'),
        (b"GET /api/tradingview/nothing?a=\x00\x07", b"404", b'{"s":"error"'),
        (b"GET no-slash", b"404", b'{"success":false'),
        (b"FETCH /api/tradingview/config", b"405", b'{"s":"error"'),
        (b"F\xffTCH /api/tradingview/config", b"405", rb"GET, was F\\udcffTCH"),
        (b"GET http://x/api/tradingview/nothing", b"404", b'{"s":"error"'),
        (
            b"POST /api/trades HTTP/1.1\r\nContent-Length: 1\r\nExpect: \xff\r\nX: y",
            *(b"417", rb"Unknown Expect: \\udcff"),
        ),
    ],
)
def test_heads_that_are_no_http_get_an_answer(
    web: Web, head: bytes, status: bytes, part: bytes
) -> None:
    """Sanic itself would close the connection for some of these."""
    received = web.raw(head + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == received[9:12]
    assert part in received


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RequestTimeout("too slow"), 408, "request_timeout"),
        (ServiceUnavailable("busy"), 503, "service_unavailable"),
        (SanicException("slow down", status_code=429), 429, "too_many_requests"),
        (ServerError("secret"), 500, "internal"),
        (KeyError("secret"), 500, "internal"),
        (ConfigError("secret"), 500, "internal"),
    ],
)
def test_errors_of_the_server_have_a_code(error: Exception, status: int, code: str) -> None:
    """Only those that are meant for callers show their message."""
    request = Request(b"/api/x", Header(), "1.1", "GET", None, None)
    failure = describe(request, error)
    assert (status, code) == (failure.status, failure.code)
    assert "secret" not in failure.message


@pytest.mark.parametrize(
    ("path", "udf"),
    [
        ("/api/tradingview", True),
        ("/api/tradingview/x/y", True),
        ("/api/trading%76iew/x", True),
        ("/api/tradingviewer", False),
        ("/", False),
    ],
)
def test_the_path_decides_the_dialect(path: str, udf: bool) -> None:
    body = dialect(path)(Failure(400, "bad_request", "no"))
    assert udf == (body == {"s": "error", "errmsg": "no"})
