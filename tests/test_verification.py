"""`appliance verify`: its table, its sentences, its exit codes, with and without a server."""

import argparse
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance import running, verification
from appliance.errors import ApplianceError, Conflict, Retryable
from appliance.metrics import Metrics
from appliance.model import MarketSpec
from appliance.running import Running
from appliance.settings import Settings
from appliance.store.report import IntervalCounts, Report, UnequalCandle
from appliance.store.store import Store
from appliance.verification import summary, verify
from tests.conftest import NOW
from tests.oracle import T, table
from tests.processes import Server, run

SERVER = Running("http://x", "t", "i", 1)
WELL = Report(
    recent=False,
    repair=False,
    at=NOW,
    first=1_749_945_600,
    last=1_750_032_000,
    intervals=[IntervalCounts("1s", 120_000), IntervalCounts("1d", 2)],
)
HIGH = UnequalCandle("GOLD", "1m", NOW // 60 * 60, "wrong high")
BAD = msgspec.structs.replace(
    WELL,
    found=12,
    remaining=12,
    unequal_days=2,
    examples=[HIGH] * 11,
    intervals=[IntervalCounts("1m", 1_440, 5, 4, 3)],
)
WHERE = "from 2025-06-15 to 2025-06-16"


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (WELL, "candles equal trades {}"),
        (
            BAD,
            (
                "unequal to their trades: 12 candles on 2 days, {}; make them anew with: "
                "appliance verify --repair"
            ),
        ),
        (
            msgspec.structs.replace(BAD, repair=True, remaining=0),
            "made anew: 2 days with 12 candles unequal; now candles equal trades {}",
        ),
        (
            msgspec.structs.replace(BAD, repair=True, remaining=1),
            "1 candle {}: unequal also after the repair",
        ),
        (
            msgspec.structs.replace(WELL, damaged=["part a of table trades: torn"]),
            (
                "damaged parts cannot be read, so not all was compared; put them aside with: "
                "appliance verify --repair"
            ),
        ),
        (Report(recent=True, repair=False), "no candles and no trades are there to compare"),
    ],
)
def test_the_last_line_says_what_it_means(report: Report, sentence: str) -> None:
    assert sentence.format(WHERE) == summary(report).splitlines()[-1]


def test_the_table_is_aligned_and_examples_are_few() -> None:
    lines = summary(BAD).splitlines()
    assert ["interval  checked  differing  missing  extra"] == lines[:1]
    assert ["      1m    1,440          5        4      3"] == lines[1:2]
    assert ["GOLD 1m 2025-06-15 15:06:00: wrong high"] * 10 == lines[2:-1]


def test_damage_and_losses_are_named() -> None:
    report = msgspec.structs.replace(WELL, damaged=["part a"], lost=["some trades"])
    assert ["damaged: part a", "lost: some trades"] == summary(report).splitlines()[3:5]


# -- through a server --


def states(*answers: tuple[int, Any]) -> Callable[..., tuple[int, bytes]]:
    """Return what answers each call with the next of these, the last one for ever."""
    rest = list(answers)

    def answer(*_: object) -> tuple[int, bytes]:
        status, body = rest.pop(0) if len(rest) > 1 else rest[0]
        return status, body if isinstance(body, bytes) else msgspec.json.encode(body)

    return answer


def state(word: str, report: Report | None = None, error: str | None = None) -> dict[str, Any]:
    return {"state": word, "progress": 0.5, "report": report, "error": error}


@pytest.fixture
def through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, bool]]:
    """Verify through a server that answers POST, and then each GET, as given."""
    monkeypatch.setattr(verification, "_LOOK_S", 0.0)
    monkeypatch.setattr(running, "find", lambda _: SERVER)

    def call(posted: tuple[int, Any], *asked: tuple[int, Any]) -> tuple[str, bool]:
        monkeypatch.setattr(running, "post", states(posted))
        monkeypatch.setattr(running, "ask", states(*asked))
        options = argparse.Namespace(repair=False, recent=False)
        return verify(Settings(data_dir=tmp_path), options)

    return call


