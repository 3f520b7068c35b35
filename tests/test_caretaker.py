"""What the caretaker does when, and that nothing ends it. Its calls are tested with the store."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from appliance import caretaker
from appliance.caretaker import Caretaker, DamageState
from appliance.errors import Conflict, Retryable
from appliance.store.damage import Damage
from appliance.store.disk import Room
from appliance.store.report import Report
from appliance.store.salvage import Case, Loss

DAY = 86_400.0
DAMAGE = Damage("trades", "p", "Checksum mismatch", 0, 86_399, "/d/p", False)


@dataclass
class FakeStore:
    """Keeps what it was asked to do."""

    free: int = 100
    pending: bool = False
    lost: list[Case] = field(default_factory=list)
    failure: Exception | None = None
    asked: list[str] = field(default_factory=list)
    reader: Any = field(default_factory=lambda: SimpleNamespace(suspicious=False))
    last: Report | None = None
    is_verifying: bool = False

    @property
    def verifier(self) -> "FakeStore":
        return self

    @property
    def disk(self) -> Any:
        return SimpleNamespace(room=lambda: Room(self.free, 50))

    @property
    def catalogue(self) -> Any:
        return SimpleNamespace(all=lambda: [SimpleNamespace(id=1, symbol="GOLD")])

    def _answer(self, what: str) -> "Future[Any]":
        self.asked.append(what)
        answer: Future[Any] = Future()
        if self.failure:
            answer.set_exception(self.failure)
        else:
            answer.set_result(None)
        return answer

    def finish(self) -> "Future[Any]":
        return self._answer("finish")

    def prune(self, now: int) -> "Future[Any]":
        return self._answer(f"prune {now}")

    def look_for_lost(self) -> "Future[Any]":
        return self._answer("look")

    def damaged(self) -> list[Damage]:
        self.asked.append("check")
        return [DAMAGE]

    def salvage(self, found: list[Damage]) -> "Future[Any]":
        return self._answer(f"salvage {len(found)}")

    def start(self, *, recent: bool) -> None:
        if self.is_verifying:
            raise Conflict("a verify is running already")
        self.asked.append("verify recent" if recent else "verify all")


@dataclass
class Watched:
    """A caretaker over a fake store, at a time that tests set."""

    store: FakeStore = field(default_factory=FakeStore)
    now: float = 5 * DAY + 100

    def caretaker(self, verify_s: int = 0) -> Caretaker:
        store: Any = self.store
        return Caretaker(store, lambda: self.now, verify_s=verify_s)

    def asked(self) -> list[str]:
        """Return what was asked since the last time."""
        asked, self.store.asked = self.store.asked, []
        return asked


async def test_once_a_day_it_prunes_and_checks() -> None:
    """At the start it only prunes: opening the store has looked at the newest parts."""
    watched = Watched()
    care = watched.caretaker()
    await care.round()
    assert ["prune 432100"] == watched.asked()
    watched.now += 1_000
    await care.round()
    assert [] == watched.asked()
    watched.now = 6 * DAY
    await care.round()
    assert ["prune 518400", "check", "salvage 1"] == watched.asked()
    await care.round()
    assert [] == watched.asked()


def report(at: float, *, recent: bool = True, remaining: int = 0) -> Report:
    return Report(recent, repair=False, at=int(at), remaining=remaining)


async def test_recent_candles_are_verified_when_nobody_did_for_long() -> None:
    """Not right after the start, and whoever else verifies counts as well."""
    watched = Watched()
    care = watched.caretaker(verify_s=1_000)

    async def later(seconds: float) -> list[str]:
        watched.now += seconds
        await care.round()
        return [each for each in watched.asked() if "verify" in each]

    assert [[], []] == [await later(0), await later(119)]
    assert ["verify recent"] == await later(1)
    assert [[], []] == [await later(5), await later(994)]  # also while it does not come to an end
    assert ["verify recent"] == await later(1)
    watched.store.last = report(watched.now + 600)
    assert [[], []] == [await later(600), await later(999)]
    watched.store.is_verifying = True
    assert [] == await later(1)
    watched.store.is_verifying = False
    watched.store.last = report(watched.now + 10**9)  # by a clock that was wrong
    assert ["verify recent"] == await later(2_000)
    assert care.state() is None


@pytest.mark.parametrize(
    ("last", "wanted"),
    [
        (report(0), "verify recent"),
        (report(0, remaining=3), "verify recent"),
        (report(0, recent=False), "verify recent"),
        (report(0, recent=False, remaining=3), "verify all"),
    ],
)
async def test_unequal_days_are_not_forgotten_for_recent_ones(last: Report, wanted: str) -> None:
    watched = Watched(FakeStore(last=last))
    care = watched.caretaker(verify_s=1_000)
    watched.now += 200
    await care.round()
    assert wanted == watched.asked()[-1]


async def test_nothing_is_verified_unless_wanted() -> None:
    watched = Watched()
    care = watched.caretaker()
    watched.now += 10**8
    await care.round()
    assert not [each for each in watched.asked() if "verify" in each]


async def test_what_cannot_be_read_is_checked_at_once() -> None:
    watched = Watched()
    care = watched.caretaker()
    await care.round()
    watched.asked()
    watched.store.reader.suspicious = True
    await care.round()
    assert (["check", "salvage 1"], False) == (watched.asked(), watched.store.reader.suspicious)


async def test_what_waits_is_finished_where_there_is_room() -> None:
    watched = Watched(FakeStore(pending=True, free=49))
    care = watched.caretaker()
    await care.round()
    assert ["prune 432100"] == watched.asked()
    watched.store.free = 50
    await care.round()
    assert ["finish"] == watched.asked()


async def test_lost_trades_are_looked_for_once_a_minute() -> None:
    watched = Watched(FakeStore(lost=[Case(DAMAGE, "done", (Loss(1, 0, 86_399, 5),), "/d/p")]))
    care = watched.caretaker()
    for _ in range(3):
        await care.round()
    assert ["prune 432100", "look"] == watched.asked()
    watched.now += 61
    await care.round()
    assert ["look"] == watched.asked()


async def test_what_fails_is_said_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """Said once in the log, and in the state until it works."""
    watched = Watched(FakeStore(failure=Retryable("the disk is full")))
    care = watched.caretaker()
    assert care.state() is None
    for _ in range(3):
        await care.round()
    assert ["prune 432100"] * 3 == watched.asked()
    assert 1 == caplog.text.count("upkeep: the disk is full; it is tried again")
    state = care.state()
    assert state is not None
    assert ("upkeep", "failing", "the disk is full") == (state.name, state.state, state.reason)
    watched.store.failure = None
    await care.round()
    assert care.state() is None


async def test_it_makes_round_after_round(monkeypatch: pytest.MonkeyPatch) -> None:
    watched, enough = Watched(), asyncio.Event()
    monkeypatch.setattr(caretaker, "_ROUND_S", 0.0)
    care = watched.caretaker()
    rounds = 0

    async def count() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            enough.set()

    monkeypatch.setattr(care, "round", count)
    task = asyncio.create_task(care.run())
    await asyncio.wait_for(enough.wait(), 5)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.parametrize(
    ("losses", "check"),
    [
        ([], lambda reason: reason is None),
        (
            [Loss(1, 0, 86_399, 5)],
            lambda reason: (
                reason
                == (
                    "some of the 5 trades of GOLD from 1970-01-01 to 1970-01-01 were lost with the "
                    "damaged part p of table trades (Checksum mismatch): import that range again "
                    "or restore a backup"
                )
            ),
        ),
        ([Loss(0, 0, 86_399, -1)], lambda reason: reason.startswith("rows of any market from 19")),
        ([Loss(1, 0, 0, 5)] * 7, lambda reason: reason.endswith("; and 4 more")),
    ],
)
def test_losses_are_told_with_reason_and_cure(
    losses: list[Loss], check: Callable[[str | None], bool]
) -> None:
    store: Any = FakeStore(lost=[Case(DAMAGE, "done", tuple(losses), "/d/p")])
    state = DamageState(store).state()
    assert check(state.reason if state else None)
    assert state is None or (state.state, state.ready) == ("lost", True)
