"""The demo as a source: when it runs, gives way, fails, and what it remembers."""

import asyncio
import io
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from appliance import sources
from appliance.errors import Conflict
from appliance.ingest import Ingest
from appliance.model import MarketSpec
from appliance.sources import DemoSource
from appliance.status import PartState
from tests.conftest import NOW, Opened
from tests.oracle import T, table

REAL = MarketSpec("REAL")
DEMO = MarketSpec("GOLD", exchange="DEMO", chain_id=1337, contract="0x" + "de" * 20, order="chain")


class FakeDemo:
    """Two pieces of history, then live until it is cancelled."""

    made: ClassVar[list["FakeDemo"]] = []
    failure: ClassVar[Exception | None] = None
    live: ClassVar[asyncio.Event]

    def __init__(self, last: Any = None, unfinished: int | None = None) -> None:
        self.last, self.unfinished = last or {}, unfinished
        self.seeded_at: int | None = unfinished
        self.state, self.progress, self.ended = "stopped", 0.0, False
        FakeDemo.made.append(self)

    async def run(self, submit: Callable[..., Awaitable[Any]], clock: Any) -> None:
        try:
            self.state = "seeding"
            if not self.last:
                self.seeded_at = NOW
            for number in (1, 2):
                await submit(table([T(NOW * 10**6, 5.0, 10**18, block=number)]), [DEMO], "demo")
                self.progress = number / 2
                if FakeDemo.failure is not None:
                    raise FakeDemo.failure
            self.state = "live"
            await submit(table([T(NOW * 10**6, 5.0, 10**18, block=9)]), [DEMO], "demo")
            FakeDemo.live.set()
            await asyncio.Event().wait()
        finally:
            self.state, self.ended = "stopped", True


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    FakeDemo.made.clear()
    FakeDemo.failure = None
    monkeypatch.setattr(sources, "Demo", FakeDemo)
    yield
    FakeDemo.made.clear()


def source(opened: Opened, ingest: Ingest, stays: bool = False) -> DemoSource:
    opened.store.writer._commits._publish = ingest.publish
    return DemoSource(opened.store, opened.datafeed(), ingest, stays)


async def begun(demo: DemoSource) -> FakeDemo:
    """Start it and return its fake once it is live."""
    FakeDemo.live = asyncio.Event()
    demo.start()
    await asyncio.wait_for(FakeDemo.live.wait(), 10)
    return FakeDemo.made[-1]


async def failed(demo: DemoSource) -> None:
    """Start it and wait until it has failed."""
    demo.start()
    assert demo._task is not None
    await asyncio.wait([demo._task])


async def test_it_seeds_lives_and_stops(opened: Opened) -> None:
    demo = source(opened, opened.ingest())
    assert PartState("demo", "stopped", progress=0.0) == demo.state()
    await begun(demo)
    assert PartState("demo", "live", progress=1.0) == demo.state()
    await demo.stop()
    assert PartState("demo", "stopped", progress=1.0) == demo.state()
    assert opened.store.writer.trades_stored == 3


async def test_a_start_is_not_needed_to_stop(opened: Opened) -> None:
    await source(opened, opened.ingest()).stop()


async def submit_real(ingest: Ingest) -> None:
    await ingest.submit(table([T(NOW * 10**6, 1.0, 10**18, trade_id="r")]), [REAL], "test")


@pytest.mark.parametrize("stays", [False, True])
async def test_real_trades_end_it_unless_it_stays(opened: Opened, stays: bool) -> None:
    """And then the real markets hide the demo's."""
    ingest = opened.ingest()
    demo = source(opened, ingest, stays)
    await begun(demo)
    assert ["GOLD"] == [m.symbol for m in opened.store.catalogue.visible()]
    await submit_real(ingest)
    await asyncio.sleep(0.01)
    assert (PartState("demo", "live", progress=1.0) if stays else None) == demo.state()
    assert stays is not FakeDemo.made[-1].ended
    assert ["REAL"] == [m.symbol for m in opened.store.catalogue.visible()]
    await demo.stop()


