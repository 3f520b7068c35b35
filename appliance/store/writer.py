"""Write trades: one thread, one handle, group commit.

In: submissions (trades whose `market_id` is an index into their market specs). Out: a receipt when
the rows are stored, and a `Commit` of exactly the new rows, published before the receipt, in
commit order. What arrives while an insert runs goes into the next one. A submission is stored
whole or not at all; one that is refused does not hold up its neighbours.
"""

import logging
import queue
import threading
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from appliance.errors import ApplianceError, Retryable
from appliance.metrics import Metrics
from appliance.model import Commit, Market, MarketSpec, Receipt
from appliance.store.catalogue import Catalogue
from appliance.store.engine import Engine, failing
from appliance.store.enrol import Enrolment, insert_markets
from appliance.store.known import duplicates
from appliance.store.reader import select

log = logging.getLogger(__name__)
GROUP_ROWS_MAX: Final = 100_000
T = TypeVar("T")
_INSERT: Final = {
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "max_partitions_per_insert_block": 0,  # a batch may span any number of months
}


@dataclass(slots=True)
class _Submission:
    trades: pa.Table
    markets: tuple[MarketSpec, ...]
    future: "Future[Receipt]" = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class _Insert:
    """Rows on their way; sent again under the same token they count once."""

    rows: pa.Table
    markets: tuple[Market, ...]
    token: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(slots=True)
class _Call:
    function: Callable[[Client], Any]
    future: "Future[Any]" = field(default_factory=Future)