@pytest.mark.parametrize(
    ("report", "well"),
    [(WELL, True), (BAD, False), (msgspec.structs.replace(WELL, lost=["trades"]), False)],
)
def test_the_server_is_followed_to_the_end(
    through: Callable[..., tuple[str, bool]], report: Report, well: bool
) -> None:
    begun = (202, state("running", WELL))
    outcome = through(begun, (200, state("running")), (200, state("done", report)))
    assert (summary(report), well) == outcome


@pytest.mark.parametrize(
    ("posted", "asked", "error", "text"),
    [
        ((409, {"error": {"message": "wait"}}), (200, {}), Conflict, "wait"),
        ((503, b"?"), (200, {}), Retryable, "the server answered 503"),
        ((202, state("running")), (200, b"?"), Retryable, "the server answered 200 with something"),
        (
            (202, state("running")),
            (200, state("failed", BAD, "no room")),
            Retryable,
            "verify came to no end: no room",
        ),
    ],
)
def test_what_the_server_refuses_is_said(
    through: Callable[..., tuple[str, bool]],
    posted: tuple[int, Any],
    asked: tuple[int, Any],
    error: type[ApplianceError],
    text: str,
) -> None:
    with pytest.raises(error, match=text):
        through(posted, asked)


# -- as a process --


@pytest.fixture
def damaged_dir(tmp_path: Path) -> Path:
    """Return a data directory with 50 trades, whose minute candles are gone."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    store = Store(Settings(data_dir=data_dir), Metrics(), lambda _: None)
    store.open()
    try:
        rows = [T((NOW + 30 * i) * 10**6, 1.0 + i, 10**18, trade_id=str(i)) for i in range(50)]
        store.writer.submit(table(rows), (MarketSpec("GOLD"),)).result(60)
        statement = "DELETE FROM candles WHERE interval = 60"
        store.writer.call(lambda client: client.command(statement)).result(60)
    finally:
        store.close()
    return data_dir


def test_without_a_server_the_store_is_opened(damaged_dir: Path) -> None:
    """1 while differences remain, 0 once repaired; recent days are another matter."""
    arguments = ("verify", "--data-dir", damaged_dir)
    found = run(*arguments)
    assert (1, True) == (found.returncode, "unequal to their trades: " in found.stdout)
    assert "GOLD 1m 2025-06-15 15:06:00: missing" in found.stdout
    assert run(*arguments, "--recent").returncode == 0
    repaired = run(*arguments, "--repair")
    assert (0, True) == (repaired.returncode, "made anew: 1 day with" in repaired.stdout)
    again = run(*arguments)
    assert (0, True) == (again.returncode, "candles equal trades from 2025-06-15" in again.stdout)


def test_a_running_server_does_it(damaged_dir: Path) -> None:
    """Its readiness tells the outcome, and it still serves."""
    server = Server(damaged_dir, "--no-demo", LOG_FORMAT="json").until("ready at")
    try:
        assert server.ask("/health/ready")[1]["verify"] is None
        assert run("verify", "--data-dir", damaged_dir).returncode == 1
        told = server.ask("/health/ready")[1]["verify"]
        assert (False, 1, True) == (told["equal"], told["days"], told["differences"] > 20)
        repaired = run("verify", "--repair", "--data-dir", damaged_dir)
        assert (0, "") == (repaired.returncode, repaired.stderr)
        told = server.ask("/health/ready")[1]["verify"]
        assert (True, 0) == (told["equal"], told["differences"])
        assert server.end(signal.SIGTERM)[0] == 0
    finally:
        server.kill()
    again = json.loads(run("get", "/health/ready", "--data-dir", damaged_dir).stdout)
    assert again["verify"]["equal"]
