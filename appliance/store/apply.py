"""Apply entries of the journal to the tables: once or again, the outcome is the same."""

import logging
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client

from appliance.model import Attached, Market, MarketId
from appliance.store import checkpoints
from appliance.store.enrol import EMPTY, insert_markets
from appliance.store.gate import Gate
from appliance.store.journal import Entry, Header, MarketRow, Span, boot_id
from appliance.store.known import stored
from appliance.store.reader import select
from appliance.store.rebuild import days, rebuild_all, run, unequal

log = logging.getLogger(__name__)
_INSERT: Final = {
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "max_partitions_per_insert_block": 0,
}
_MARKS: Final = pa.schema(
    [
        ("market_id", pa.uint32()),
        ("time", pa.timestamp("us", tz="UTC")),
        ("sequence", pa.uint64()),
        ("kind", pa.string()),
        ("value", pa.float64()),
        ("label", pa.string()),
        ("chain_id", pa.uint64()),
        ("block_number", pa.uint64()),
    ]
)
"""The columns of table `marks`, in the order of the fields of `Mark`."""


def apply(client: Client, entry: Entry, gate: Gate) -> None:
    """Bring the tables to the state after `entry`."""
    if entry.header.kind == "trades":
        insert_markets(client, [market_of(row) for row in entry.header.markets])
        if entry.trades.num_rows:
            token = {"insert_deduplication_token": entry.header.id}
            client.insert_arrow("trades", entry.trades, settings={**_INSERT, **token})
        _attach(client, entry.header.attached)
    else:
        with gate.closed():
            _retract(client, entry.header)
            _attach(client, entry.header.attached)


def _attach(client: Client, attached: Attached) -> None:
    """Store marks and checkpoints; the tables keep the newest of each, so again is no harm."""
    if attached.marks:
        rows = zip(*map(astuple, attached.marks), strict=True)
        columns = [pa.array(column, f.type) for column, f in zip(rows, _MARKS, strict=True)]
        client.insert_arrow("marks", pa.Table.from_arrays(columns, schema=_MARKS))
    checkpoints.write_all(client, attached.checkpoints)


def replay(
    client: Client, entries: Iterable[Entry], gate: Gate, *, lost_parts: bool = False
) -> int:
    """Apply entries again, in order, and mend the candles they touch; return days mended.

    After a power cut, or where parts were lost, a token proves nothing: the engine may know it and
    have lost the rows, or a retraction that is applied again takes away what a later entry stored.
    Rows are looked up then.
    Candles that lost one entry and hold another twice have the right number of rows: they are all
    made anew.
    """
    touched: list[Span] = []
    doubtful: list[Span] = []
    current = boot_id()
    for entry in entries:
        if lost_parts or entry.outlived_its_boot(current):
            apply(client, _missing(client, entry), gate)
            doubtful += entry.header.spans
        else:
            apply(client, entry, gate)
            touched += entry.header.spans
    rebuild_all(client, _united(doubtful))
    mended = 0
    for span in _united(touched):
        mended += mend(client, [span.market_id], span.first, span.last)
    return mended


def _missing(client: Client, entry: Entry) -> Entry:
    """Return an entry that stores the rows of `entry` that are not stored."""
    trades = entry.trades.filter(pa.array(~stored(client, entry.trades)))
    return Entry(entry.number, msgspec.structs.replace(entry.header, id=uuid.uuid4().hex), trades)


def mend(client: Client, markets: list[int], first: int, last: int) -> int:
    """Rebuild the days in [first, last] whose candles differ from their trades in number."""
    broken = unequal(client, markets, first, last) if markets else []
    for span in broken:
        log.warning("candles of market %d on day %d did not hold all trades: rebuilt", *_day(span))
    for day in dict.fromkeys(span.first for span in broken):
        rebuild_all(client, [span for span in broken if span.first == day])
    return len(broken)


def spans_of(trades: pa.Table) -> list[Span]:
    """Return the seconds that trades cover, by market."""
    groups = trades.group_by("market_id").aggregate([("time", "min"), ("time", "max")])
    rows = zip(
        groups["market_id"].to_pylist(),
        pc.divide(groups["time_min"].cast("int64"), 1_000_000).to_pylist(),
        pc.divide(groups["time_max"].cast("int64"), 1_000_000).to_pylist(),
        strict=True,
    )
    return [Span(*row) for row in rows]


def retracted_spans(client: Client, markets: Sequence[int], from_block: int) -> list[Span]:
    """Return the seconds that trades at or after a block cover, by market."""
    columns = select(client, "select_spans", {"markets": list(markets), "block": from_block})
    return [Span(*row) for row in zip(*columns, strict=True)] if columns else []


def _retract(client: Client, header: Header) -> None:
    if header.spans:
        low, high = min(s.first for s in header.spans), max(s.last for s in header.spans)
        spans = [Span(s.market_id, low, high) for s in header.spans]
        first, end = days(spans[0])
        ids = [span.market_id for span in spans]
        where = {"markets": ids, "from": first, "to": end, "block": header.from_block}
        run(client, "delete_trades", where)
        rebuild_all(client, spans)
    run(client, "delete_marks", {"chain": header.chain_id, "block": header.from_block})
    insert_markets(client, emptied(client, header))


def emptied(client: Client, header: Header) -> list[Market]:
    """Return the markets of a retraction that have no candle left, as they are stored now."""
    ids = [row.id for row in header.markets]
    columns = select(client, "select_newest", {"markets": ids}) if ids else ()
    alive = set(columns[0]) if columns else set()
    gone = [market_of(row) for row in header.markets if row.id not in alive]
    return [replace(market, status=EMPTY) for market in gone]


def _united(spans: list[Span]) -> list[Span]:
    """Return one span for each market, from its first second to its last."""
    by_market: dict[int, Span] = {}
    for span in spans:
        known = by_market.get(span.market_id, span)
        first, last = min(known.first, span.first), max(known.last, span.last)
        by_market[span.market_id] = Span(span.market_id, first, last)
    return list(by_market.values())


def _day(span: Span) -> tuple[int, int]:
    return span.market_id, span.first


def row_of(market: Market) -> MarketRow:
    """Return a market as an entry stores it."""
    return MarketRow(market.id, market.spec, market.status, market.raw_complete_from)


def market_of(row: MarketRow) -> Market:
    """Return a market as the catalogue holds it."""
    return Market(MarketId(row.id), row.spec, row.status, row.raw_complete_from)
