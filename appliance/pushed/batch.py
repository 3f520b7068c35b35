"""A batch: what was pushed for one chain, in one of the two orders, on its way to trades.

By "chain" an event's place is its block and log index. By "time" it is its microsecond, and among
those of one microsecond a hash of its id; there a mark price counts before the trades that need
it, and an opening before what follows it. The decoder knows only blocks, so such events are given
numbers that stand for their order, and get their real place back afterwards.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final

import numpy as np
import pyarrow as pa

from appliance.chain.counts import ChainMark, Counts, Malformed
from appliance.chain.decode import Decoder
from appliance.chain.event import EventPreset
from appliance.chain.log import Log, Logs
from appliance.chain.market import ContractMarket
from appliance.chain.memory import Memory
from appliance.files.trades import id_tie
from appliance.model import LOG_INDEX_BITS, TRADE_SCHEMA, Mark, MarketSpec, Order
from appliance.pushed.book import Site
from appliance.pushed.recall import Cut
from appliance.pushed.words import key_of, position_of

_RANKS: Final = {"mark": 0, "sync": 0, "open": 1}
_LAST_RANK: Final = 2
_DIGEST: Final = 8
Numbers = tuple[int, int]
"""Block and log index as the decoder is told them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One log of a batch; `index` is its position in what was sent, `trade_id` empty by chain."""

    index: int
    log: Log
    event: EventPreset | None
    trade_id: str = ""
    without_trader: bool = False

    @property
    def sequence(self) -> int:
        """Return its place in its market."""
        if self.trade_id:
            return self.log.time_us
        return (self.log.block_number << LOG_INDEX_BITS) | self.log.log_index

    @property
    def tie(self) -> int:
        """Return what orders it among those of one microsecond."""
        return id_tie(self.trade_id) if self.trade_id else 0


@dataclass(frozen=True, slots=True)
class Result:
    """What a batch became: rows whose `market_id` indexes `specs`, marks, and the counts."""

    trades: pa.Table
    marks: list[Mark]
    specs: tuple[MarketSpec, ...]
    counts: Counts
    malformed: list[tuple[int, Malformed]]
    """Index of each malformed entry that the counts keep as an example."""


@dataclass(slots=True)
class Batch:
    """Entries of one chain and order, and the markets they belong to by (contract, key)."""

    chain_id: int
    order: Order
    entries: list[Entry] = field(default_factory=list)
    sites: dict[str, Site] = field(default_factory=dict)
    markets: dict[tuple[str, str], ContractMarket] = field(default_factory=dict)

    def market_of(self, entry: Entry) -> ContractMarket | None:
        """Return the market of an entry, None where its log does not tell."""
        site, log = self.sites[entry.log.address], entry.log
        key = key_of(entry.event, log.topics, log.data) if site.preset.keyed else ""
        return self.markets.get((log.address, key))

    def positions(self) -> dict[str, list[str]]:
        """Return the positions whose side an earlier event told, by the market's key."""
        found: dict[str, list[str]] = {}
        for entry in self.entries:
            if entry.event is not None and entry.event.recalls_side:
                position = position_of(entry.event, entry.log.topics, entry.log.data)
                market = self.market_of(entry)
                if position and market is not None:
                    found.setdefault(market.market_key, []).append(position)
        return found

    def places(self) -> dict[str, list[tuple[int, int]]]:
        """Return the places of all entries of markets that need an earlier mark price."""
        found: dict[str, list[tuple[int, int]]] = {}
        needing = set()
        for entry in self.entries:
            market = self.market_of(entry) if entry.event is not None else None
            if entry.event is not None and market is not None:
                found.setdefault(market.market_key, []).append((entry.sequence, entry.tie))
                if entry.event.recalls_mark:
                    needing.add(market.market_key)
        return {key: places for key, places in found.items() if key in needing}

    def decode(self, memory: Memory, cuts: Sequence[Cut]) -> Result:
        """Return what the entries become, `memory` and `cuts` being what earlier events told."""
        decoder = Decoder(self.chain_id, [], memory)
        for site in self.sites.values():
            if site.preset.keyed:
                decoder.watch(site.address, site.preset)
        decoder.add(self.markets.values())
        placed = self._placed()
        by_place = _by_place(placed)
        counts, tables, marks = Counts(), [TRADE_SCHEMA.empty_table()], list[Mark]()
        for logs, cut in _runs(placed, cuts):
            if logs:
                decoded = decoder.decode(Logs.of(logs))
                counts.add(decoded.counts)
                tables.append(decoded.trades)
                marks += [self._mark(mark, by_place) for mark in decoded.marks]
            if cut is not None:
                memory.remember_mark(cut.contract, cut.mark)
        malformed = [(by_place[e.block_number, e.log_index].index, e) for e in counts.examples]
        table = self._restored(pa.concat_tables(tables).combine_chunks(), by_place)
        specs = tuple(replace(spec, order=self.order) for spec in decoder.specs)
        return Result(table, marks, specs, counts, malformed)

    def _placed(self) -> list[tuple[Log, Entry]]:
        """Return the logs in order, with numbers that the decoder can order them by."""
        if self.order == "chain":
            ordered = sorted(self.entries, key=lambda e: e.sequence)
            return [(entry.log, entry) for entry in ordered]
        ordered = sorted(self.entries, key=lambda e: (e.log.time_us, _rank(e), e.tie))
        placed: list[tuple[Log, Entry]] = []
        block, index = 0, 0
        for entry in ordered:
            same = bool(placed) and placed[-1][1].log.time_us == entry.log.time_us
            same = same and index + 1 < 1 << LOG_INDEX_BITS
            block, index = (block, index + 1) if same else (block + 1, 0)
            placed.append((entry.log._replace(block_number=block, log_index=index), entry))
        return placed

    def _mark(self, mark: ChainMark, by_place: dict[Numbers, Entry]) -> Mark:
        block, index = mark.sequence >> LOG_INDEX_BITS, mark.sequence % (1 << LOG_INDEX_BITS)
        return Mark(
            *(mark.market, mark.time_us, by_place[block, index].sequence, mark.kind, mark.value),
            label=mark.transaction_hash,
            chain_id=self.chain_id,
            block_number=block if self.order == "chain" else 0,
        )

    def _restored(self, table: pa.Table, by_place: dict[Numbers, Entry]) -> pa.Table:
        """Return the rows with their real places, and without traders that nobody named."""
        columns = (table["block_number"].to_pylist(), table["log_index"].to_pylist())
        entries = [by_place[place] for place in zip(*columns, strict=True)]
        changed: dict[str, pa.Array] = {}
        if any(entry.without_trader for entry in entries):
            traders = zip(entries, table["trader"].to_pylist(), strict=True)
            named = ["" if entry.without_trader else trader for entry, trader in traders]
            changed["trader"] = pa.array(named, pa.string())
        if self.order == "time":
            changed["sequence"] = pa.array([e.sequence for e in entries], pa.uint64())
            changed["tie"] = pa.array([e.tie for e in entries], pa.uint64())
            changed["trade_id"] = pa.array([e.trade_id for e in entries], pa.string())
            zeros = np.zeros(len(entries), np.uint64)
            changed["block_number"] = pa.array(zeros)
            changed["log_index"] = pa.array(zeros.astype(np.uint32))
        for name, column in changed.items():
            index = table.schema.get_field_index(name)
            table = table.set_column(index, table.schema.field(index), column)
        return table


