"""Write trades: one thread, one handle, group commit.

In: submissions (trades whose `market_id` is an index into their market specs), retractions, and
calls that must see the store at rest. Out: a future for each. What arrives while an insert runs
goes into the next one. A submission is stored whole or not at all; one that is refused does not
hold up its neighbours.
"""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from appliance.errors import ApplianceError, Retryable
from appliance.metrics import Metrics
from appliance.model import NOTHING, Attached, Checkpoint, MarketSpec, Receipt
from appliance.store.commits import Commits, Retracted, Submission
from appliance.store.engine import Engine, failing

log = logging.getLogger(__name__)
GROUP_ROWS_MAX: Final = 100_000
STOPPING: Final = "the appliance is stopping; send again after its restart"
T = TypeVar("T")


@dataclass(slots=True)
class _Submission:
    content: Submission
    bulk: bool
    future: "Future[Receipt]" = field(default_factory=Future)


@dataclass(slots=True)
class _Call:
    function: Callable[[Client], Any]
    future: "Future[Any]" = field(default_factory=Future)


class Writer:
    """The only thing that writes to the store."""

    def __init__(self, engine: Engine, commits: Commits, metrics: Metrics) -> None:
        """Read nothing before `recover`."""
        self._engine = engine
        self._client: Client
        self._commits = commits
        self._metrics = metrics
        self._queue: queue.SimpleQueue[_Submission | _Call | None] = queue.SimpleQueue()
        self._ahead: deque[_Submission | _Call | None] = deque()  # taken while grouping
        self._thread = threading.Thread(target=self._run, name="store-writer")
        self._closed = threading.Event()

    def recover(self) -> None:
        """Open a handle and bring the store to a state in which candles hold their trades."""
        self._client = self._engine.client()
        self._commits.recover(self._client, int(time.time()))

    def start(self) -> None:
        """Begin to accept submissions."""
        self._thread.start()

    @property
    def started(self) -> int:
        """Return the number of commits begun; `finished` is equal while the store is at rest."""
        return self._commits.started

    @property
    def finished(self) -> int:
        """Return the number of commits published."""
        return self._commits.finished

    @property
    def trades_stored(self) -> int:
        """Return how many trades the store holds."""
        return self._commits.trades_stored

    @property
    def alive(self) -> bool:
        """Return whether the writer's thread runs."""
        return self._thread.is_alive()

    def submit(
        self,
        trades: pa.Table,
        markets: tuple[MarketSpec, ...],
        bulk: bool = False,
        attached: Attached = NOTHING,
    ) -> "Future[Receipt]":
        """Queue trades; the future resolves when they are stored, or fails whole."""
        submission = _Submission(Submission(trades, markets, attached), bulk)
        self._put(submission)
        return submission.future

    def retract(
        self, chain_id: int, from_block: int, checkpoints: tuple[Checkpoint, ...] = ()
    ) -> "Future[Retracted]":
        """Take away a chain's trades from a block on; readers see the state before or after."""
        return self.call(lambda _: self._commits.retract(chain_id, from_block, checkpoints))

    def call(self, function: Callable[[Client], T]) -> "Future[T]":
        """Run `function` between two commits, on the writer's thread and handle."""
        call = _Call(function)
        self._put(call)
        return call.future

    def at_rest(self, function: Callable[[Client], T]) -> "Future[T]":
        """Run `function` like `call`, when the tables hold all that the journal does."""

        def at_rest(client: Client) -> T:
            self._commits.finish()
            return function(client)

        return self.call(at_rest)

    def _put(self, item: _Submission | _Call) -> None:
        if self._closed.is_set():
            raise Retryable(STOPPING)
        self._queue.put(item)

    def close(self) -> None:
        """Store what is queued, then stop; closing again does nothing."""
        if not self._closed.is_set():
            self._closed.set()
            self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()
            self._commits.close()
        self._refuse_late()

    def _refuse_late(self) -> None:
        """Answer what was put between the check of `_closed` and the end of the queue."""
        with suppress(queue.Empty):
            while True:
                item = self._queue.get_nowait()
                if item is not None and item.future.set_running_or_notify_cancel():
                    item.future.set_exception(Retryable(STOPPING))

    # -- the writer's thread --

    def _run(self) -> None:
        while (item := self._next()) is not None:
            if not item.future.set_running_or_notify_cancel():
                continue  # its caller went away; from here on it cannot
            if isinstance(item, _Call):
                self._answer(item)
            else:
                self._commit_group(self._group(item))

    def _next(self) -> _Submission | _Call | None:
        return self._ahead.popleft() if self._ahead else self._queue.get()

    def _group(self, first: _Submission) -> list[_Submission]:
        """Return `first` and the submissions that wait right behind it."""
        group, rows = [first], first.content.trades.num_rows
        while rows < GROUP_ROWS_MAX:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if not isinstance(item, _Submission) or item.bulk != first.bulk:
                self._ahead.append(item)
                break
            if not item.future.set_running_or_notify_cancel():
                continue
            group.append(item)
            rows += item.content.trades.num_rows
        return group

    def _commit_group(self, group: list[_Submission]) -> None:
        try:
            receipts = self._commits.commit([s.content for s in group], group[0].bulk)
        except Exception as error:  # noqa: BLE001 - it goes to the callers who wait for this commit
            if len(group) > 1 and isinstance(error, ApplianceError):
                for submission in group:  # one refusal must not take its neighbours along
                    self._commit_group([submission])
                return
            self._fail(group, error)
            return
        for submission, receipt in zip(group, receipts, strict=True):
            submission.future.set_result(receipt)

    def _fail(self, group: list[_Submission], error: Exception) -> None:
        if isinstance(error, ClickHouseError | OSError):
            log.error("insert failed: %s", error)
            error = failing(error)
        elif not isinstance(error, ApplianceError):
            log.error("commit failed", exc_info=error)
        self._metrics.batches_refused.labels(type(error).__name__).inc(len(group))
        for submission in group:
            submission.future.set_exception(error)

    def _answer(self, call: _Call) -> None:
        try:
            call.future.set_result(call.function(self._client))
        except (ClickHouseError, OSError) as error:
            call.future.set_exception(failing(error))
        except Exception as error:  # noqa: BLE001 - it goes to the caller, who waits for it
            call.future.set_exception(error)