class Writer:
    """The only thing that writes to the store."""

    def __init__(
        self,
        engine: Engine,
        catalogue: Catalogue,
        publish: Callable[[Commit], None],
        metrics: Metrics,
    ) -> None:
        """Read nothing yet; `publish` is called on the writer's thread."""
        self._engine = engine
        self._client: Client
        self._catalogue = catalogue
        self._publish = publish
        self._metrics = metrics
        self._queue: queue.SimpleQueue[_Submission | _Call | None] = queue.SimpleQueue()
        self._ahead: deque[_Call | None] = deque()  # taken from the queue while grouping
        self._thread = threading.Thread(target=self._run, name="store-writer")
        self._high_water: dict[int, int] = {}
        self._unanswered: _Insert | None = None
        self._closed = threading.Event()
        self.started = 0
        """Commits begun; equal to `finished` while the store is at rest."""
        self.finished = 0
        """Commits published."""
        self.trades_stored = 0

    def start(self) -> None:
        """Open a handle, read what is stored, and begin to accept submissions."""
        self._client = self._engine.client()
        if columns := select(self._client, "select_high_water", {}):
            self._high_water = dict(zip(*columns, strict=True))
        if columns := select(self._client, "select_trade_count", {}):
            self.trades_stored = int(columns[0][0])
        self._metrics.trades_stored.set(self.trades_stored)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Return whether the writer's thread runs."""
        return self._thread.is_alive()

    def submit(self, trades: pa.Table, markets: tuple[MarketSpec, ...]) -> "Future[Receipt]":
        """Queue trades; the future resolves when they are stored, or fails whole."""
        submission = _Submission(trades, markets)
        self._put(submission)
        return submission.future

    def call(self, function: Callable[[Client], T]) -> "Future[T]":
        """Run `function` between two commits, on the writer's thread and handle."""
        call = _Call(function)
        self._put(call)
        return call.future

    def _put(self, item: _Submission | _Call) -> None:
        if self._closed.is_set():
            raise Retryable("the appliance is stopping; send again after its restart")
        self._queue.put(item)

    def close(self) -> None:
        """Store what is queued, then stop; closing again does nothing."""
        if not self._closed.is_set():
            self._closed.set()
            self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()

    # -- the writer's thread --

    def _run(self) -> None:
        while (item := self._next()) is not None:
            if isinstance(item, _Call):
                self._answer(item)
            else:
                self._commit_group(self._group(item))

    def _next(self) -> _Submission | _Call | None:
        return self._ahead.popleft() if self._ahead else self._queue.get()

    def _group(self, first: _Submission) -> list[_Submission]:
        """Return `first` and the submissions that wait right behind it."""
        group, rows = [first], first.trades.num_rows
        while rows < GROUP_ROWS_MAX:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if not isinstance(item, _Submission):
                self._ahead.append(item)
                break
            group.append(item)
            rows += item.trades.num_rows
        return group

    def _commit_group(self, group: list[_Submission]) -> None:
        try:
            receipts = self._commit(group)
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
        if isinstance(error, ClickHouseError):
            log.error("insert failed: %s", error)
            error = failing(error)
        elif not isinstance(error, ApplianceError):
            log.error("commit failed", exc_info=error)
        self._metrics.batches_refused.labels(type(error).__name__).inc(len(group))
        for submission in group:
            submission.future.set_exception(error)

    def _commit(self, group: list[_Submission]) -> list[Receipt]:
        """Store the new rows of all submissions with one insert."""
        self.started += 1
        try:
            self._finish_unanswered()
            with self._metrics.commit_seconds.time():
                enrolment = Enrolment(self._catalogue)
                tables = [enrolment.renumber(s.trades, s.markets) for s in group]
                table = pa.concat_tables(tables).combine_chunks()
                known = duplicates(self._client, table, self._high_water)
                fresh = table.filter(pa.array(~known)) if known.any() else table
                self._store(fresh, enrolment)
            self._published(fresh, enrolment.markets)
            return _receipts(tables, table, known)
        finally:
            self.finished = self.started

    def _finish_unanswered(self) -> None:
        """Send again, before any look-up, what a server may have stored without saying so."""
        if self._unanswered is not None:
            insert = self._unanswered
            self._insert(insert)
            self._unanswered = None
            self._published(insert.rows, insert.markets)
            self.started += 1  # it was a commit of its own

    def _store(self, fresh: pa.Table, enrolment: Enrolment) -> None:
        insert_markets(self._client, enrolment.changed)
        for market in enrolment.changed:
            self._catalogue.put(market)
        if not fresh.num_rows:
            return
        insert = _Insert(fresh, enrolment.markets)
        try:
            self._insert(insert)
        except OperationalError as error:
            if error.code is None:  # the connection failed: nobody knows what happened
                self._unanswered = insert
            raise

    def _insert(self, insert: _Insert) -> None:
        settings = {**_INSERT, "insert_deduplication_token": insert.token}
        self._client.insert_arrow("trades", insert.rows, settings=settings)

    def _published(self, fresh: pa.Table, markets: tuple[Market, ...]) -> None:
        if not fresh.num_rows:
            return
        highest = fresh.group_by("market_id").aggregate([("sequence", "max")])
        for market_id, sequence in zip(*(c.to_pylist() for c in highest.columns), strict=True):
            self._high_water[market_id] = max(sequence, self._high_water.get(market_id, 0))
        self._metrics.commit_rows.observe(fresh.num_rows)
        self.trades_stored += pc.sum(pc.not_equal(fresh["kind"], "mark")).as_py()
        self._metrics.trades_stored.set(self.trades_stored)
        self._publish(Commit(self.started, fresh, markets))

    def _answer(self, call: _Call) -> None:
        try:
            call.future.set_result(call.function(self._client))
        except ClickHouseError as error:
            call.future.set_exception(failing(error))
        except Exception as error:  # noqa: BLE001 - it goes to the caller, who waits for it
            call.future.set_exception(error)


def _receipts(tables: list[pa.Table], table: pa.Table, known: Any) -> list[Receipt]:
    """Return accepted and duplicate trades of each submission; marks are not counted."""
    is_trade = pc.not_equal(table["kind"], "mark").to_numpy()
    receipts, start = [], 0
    for part in tables:
        rows = slice(start, start + part.num_rows)
        duplicate = int((known[rows] & is_trade[rows]).sum())
        receipts.append(Receipt(int(is_trade[rows].sum()) - duplicate, duplicate))
        start += part.num_rows
    return receipts
