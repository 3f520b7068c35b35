"""A request without ids, whose server dies before it answers, is sent again and counts once."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import urllib3
from urllib3.exceptions import HTTPError

from tests import processes
from tests.fault.dying import STEPS
from tests.processes import Server

KEY: Final = "idempotency-key-0123"
COUNT: Final = 300
TIME: Final = 1_750_000_000
Start = Callable[[str], Server]


def body(price: int = 5) -> bytes:
    """Return trades that nothing tells apart, of two markets and two months."""
    trade = {"price": price, "size": "0.1"}
    places = [{"symbol": "AB"[n % 2], "time": TIME + n % 3 * 10**6} for n in range(COUNT)]
    return msgspec.json.encode({"trades": [trade | place for place in places]})


def send(server: Server, content: bytes, name: str) -> tuple[int, Any]:
    """Send trades under a key; return status and answer."""
    url = f"http://127.0.0.1:{server.port}/api/trades"
    headers = {"X-API-Key": KEY, "Idempotency-Key": name}
    answer = urllib3.request("POST", url, body=content, headers=headers, retries=False, timeout=60)
    return answer.status, msgspec.json.decode(answer.data)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a server on the same directory; it dies at a step, or with the test."""
    command = processes.command
    started: list[Server] = []

    def dying(*arguments: object) -> list[str]:
        return [sys.executable, "-m", "tests.fault.dying", *map(str, arguments)]

    def begin(dies_at: str) -> Server:
        monkeypatch.setattr(processes, "command", dying if dies_at else command)
        server = Server(tmp_path / "data", "--no-demo", API_KEYS=KEY, DIES_AT=dies_at)
        started.append(server)
        return server.until("ready at")

    yield begin
    for server in started:
        server.kill()


def test_a_death_at_any_step_counts_once(start: Start) -> None:
    """Sent again under its key the request is stored once, and no other body under that key."""
    for step in STEPS:
        server = start(step)
        with pytest.raises(HTTPError):
            send(server, body(), step)
        assert -9 == server.process.wait(processes.PATIENCE_S)
    server = start("")
    was_stored = {"accepted": 0, "duplicates": COUNT}
    for number, step in enumerate(STEPS, 1):
        expected = was_stored if step == STEPS[-1] else {"accepted": COUNT, "duplicates": 0}
        if step != STEPS[0]:  # its key was noted
            assert 409 == send(server, body(price=6), step)[0]
        assert [(200, expected), (200, was_stored)] == [send(server, body(), step) for _ in "12"]
        assert 409 == send(server, body(price=6), step)[0]
        stored = COUNT * (number if step == STEPS[-1] else number + 1)
        assert stored == server.ask("/health/ready")[1]["trades_stored"]
