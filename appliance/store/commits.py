"""What one commit does, step by step; the writer decides when.

submissions → markets get ids → known trades are dropped → journal entries → tables → published.
An entry that is in the journal will be applied: if the engine fails in the middle, the next commit
begins by finishing it.
"""

import logging
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import replace as copy
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from msgspec.structs import replace

from appliance.errors import DiskFull
from appliance.metrics import Metrics
from appliance.model import (
    NOTHING,
    TRADE_SCHEMA,
    Attached,
    Checkpoint,
    Commit,
    Market,
    MarketSpec,
    Receipt,
    Revision,
)
from appliance.store.apply import (
    apply,
    emptied,
    mend,
    replay,
    retracted_spans,
    row_of,
    spans_of,
)
from appliance.store.bounds import Bounds
from appliance.store.catalogue import Catalogue
from appliance.store.damage import Damage, damaged, damaged_at_start
from appliance.store.engine import failing
from appliance.store.enrol import Enrolment, load_markets
from appliance.store.gate import Gate
from appliance.store.ids import Ids
from appliance.store.journal import Entry, Header, Journal, Span, boot_id
from appliance.store.known import duplicates
from appliance.store.reader import select
from appliance.store.rebuild import rebuild
from appliance.store.salvage import begin, finish

log = logging.getLogger(__name__)
MONTHS_MAX: Final = 24
"""Months in one entry: the engine remembers tokens of so many parts, not of so many inserts."""
_RECENT_S: Final = 2 * 86_400
_ALWAYS: Final = (1 << 32) - 1
"""The last second that the engine knows."""


class Submission(NamedTuple):
    """Trades whose `market_id` is an index into `markets`, and what is stored with them."""

    trades: pa.Table
    markets: tuple[MarketSpec, ...]
    attached: Attached = NOTHING


@dataclass(frozen=True, slots=True)
class Retracted:
    """What a retraction took away, by market."""

    revisions: tuple[Revision, ...]
    kept_below: tuple[int, ...] = ()
    """Ids of markets with retracted blocks in candles that retention left without trades."""


