import logging
from collections.abc import Iterator

import pytest

from appliance.settings import ApiKey
from tests.web_server import ADMIN_TOKEN, KEY, Web, serving

TRADES = "/api/trades"
EMPTY = b'{"trades":[]}'


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


@pytest.mark.parametrize(
    "headers",
    [
        {"X_API_Key": KEY},
        {"x_api_key": KEY},
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {KEY}"},
        {"X_API_Key": ADMIN_TOKEN},
    ],
)
def test_a_known_key_opens_the_writing_routes(web: Web, headers: dict[str, str]) -> None:
    """The token of server.json is a key of scope admin."""
    assert web.ask(TRADES, "POST", body=EMPTY, **headers).status == 200


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({}, "was none"),
        ({"X_API_Key": "wrong"}, "was an unknown one"),
        ({"X_API_Key": KEY[:-1]}, "was an unknown one"),
        ({"Authorization": f"Basic {KEY}"}, "was none"),
    ],
)
def test_any_other_key_does_not(web: Web, headers: dict[str, str], problem: str) -> None:
    answer = web.ask(TRADES, "POST", body=EMPTY, **headers)
    assert (401, "Bearer") == (answer.status, answer.headers["www-authenticate"])
    message = f"X-API-Key must carry a key of API_KEYS, {problem}"
    assert {"code": "unauthorized", "message": message} == answer.json["error"]


def test_a_key_of_smaller_scope_is_forbidden(web: Web) -> None:
    answer = web.ask("/api/admin/trades", "POST", body=b"", X_API_Key=KEY)
    assert answer.status == 403
    assert answer.json["error"]["message"] == "the key's scope must be admin, was write"


def test_without_keys_the_route_says_what_opens_it() -> None:
    """It is never open by default."""
    with serving(api_keys=()) as web:
        answer = web.ask(TRADES, "POST", body=EMPTY, X_API_Key="anything")
        assert answer.status == 403
        assert "API_KEYS must be set to open this route" in answer.json["error"]["message"]
        assert web.ask(TRADES, "POST", body=EMPTY, X_API_Key=ADMIN_TOKEN).status == 200


def test_the_largest_scope_of_a_key_counts() -> None:
    keys = (ApiKey("same-key-1", "read"), ApiKey("same-key-1", "write"))
    with serving(api_keys=keys, api_key_header="X-Key") as web:
        assert web.ask(TRADES, "POST", body=EMPTY, X_Key="same-key-1").status == 200
        assert web.ask(TRADES, "POST", body=EMPTY, X_API_Key="same-key-1").status == 401


def test_pages_have_a_content_security_policy(web: Web) -> None:
    policy = web.ask("/").headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert policy.endswith("frame-ancestors 'self'")
    assert "content-security-policy" not in web.ask("/health").headers


def test_frames_can_be_denied() -> None:
    with serving(frame_options="DENY") as web:
        headers = web.ask("/").headers
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"].endswith("frame-ancestors 'none'")


@pytest.mark.parametrize("path", ["/", "/health", "/nothing"])
def test_every_answer_has_the_headers_that_protect(web: Web, path: str) -> None:
    headers = web.ask(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"


def test_origins_can_be_limited() -> None:
    """An origin that is not listed is not named, and caches are told that it matters."""
    with serving(cors_origins=("https://a.example",)) as web:
        listed = web.ask("/health", Origin="https://a.example").headers
        assert listed["access-control-allow-origin"] == "https://a.example"
        other = web.ask("/health", Origin="https://b.example").headers
        assert "access-control-allow-origin" not in other
        assert other["vary"] == "Origin"


def test_requests_are_counted_by_route_and_not_by_path() -> None:
    """Whoever asks for a million paths makes no million series."""
    with serving() as web:
        web.ask("/api/lightweight/markets/gold")
        web.ask("/api/lightweight/markets/TINY")
        web.ask("/nothing/at-all")
        text = web.ask("/metrics").body.decode()
    route = 'route="/api/lightweight/markets/<symbol:str>"'
    assert f'requests_total{{method="GET",{route},status="200"}} 2.0' in text
    assert 'requests_total{method="GET",route="(none)",status="404"} 1.0' in text
    assert "at-all" not in text


def test_the_access_log_leaves_queries_out(caplog: pytest.LogCaptureFixture) -> None:
    """They may hold secrets."""
    caplog.set_level(logging.INFO, "appliance.access")
    with serving(access_log=True) as web:
        web.ask("/health?key=secret")
    (record,) = (r for r in caplog.records if r.name == "appliance.access")
    logged = {name: vars(record)[name] for name in ("method", "path", "status")}
    assert {"method": "GET", "path": "/health", "status": 200} == logged
    assert "secret" not in str(vars(record))


def test_what_is_logged_can_be_written(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "appliance.access")
    with serving(access_log=True) as web:
        web.raw(b"G\xffT /health HTTP/1.1\r\nHost: x\r\n\r\n")
    (record,) = (r for r in caplog.records if r.name == "appliance.access")
    assert "G\\udcffT" == vars(record)["method"]
