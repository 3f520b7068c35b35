from collections.abc import Iterator

import pytest

from appliance import __version__
from tests.web_server import Web, serving


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


def test_alive_while_it_can_answer(web: Web) -> None:
    assert {"status": "alive"} == web.ask("/health").json


def test_ready_when_all_parts_are(web: Web) -> None:
    answer = web.ask("/health/ready")
    assert answer.status == 200
    assert {
        "status": "ready",
        "demo": False,
        "trades_stored": 5,
        "trades_per_second": 1.5,
        "readers": 0,
        "parts": [{"name": "store", "state": "ok", "reason": None}],
        "verify": None,
    } == answer.json


def test_not_ready_says_why(web: Web) -> None:
    """And is not kept by anybody."""
    web.status.ready = False
    answer = web.ask("/health/ready")
    web.status.ready = True
    assert (503, "not_ready") == (answer.status, answer.json["status"])
    assert [{"name": "store", "state": "failing", "reason": "gone"}] == answer.json["parts"]
    assert answer.headers["cache-control"] == "no-store"


def test_version_names_the_instance(web: Web) -> None:
    """By it the command line knows that it speaks to the owner of its data directory."""
    body = web.ask("/version").json
    assert (__version__, "instance-1") == (body["version"], body["instance"])


def test_metrics_are_prometheus_text(web: Web) -> None:
    answer = web.ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"# TYPE appliance_http_requests_total counter" in answer.body


def test_the_icon_is_a_drawing(web: Web) -> None:
    assert web.ask("/favicon.ico").headers["content-type"] == "image/svg+xml"