class Commits:
    """Applies submissions and retractions; used by the writer's thread alone."""

    def __init__(
        self,
        catalogue: Catalogue,
        journal: Journal,
        gate: Gate,
        publish: Callable[[Commit], None],
        metrics: Metrics,
        bounds: Bounds,
    ) -> None:
        """Touch nothing before `recover`."""
        self._client: Client
        self._catalogue = catalogue
        self._journal = journal
        self._gate = gate
        self._publish = publish
        self._metrics = metrics
        self._bounds = bounds
        self._high_water: dict[int, int] = {}
        self._ids = Ids()
        self._unfinished: deque[Entry] = deque()
        self._behind: int | None = None
        self._syncer = ThreadPoolExecutor(1, thread_name_prefix="journal-sync")
        self.started = 0
        self.finished = 0
        self.trades_stored = 0

    def recover(self, client: Client, now: int) -> None:
        """Bring the store to a state in which every candle holds its trades."""
        self._client = client
        try:
            self._recover(damaged_at_start(client), now)
        except ClickHouseError as error:
            self._recover_worse(error, now)
        self._bounds.load(client)
        self.recount()

    def _recover_worse(self, error: ClickHouseError, now: int) -> None:
        """Recover once more where a part that cannot be read or a full disk prevented it."""
        if isinstance(failing(error), DiskFull):
            log.error("the journal waits for room on the disk: %s", error)
            self._behind = now
            return
        found = damaged(self._client)
        if not found:
            raise error
        self._recover(found, now)

    def _recover(self, found: list[Damage], now: int) -> None:
        client = self._client
        cases = begin(client, found)
        entries = self._journal.open(everything=bool(cases))
        mended = replay(client, entries, self._gate, lost_parts=bool(cases))
        finish(client, cases)
        for entry in entries:
            self._journal.done(entry)
        self._journal.settle()
        self._behind = None
        since = 0 if self._journal.torn else now - _RECENT_S
        mended += mend(client, [m.id for m in load_markets(client)], since, now)
        if entries or mended:
            log.info("journal: %d entries applied again, %d days mended", len(entries), mended)

    def recount(self) -> None:
        """Read how many trades there are, and up to where."""
        columns = select(self._client, "select_high_water", {})
        self._high_water = dict(zip(*columns, strict=True)) if columns else {}
        columns = select(self._client, "select_trade_count", {})
        self.trades_stored = int(columns[0][0]) if columns else 0
        self._metrics.trades_stored.set(self.trades_stored)

    def close(self) -> None:
        """Have everything written out, so that the next start has nothing to repeat."""
        self._syncer.shutdown()
        if not self.pending:
            self._journal.settle()

    @property
    def pending(self) -> bool:
        """Return whether something in the journal waits that no commit is busy with."""
        resting = self.started == self.finished
        return (resting and bool(self._unfinished)) or self._behind is not None

    def rest(self) -> None:
        """Finish what is unfinished, and forget what is done: nothing is applied again."""
        self.finish()
        self._journal.settle()

    def commit(self, group: Sequence[Submission], bulk: bool = False) -> list[Receipt]:
        """Store the new rows of all submissions, and return a receipt for each."""
        self.started += 1
        try:
            with self._metrics.commit_seconds.time():
                self._bounds.require_room()
                self.finish()
                enrolment = Enrolment(self._catalogue)
                tables = [enrolment.renumber(each.trades, each.markets) for each in group]
                table = pa.concat_tables(tables).combine_chunks()
                self._bounds.refuse_old(table, enrolment.markets)
                known = duplicates(self._client, table, self._high_water, self._ids)
                fresh = table.filter(pa.array(~known)) if known.any() else table
                self._journalled(fresh, enrolment, _attached(group, enrolment), bulk)
                self.finish()
            return _receipts(tables, table, known)
        finally:
            self.finished = self.started

    def _journalled(
        self, fresh: pa.Table, enrolment: Enrolment, attached: Attached, bulk: bool
    ) -> None:
        """Write the entries; from here on the rows and their markets will be stored."""
        if not fresh.num_rows and not attached:
            return
        rows = [row_of(market) for market in enrolment.changed]
        header = Header("", "trades", boot_id(), rows, bulk=bulk)
        parts = [
            (replace(header, id=uuid.uuid4().hex, spans=spans_of(part)), part)
            for part in _by_months(fresh)
        ]
        header, part = parts[-1]
        parts[-1] = replace(header, attached=attached), part  # true only with all before it
        self._unfinished += self._journal.append(parts)
        for market in enrolment.changed:
            self._catalogue.put(market)

    def finish(self) -> None:
        """Apply the entries that are in the journal but not yet in the tables."""
        if self._behind is not None:
            self._recover([], self._behind)
            self._catalogue.load(load_markets(self._client))
            self.recount()
            self._told_again()
        while self._unfinished:
            entry = self._unfinished[0]
            synced = self._syncer.submit(self._journal.sync, entry)
            self._apply(entry)
            synced.result()
            if entry.header.kind == "retract":
                self._retracted(entry.header)  # reads: if it fails, all of the entry is repeated
            self._journal.done(entry)
            self._unfinished.popleft()
            if entry.header.kind == "trades" and entry.trades.num_rows:
                self._stored(entry.trades, entry.header.bulk)

    def _told_again(self) -> None:
        """Publish that any candle may have changed: the journal was replayed while all ran."""
        markets = tuple(self._catalogue.all())
        revisions = tuple(Revision(m.id, 0, _ALWAYS, "repair") for m in markets)
        self._publish(Commit(self.started, TRADE_SCHEMA.empty_table(), markets, revisions))

    def _apply(self, entry: Entry) -> None:
        below = self._bounds.below(entry.header.spans)
        if entry.header.kind == "retract" or not below:
            apply(self._client, entry, self._gate)
            return
        with self._gate.closed():  # nobody sees the pieces of candles that late trades make
            apply(self._client, entry, self._gate)
            self._bounds.forget(self._client, below)

    def _stored(self, trades: pa.Table, bulk: bool) -> None:
        groups = trades.group_by("market_id").aggregate([("sequence", "max")])
        ids, highest = (column.to_pylist() for column in groups.columns)
        for market_id, sequence in zip(ids, highest, strict=True):
            self._high_water[market_id] = max(sequence, self._high_water.get(market_id, 0))
        self._metrics.commit_rows.observe(trades.num_rows)
        self.trades_stored += pc.sum(pc.not_equal(trades["kind"], "mark")).as_py()
        self._metrics.trades_stored.set(self.trades_stored)
        markets = tuple(self._catalogue.get(market_id) for market_id in ids)
        self._publish(Commit(self.started, trades, markets, bulk=bulk))

    def retract(
        self, chain_id: int, from_block: int, checkpoints: tuple[Checkpoint, ...] = ()
    ) -> Retracted:
        """Take away a chain's trades from a block on, as if they had never been stored.

        `checkpoints` say in the same step how far the source has gone back.
        """
        self.started += 1
        try:
            self._bounds.require_room()
            self.finish()
            markets = [m for m in self._catalogue.all() if _on_chain(m, chain_id)]
            ids = [m.id for m in markets]
            spans = retracted_spans(self._client, ids, from_block) if ids else []
            below = self._bounds.retracted_below(self._client, markets, from_block)
            where = {"chain": chain_id, "block": from_block}
            has_marks = bool(select(self._client, "select_marks_from", where)[0][0])
            if not (spans or checkpoints or has_marks):
                return Retracted((), below)
            touched = {span.market_id: self._catalogue.get(span.market_id) for span in spans}
            header = Header(
                uuid.uuid4().hex,
                "retract",
                boot_id(),
                [row_of(m) for m in touched.values()],
                chain_id,
                from_block,
                spans,
                attached=Attached(checkpoints=checkpoints),
            )
            self._unfinished += self._journal.append([(header, TRADE_SCHEMA.empty_table())])
            self.finish()
            return Retracted(_revisions(header), below)
        finally:
            self.finished = self.started

    def repair(self, spans: Sequence[Span]) -> None:
        """Make the candles of whole days anew, and publish that they changed."""
        self.started += 1
        try:
            self._bounds.require_room()
            self.finish()
            with self._gate.closed():
                for span in spans:
                    rebuild(self._client, span)
            self.recount()
            touched = {span.market_id for span in spans}
            markets = tuple(m for m in self._catalogue.all() if m.id in touched)
            revisions = tuple(Revision(s.market_id, s.first, s.last, "repair") for s in spans)
            self._publish(Commit(self.started, TRADE_SCHEMA.empty_table(), markets, revisions))
        finally:
            self.finished = self.started

    def _retracted(self, header: Header) -> None:
        markets = tuple(self._catalogue.get(row.id) for row in header.markets)
        for market in emptied(self._client, header):
            self._catalogue.put(market)
        self.recount()
        empty = TRADE_SCHEMA.empty_table()
        self._publish(Commit(self.started, empty, markets, _revisions(header)))


