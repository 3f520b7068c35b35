"""The admin routes that verify: they ask for a key, begin, and tell how it goes."""

from collections.abc import Iterator
from typing import Any

import pytest

from appliance.errors import Conflict
from appliance.store.report import IntervalCounts, Report, UnequalCandle
from appliance.store.verify import State
from tests.web_server import ADMIN_TOKEN, KEY, Web, serving

PATH = "/api/admin/verify"
REPORT = Report(
    recent=False,
    repair=False,
    at=1_750_000_000,
    first=86_400,
    last=3 * 86_400,
    found=2,
    remaining=2,
    unequal_days=1,
    intervals=[IntervalCounts("1m", 10, 1, 1, 0)],
    examples=[UnequalCandle("GOLD", "1m", 86_460, "missing")],
)


class FakeVerifier:
    """Goes on until it is told otherwise."""

    def __init__(self) -> None:
        self.current = State(running=False, progress=0.0, report=None)
        self.wanted: list[tuple[bool, bool]] = []

    def start(self, *, repair: bool, recent: bool) -> None:
        if self.current.running:
            raise Conflict("a verify is running already (50% done): wait for its end")
        self.wanted.append((repair, recent))
        self.current = State(running=True, progress=0.0, report=self.current.report)

    def state(self) -> State:
        return self.current


@pytest.fixture
def verifier() -> FakeVerifier:
    return FakeVerifier()


@pytest.fixture
def web(verifier: Any) -> Iterator[Web]:
    with serving(verifier=verifier) as running:
        yield running


def ask(web: Web, method: str = "GET", body: bytes | None = None) -> tuple[int, Any]:
    answer = web.ask(PATH, method, body=body, X_API_Key=ADMIN_TOKEN)
    return answer.status, answer.json


def test_a_verify_is_begun_and_followed(web: Web, verifier: FakeVerifier) -> None:
    """Idle, running, failed, done; the report stays."""
    idle = {"state": "idle", "progress": 0.0, "error": None, "report": None}
    assert (200, idle) == ask(web)
    assert (202, idle | {"state": "running"}) == ask(web, "POST")
    verifier.current = State(running=True, progress=0.56789, report=None)
    assert (200, idle | {"state": "running", "progress": 0.568}) == ask(web)
    verifier.current = State(running=False, progress=0.6, report=None, error="gone")
    assert ("failed", "gone") == (ask(web)[1]["state"], ask(web)[1]["error"])
    verifier.current = State(running=False, progress=1.0, report=REPORT)
    status, body = ask(web)
    assert (200, "done", False, 3) == (
        *(status, body["state"]),
        *(body["report"]["equal"], body["report"]["days"]),
    )
    counts = {"interval": "1m", "checked": 10, "differing": 1, "missing": 1, "extra": 0}
    assert [counts] == body["report"]["intervals"]
    example = {"symbol": "GOLD", "interval": "1m", "start": 86_460, "problem": "missing"}
    assert [example] == body["report"]["examples"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, (False, False)),
        (b"{}", (False, False)),
        (b'{"repair":true}', (True, False)),
        (b'{"recent":true,"repair":false,"other":1}', (False, True)),
    ],
)
def test_the_body_says_what_to_do(
    web: Web, verifier: FakeVerifier, body: bytes | None, expected: tuple[bool, bool]
) -> None:
    assert ask(web, "POST", body)[0] == 202
    assert [expected] == verifier.wanted


@pytest.mark.parametrize("body", [b"yes", b"[]", b'{"repair":"yes"}', b"\xff"])
def test_other_bodies_are_refused(web: Web, verifier: FakeVerifier, body: bytes) -> None:
    status, answer = ask(web, "POST", body)
    expected = 'body must be empty or like {"repair":false,"recent":false}, was not: '
    assert (400, True) == (status, answer["error"]["message"].startswith(expected))
    assert [] == verifier.wanted


def test_a_second_verify_is_a_conflict(web: Web) -> None:
    assert ask(web, "POST")[0] == 202
    status, answer = ask(web, "POST")
    assert (409, "a verify is running already (50% done): wait for its end") == (
        *(status, answer["error"]["message"]),
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("key", "status"), [("", 401), ("wrong-key-0123456789", 401), (KEY, 403)])
def test_only_admins_may(
    web: Web, verifier: FakeVerifier, method: str, key: str, status: int
) -> None:
    assert status == web.ask(PATH, method, X_API_Key=key).status
    assert [] == verifier.wanted


def test_readiness_tells_the_outcome(web: Web) -> None:
    """None before the first; what is not equal does not make it unready."""
    assert web.ask("/health/ready").json["verify"] is None
    web.status.verify = REPORT
    told = {"at": 1_750_000_000, "equal": False, "days": 3, "differences": 2}
    answer = web.ask("/health/ready")
    assert (200, told) == (answer.status, answer.json["verify"])
