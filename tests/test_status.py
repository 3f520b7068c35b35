"""What /health/ready is told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from appliance import status
from appliance.errors import Retryable
from appliance.model import MarketSpec
from appliance.status import PartState, Status
from appliance.store.catalogue import Catalogue
from tests.conftest import Opened


@dataclass
class FakeReader:
    """Answers, or fails as it is told."""

    failure: Exception | None = None
    wait: Callable[[], Awaitable[None]] | None = None
    asked: int = 0

    async def query(self, name: str) -> list[list[int]]:
        assert name == "select_trade_count"
        self.asked += 1
        if self.wait is not None:
            await self.wait()
        if self.failure is not None:
            raise self.failure
        return [[1]]


@dataclass
class Watched:
    """A status over fakes, with a clock that stands still."""

    reader: FakeReader = field(default_factory=FakeReader)
    writer: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(alive=True, trades_stored=7)
    )
    verifier: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(last=None))
    now: float = 0.0
    catalogue: Catalogue = field(default_factory=Catalogue)

    def status(self) -> Status:
        store: Any = self
        ingest: Any = SimpleNamespace(trades_per_second=lambda: 2.5)
        return Status(store, ingest, lambda: 3, lambda: self.now)


def failing(parts: list[PartState]) -> dict[str, str | None]:
    return {part.name: part.reason for part in parts if not part.ready}


async def test_all_is_well() -> None:
    watched = Watched()
    report = await watched.status().report()
    assert report.ready
    assert [PartState("store", "ok"), PartState("writer", "ok")] == report.parts
    assert (False, 7, 2.5, 3) == (
        *(report.demo, report.trades_stored, report.trades_per_second, report.readers),
    )


@pytest.mark.parametrize(
    "error",
    [
        Retryable("the store is not answering: disk"),
        RuntimeError("cannot schedule new futures after shutdown"),
    ],
)
async def test_a_failing_store_is_not_ready_and_says_why(error: Exception) -> None:
    watched = Watched()
    watched.reader.failure = error
    report = await watched.status().report()
    assert not report.ready
    assert {"store": str(error)} == failing(report.parts)


async def test_a_silent_store_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "_PING_TIMEOUT_S", 0.01)
    watched = Watched()
    watched.reader.wait = asyncio.Event().wait  # type: ignore[assignment] # its answer is unused
    report = await watched.status().report()
    assert {"store": "no answer within 0 s"} == failing(report.parts)


async def test_a_dead_writer_is_not_ready() -> None:
    watched = Watched()
    watched.writer.alive = False
    report = await watched.status().report()
    assert not report.ready
    assert {"writer": "the writer has stopped: restart the appliance"} == failing(report.parts)


async def test_sources_are_heard() -> None:
    """Only failing is not ready: seeding and stopped are well."""
    watched = Watched()
    status = watched.status()
    states = [PartState("demo", "seeding", progress=0.5), PartState("old", "stopped")]
    status.sources += [SimpleNamespace(state=lambda s=s: s) for s in states]
    report = await status.report()
    assert report.ready
    assert states == report.parts[2:]
    status.sources.append(SimpleNamespace(state=lambda: None))  # it ended as it should
    assert states == (await status.report()).parts[2:]
    status.sources.append(SimpleNamespace(state=lambda: PartState("chain", "failing", "stalled")))
    assert not (await status.report()).ready


async def test_many_probes_share_one_question() -> None:
    """Those that come while it is asked, and those of the next half second."""
    watched = Watched()
    slow = asyncio.Event()
    watched.reader.wait = slow.wait  # type: ignore[assignment] # its answer is unused
    status = watched.status()
    probes = [asyncio.create_task(status.report()) for _ in range(5)]
    await asyncio.sleep(0)
    watched.now = 60.0  # the answer took a minute; it is fresh all the same
    slow.set()
    await asyncio.gather(*probes)
    assert watched.reader.asked == 1
    watched.now += 0.4
    await status.report()
    assert watched.reader.asked == 1
    watched.now += 0.2
    await status.report()
    assert watched.reader.asked == 2


async def test_a_store_recovers() -> None:
    watched = Watched()
    status = watched.status()
    watched.reader.failure = Retryable("gone")
    assert not (await status.report()).ready
    watched.reader.failure, watched.now = None, 1.0
    assert (await status.report()).ready


@pytest.mark.parametrize(
    ("exchanges", "expected"), [([], False), (["DEMO"], True), (["DEMO", "DEX"], False)]
)
async def test_demo_means_that_nothing_else_is_there(exchanges: list[str], expected: bool) -> None:
    catalogue = Catalogue()
    for exchange in exchanges:
        catalogue.put(catalogue.plan(MarketSpec(f"M{exchange}", exchange=exchange)))
    assert expected is (await Watched(catalogue=catalogue).status().report()).demo


async def test_a_real_store_that_closes_is_not_ready(opened: Opened) -> None:
    """Both its reader and its writer are gone, and said to be."""
    ingest: Any = SimpleNamespace(trades_per_second=lambda: 0.0)
    status = Status(opened.store, ingest, lambda: 0, iter(range(0, 99, 9)).__next__)
    assert (await status.report()).ready
    opened.store.close()
    report = await status.report()
    assert {"store", "writer"} == failing(report.parts).keys()