def _attached(group: Sequence[Submission], enrolment: Enrolment) -> Attached:
    """Return what comes with all submissions, with real market ids."""
    marks = []
    for each in group:
        ids = {m.market: enrolment.known(each.markets[m.market]) for m in each.attached.marks}
        marks += [copy(m, market=i) for m in each.attached.marks if (i := ids[m.market])]
    checkpoints = tuple(c for each in group for c in each.attached.checkpoints)
    return Attached(tuple(marks), checkpoints)


def _revisions(header: Header) -> tuple[Revision, ...]:
    return tuple(Revision(s.market_id, s.first, s.last) for s in header.spans)


def _on_chain(market: Market, chain_id: int) -> bool:
    return market.spec.order == "chain" and market.spec.chain_id == chain_id


def _by_months(trades: pa.Table) -> list[pa.Table]:
    """Return the rows in parts that cover at most MONTHS_MAX months each."""
    time = trades["time"]
    month = pc.add(pc.multiply(pc.year(time), 12), pc.month(time))
    lowest = pc.min(month).as_py() if len(trades) else 0
    group = pc.divide(pc.subtract(month, lowest), MONTHS_MAX)
    numbers = sorted(pc.unique(group).to_pylist())
    if len(numbers) <= 1:
        return [trades]
    return [trades.filter(pc.equal(group, number)) for number in numbers]


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