def made_id(transaction_hash: str, event: EventPreset, topics: Sequence[str], data: str) -> str:
    """Return the id of an event without a log index: transaction, event, position.

    Where the event is of no position, a digest of what it says stands for it: two swaps of one
    transaction are two, unless they are equal to the last digit.
    """
    position = position_of(event, topics, data) if event.form.position else ""
    if not position:
        said = "".join([*topics, data]).lower().encode()
        position = blake2b(said, digest_size=_DIGEST).hexdigest()
    return f"{transaction_hash}:{event.event.name}:{position}"


def _rank(entry: Entry) -> int:
    return _RANKS.get(entry.event.form.kind, _LAST_RANK) if entry.event else _LAST_RANK


def _by_place(placed: Iterable[tuple[Log, Entry]]) -> dict[Numbers, Entry]:
    found: dict[Numbers, Entry] = {}
    for log, entry in placed:
        found.setdefault((log.block_number, log.log_index), entry)
    return found


def _runs(
    placed: Sequence[tuple[Log, Entry]], cuts: Iterable[Cut]
) -> Iterator[tuple[list[Log], Cut | None]]:
    """Yield the logs in pieces, each with the cut that follows it.

    Contracts with cuts come alone: others may need what a piece remembers of its blocks.
    """
    by_address: dict[str, list[Cut]] = {}
    for cut in sorted(cuts, key=lambda cut: cut.sequence):
        by_address.setdefault(cut.contract.partition(":")[0], []).append(cut)
    yield [log for log, _ in placed if log.address not in by_address], None
    for address, own in by_address.items():
        waiting = [(log, entry) for log, entry in placed if log.address == address]
        for cut in own:
            before = [log for log, entry in waiting if entry.sequence < cut.sequence]
            yield before, cut
            waiting = waiting[len(before) :]
        yield [log for log, _ in waiting], None