async def test_a_failure_is_seen(opened: Opened) -> None:
    """In the state, for /health/ready, and in the log."""
    FakeDemo.failure = ValueError("no such price")
    demo = source(opened, opened.ingest())
    await failed(demo)
    reason = "the demo stopped: ValueError('no such price')"
    assert PartState("demo", "failing", reason) == demo.state()
    await demo.stop()
    assert PartState("demo", "failing", reason) == demo.state()


async def test_an_unfinished_seeding_is_remembered(opened: Opened) -> None:
    """By the next start, which is told when it was; a finished one is not repeated."""
    first = source(opened, opened.ingest())
    FakeDemo.failure = ValueError("power cut")
    await failed(first)
    FakeDemo.failure = None
    second, third = (source(opened, opened.ingest()) for _ in range(2))
    fake = await begun(second)
    assert (NOW, {"GOLD": (NOW, 5.0)}) == (fake.unfinished, fake.last)
    await second.stop()
    assert (await begun(third)).unfinished is None
    await third.stop()


async def test_a_reorg_retracts_on_the_demos_chain_and_is_finished_for_who_left(
    opened: Opened,
) -> None:
    """One at a time; the demo is told what is newest once the blocks are gone."""
    ingest = opened.ingest()
    demo = source(opened, ingest)
    fake = await begun(demo)
    told: list[Any] = []
    go = asyncio.Event()

    async def reorg(depth: int, retract: Any) -> tuple[int, int]:
        await go.wait()
        told.append((depth, await retract(2)))
        return 2, 9

    fake.reorg = reorg  # type: ignore[attr-defined]
    asked = asyncio.create_task(demo.reorg(8))
    await asyncio.sleep(0)
    with pytest.raises(Conflict, match="is being reorganized"):
        await demo.reorg(8)
    asked.cancel()
    go.set()
    assert demo._reorg is not None
    assert (2, 9) == await asyncio.wait_for(demo._reorg, 10)
    assert [(8, {"GOLD": (NOW, 5.0)})] == told
    assert opened.store.writer.trades_stored == 1
    await demo.stop()


async def test_a_seeding_is_logged_where_no_terminal_is(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, sources.__name__)
    demo = source(opened, opened.ingest())
    await begun(demo)
    await demo.stop()
    assert [
        "the demo stores 24 hours of history",
        "the demo has stored 24 hours of history",
    ] == caplog.messages


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def terminal() -> Iterator[Terminal]:
    """Let standard error be a terminal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", screen := Terminal())
        yield screen


async def test_a_seeding_draws_a_bar_on_a_terminal(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends at 100 %, and the line of the log that says the same follows it."""
    caplog.set_level(logging.INFO, sources.__name__)
    demo = source(opened, opened.ingest())
    with terminal() as screen:
        await begun(demo)
        await demo.stop()
    assert "demo: 24 hours of history   0 %" in screen.getvalue()
    assert "demo: 24 hours of history 100 %" in screen.getvalue()
    assert screen.getvalue().endswith("\n")
    assert ["the demo has stored 24 hours of history"] == caplog.messages


async def test_a_bar_ends_with_its_demo(opened: Opened) -> None:
    FakeDemo.failure = ValueError("x")
    demo = source(opened, opened.ingest())
    with terminal() as screen:
        await failed(demo)
        await demo.stop()
    assert "50 %" in screen.getvalue()
    assert screen.getvalue().endswith("\n")


async def test_a_start_with_history_draws_nothing(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """What is missing since the last trade is stored in a moment."""
    caplog.set_level(logging.INFO, sources.__name__)
    first, second = (source(opened, opened.ingest()) for _ in range(2))
    await begun(first)
    await first.stop()
    caplog.clear()
    with terminal() as screen:
        await begun(second)
        await second.stop()
    assert ("", []) == (screen.getvalue(), caplog.messages)
