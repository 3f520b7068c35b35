"""When a scheduled backup is made, and what is seen of one that fails."""

import asyncio
import logging
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.errors import Conflict, DiskFull
from appliance.schedule import Schedule
from appliance.status import PartState
from appliance.store.archives import Archive, Archives
from appliance.store.backup import Progress
from tests.archives import whole
from tests.conftest import NOW

HOUR = 3_600
DAY = 24 * HOUR


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class FakeBackups:
    """Makes archives at once, or fails as it is told; remembers when it was asked."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.archives = Archives(folder, clock=clock)
        self.progress = Progress()
        self.failures: list[Exception] = []
        self.asked: list[float] = []
        self._clock = clock

    def start(self) -> "Future[Archive]":
        self.asked.append(self._clock.now - NOW)
        future: Future[Archive] = Future()
        if self.failures and isinstance(self.failures[0], Conflict):
            raise self.failures.pop(0)
        if self.failures:
            future.set_exception(self.failures.pop(0))
            return future
        with self.archives.draft() as draft:
            future.set_result(self.archives.keep(whole(draft), int(self._clock.now)))
        return future


@pytest.fixture
def made(tmp_path: Path) -> SimpleNamespace:
    """Return a schedule of every day, keeping two days, with its clock and its backups."""
    clock = Clock()
    backups: Any = FakeBackups(tmp_path / "backups", clock)
    schedule = Schedule(backups, DAY, 2, clock, clock.sleep)
    return SimpleNamespace(clock=clock, backups=backups, schedule=schedule)


async def runs(made: SimpleNamespace, backups: int) -> list[float]:
    """Return the seconds at which so many backups were asked for."""
    task = asyncio.create_task(made.schedule.run())
    async with asyncio.timeout(30):
        while len(made.backups.asked) < backups or made.clock.now - NOW == made.backups.asked[-1]:
            await asyncio.sleep(0)
            assert not task.done()
    task.cancel()
    await asyncio.wait([task])
    return [float(each) for each in made.backups.asked]


async def test_it_counts_from_the_newest_archive(made: SimpleNamespace) -> None:
    """Across restarts, and whoever made it; the first of all comes soon after the start."""
    assert [600, 600 + DAY] == await runs(made, 2)
    assert PartState("backup", "ok") == made.schedule.state()


async def test_an_archive_that_is_there_sets_the_time(made: SimpleNamespace) -> None:
    with made.backups.archives.draft() as draft:
        made.backups.archives.keep(whole(draft), NOW - 23 * HOUR)
    assert [HOUR] == await runs(made, 1)


async def test_a_clock_put_back_does_not_stop_it(made: SimpleNamespace) -> None:
    """An archive of the future counts as one of now."""
    with made.backups.archives.draft() as draft:
        made.backups.archives.keep(whole(draft), NOW + 300 * DAY)
    assert NOW + DAY == await made.schedule._due()


async def test_old_archives_go_after_a_good_backup(made: SimpleNamespace) -> None:
    await runs(made, 4)
    ages = [(made.clock.now - each.created) // DAY for each in made.backups.archives.all()]
    assert [0, 1, 2] == ages


async def test_a_failure_is_shown_logged_and_tried_again(
    made: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing old goes while there is nothing new; the appliance stays ready."""
    with made.backups.archives.draft() as draft:
        old = made.backups.archives.keep(whole(draft), NOW - 30 * DAY)
    made.backups.failures = [DiskFull("no room"), OSError("strange")]
    with caplog.at_level(logging.ERROR):
        assert [0] == await runs(made, 1)
    state = made.schedule.state()
    assert PartState("backup", "degraded", "the last backup failed: no room") == state
    assert state.ready
    assert "the scheduled backup failed" in caplog.text
    assert [old] == made.backups.archives.all()
    assert [0, 900, 1_800] == await runs(made, 3)
    assert PartState("backup", "ok") == made.schedule.state()
    assert old not in made.backups.archives.all()


async def test_a_backup_by_hand_is_no_failure(made: SimpleNamespace) -> None:
    made.backups.failures = [Conflict("one runs already")]
    assert [600, 660] == await runs(made, 2)
    assert PartState("backup", "ok") == made.schedule.state()


def test_progress_is_shown_while_one_is_made(made: SimpleNamespace) -> None:
    made.backups.progress = Progress("running", "writing", 0.25)
    assert PartState("backup", "ok", progress=0.25) == made.schedule.state()
