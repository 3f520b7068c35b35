"""Verify that every candle equals the one that its trades make, while everything goes on.

In: the tables, piece by piece (pieces.py), compared by the engine (compare.py). Out: a report
(report.py), remembered for `/health/ready` and the dashboard.

Pieces are compared beside the writer, which goes on. What such a look finds may be a commit that
was half done: its days are looked at again, and only what stays is compared between two commits, on
the writer's thread, which is then held for some days at a time. So a difference that is reported is
one, and ingest hardly notices. With `repair`, the unequal days are made anew by the writer as well,
are published, and are compared once more.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from copy import deepcopy
from dataclasses import replace
from typing import Final, Protocol

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from appliance.errors import ApplianceError, Conflict, Retryable
from appliance.store import checkpoints, salvage
from appliance.store.catalogue import Catalogue
from appliance.store.compare import Found, Look, compare, looks, settled, spans
from appliance.store.damage import Damage
from appliance.store.engine import Engine, failing
from appliance.store.journal import Span
from appliance.store.limits import candles_from
from appliance.store.pieces import Piece, day_from, parts
from appliance.store.rebuild import DAY_S
from appliance.store.report import Report, Tally, remember, remembered
from appliance.store.salvage import Case
from appliance.store.writer import STOPPING, Writer

log = logging.getLogger(__name__)
RECENT_DAYS: Final = 7
_STOPPED: Final = "the appliance was stopped; verify again"
_HELD_WEIGHT: Final = 25_000
"""Candles that are compared or made anew while the writer is held: a tenth of a second."""


class Repairs(Protocol):
    """What verifying asks the store to do."""

    def damaged(self) -> list[Damage]:
        """Return the damaged parts, having read everything; ended when the store closes."""
        ...

    def repair(self, spans: Sequence[Span]) -> "Future[None]":
        """Make the candles of whole days anew, and publish that they changed."""
        ...

    def salvage(self, found: list[Damage]) -> "Future[list[Case]]":
        """Put damaged parts aside, make their candles anew, and return what is lost."""
        ...


class State(msgspec.Struct, frozen=True):
    """What the verifier does: `progress` from 0 to 1, and the outcome of the last run.

    `error` says why the last run did not come to an end, if it did not; `report` is then what it
    had found, or that of the run before it if it had found nothing.
    """

    running: bool
    progress: float
    report: Report | None
    error: str | None = None


class _Stopped(Exception):
    """The appliance stops."""


class Verifier:
    """Verifies on a thread of its own, one run at a time."""

    def __init__(
        self,
        engine: Engine,
        writer: Writer,
        catalogue: Catalogue,
        repairs: Repairs,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Read nothing before `load`."""
        self._engine = engine
        self._writer = writer
        self._catalogue = catalogue
        self._repairs = repairs
        self._clock = clock
        self._client: Client | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._progress = 0.0
        self._error: str | None = None
        self.last: Report | None = None
        """The last report, also of an earlier process."""

    def load(self, client: Client) -> None:
        """Recall the last report."""
        self.last = remembered(client)

    def state(self) -> State:
        """Return what goes on and what came of it."""
        running = self._thread is not None and self._thread.is_alive()
        return State(running, self._progress, self.last, self._error)

    def start(self, *, repair: bool = False, recent: bool = False) -> None:
        """Begin to verify everything, or the last RECENT_DAYS days; `state` tells how it goes.

        Raises:
            Conflict: another run goes on.
        """
        with self._lock:
            if self._stopping.is_set():
                raise Retryable(STOPPING)
            if self._thread is not None and self._thread.is_alive():
                raise Conflict(
                    f"a verify is running already ({self._progress:.0%} done): wait for its end"
                )
            self._progress, self._error = 0.0, None
            report = Report(recent, repair)
            self._thread = threading.Thread(target=self._run, args=(report,), name="store-verify")
            self._thread.start()

    def stop(self) -> None:
        """Begin nothing more, and give up what runs after its piece."""
        with self._lock:
            self._stopping.set()

    def close(self) -> None:
        """Stop, and wait until nothing runs; closing again does nothing."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    # -- the verifier's thread --

    def _run(self, report: Report) -> None:
        try:
            self._verify(report)
            self._progress = 1.0
        except _Stopped:
            self._error = _STOPPED
        except ClickHouseError as error:
            log.error("verify failed: %s", error)
            self._error = str(failing(error))
        except ApplianceError as error:
            self._error = _STOPPED if self._stopping.is_set() else str(error)
        except Exception as error:
            log.exception("verify failed")
            self._error = f"it failed: {error!r}"

    def _verify(self, report: Report) -> None:
        if self._client is None:
            self._client = self._engine.client()
        client = self._client
        symbols: dict[int, str] = {m.id: m.symbol for m in self._catalogue.all()}
        if not report.recent:
            self._look_for_damage(client, report, symbols)
        try:
            self._compare(client, report, Tally(report, symbols))
        except ClickHouseError as error:
            if report.repair or not report.damaged:
                raise
            log.error("verify ended at a damaged part: %s", error)
        self._conclude(report)

    def _compare(self, client: Client, report: Report, tally: Tally) -> None:
        first = 0
        if report.recent:
            first = max(0, int(self._clock()) // DAY_S - RECENT_DAYS + 1) * DAY_S
        floors: dict[int, int] = {m.id: m.raw_complete_from for m in self._catalogue.all()}
        for look in looks(client, first, floors):
            self._go_on()
            self._check(client, look, report, tally)
            self._progress = min(look.done, 0.999)

    def _look_for_damage(self, client: Client, report: Report, symbols: dict[int, str]) -> None:
        """Name the parts of tables that cannot be read; they would fail what reads them."""
        known = checkpoints.read(client, salvage.KIND)
        found = [damage for damage in self._repairs.damaged() if damage.key not in known]
        report.damaged = [f"part {d.part} of table {d.table}: {d.reason}" for d in found]
        if found and report.repair:
            self._repairs.salvage(found).result()
        elif found:
            self._remember(report)
        for case in salvage.cases(client):
            report.lost += case.sentences(symbols) if case.state == "done" else []

    def _check(self, client: Client, look: Look, report: Report, tally: Tally) -> None:
        days = [day for each in look.found for day in each.days]
        held = parts(look.piece, days, _HELD_WEIGHT)
        wrong = [found for part in held for found in self._settle(client, part, report)]
        if report.repair and _unequal(wrong):
            self._repair(held, wrong, report)
        tally.add(settled(look.found, wrong), spans(wrong))

    def _settle(self, client: Client, part: Piece, report: Report) -> list[Found]:
        """Return what is wrong in a part for sure."""
        self._go_on()
        if not _unequal(compare(client, part, candles_from(client))):
            return []
        wrong = self._at_rest(part)
        was_equal = report.equal
        report.remaining += _unequal(wrong)
        if was_equal and not report.equal:
            self._remember(report)  # a kill from here on must not leave the word that all is equal
        return wrong

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise _Stopped

    def _at_rest(self, piece: Piece) -> list[Found]:
        def compare_kept(client: Client) -> list[Found]:
            kept = self._above_floors(piece)
            return compare(client, kept, candles_from(client)) if kept.first < kept.end else []

        return self._writer.at_rest(compare_kept).result()

    def _above_floors(self, piece: Piece) -> Piece:
        """Return what is left of a piece if retention took some of it since it was cut."""
        first, last = piece.first_market, piece.last_market
        floors = [m.raw_complete_from for m in self._catalogue.all() if first <= m.id <= last]
        return replace(piece, first=max([piece.first, *map(day_from, floors)]))

    def _repair(self, held: Iterable[Piece], wrong: Sequence[Found], report: Report) -> None:
        """Make the unequal days anew, and count what is unequal all the same."""
        for span in spans(wrong):
            self._go_on()
            self._repairs.repair([span]).result()
        still = sum(_unequal(self._at_rest(part)) for part in held)
        report.remaining += still - _unequal(wrong)

    def _conclude(self, report: Report) -> None:
        self._remember(report)
        if report.equal:
            log.info("verify: %d days checked, candles equal trades", report.days_checked)
        else:
            log.error("verify: %d candles do not equal their trades", report.remaining)

    def _remember(self, report: Report) -> None:
        report.at = int(self._clock())
        told = self.last = deepcopy(report)  # others read it while this one grows
        self._writer.call(lambda client: remember(client, told)).result()


def _unequal(found: Iterable[Found]) -> int:
    return sum(each.unequal for each in found)
