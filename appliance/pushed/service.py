"""The road of pushed events and logs: believed, ordered, decoded, stored in one step.

Events are named and come with arguments; all of them are stored, or the first wrong one is named.
Logs come from webhooks, which send them again until they are taken: what is foreign or malformed
is counted, and no reason to refuse the rest.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

import pyarrow as pa
import pyarrow.compute as pc

from appliance.chain.memory import Memory
from appliance.errors import BadRequest
from appliance.files.checks import AHEAD_US
from appliance.ingest import Ingest
from appliance.model import TRADE_SCHEMA, Attached, Checkpoint, Mark, MarketSpec, Receipt
from appliance.pushed import batches as made
from appliance.pushed import event as events
from appliance.pushed import recall
from appliance.pushed.batch import Batch, Result
from appliance.pushed.batches import Batches
from appliance.pushed.book import Book, Place
from appliance.pushed.recall import Cut, Stored
from appliance.rpc.records import LogRecord
from appliance.store.reader import Reader

log = logging.getLogger(__name__)
EVENTS: Final = "events"
WEBHOOK: Final = "webhook"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of what was sent; each event or log is counted once.

    accepted, duplicates: trades that are new, or were stored before. marks: prices and funding
    rates, new or not. ignored: what means nothing here. followed: of contracts whose logs are
    read from a node. foreign: of contracts that are not believed. malformed: logs that do not
    hold what their event promises.
    """

    accepted: int = 0
    duplicates: int = 0
    marks: int = 0
    ignored: int = 0
    followed: int = 0
    foreign: int = 0
    malformed: int = 0


class Pushed:
    """Takes events and logs; requests about one contract are stored one after another."""

    def __init__(
        self,
        book: Book,
        reader: Reader,
        ingest: Ingest,
        *,
        create: bool,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Believe whom `book` believes; with `create`, events make markets of strangers."""
        self._book = book
        self._reader = reader
        self._ingest = ingest
        self._create = create
        self._clock = clock
        self._locks: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()

    async def events(self, sent: Sequence[Any], *, one: bool = False) -> Outcome:
        """Store events; durable on return. `one` was sent alone and is called by no index.

        Raises:
            BadRequest: an event is wrong; the first is named, and nothing is stored.
            UnknownSymbol: a contract is not known, and no market may be made of it.
            Conflict: an event is stored already, with other content.
            Retryable: the store fails.
        """
        await self._book.load()
        latest_us = self._clock() // 1_000 + AHEAD_US

        def sort() -> Batches:
            read = events.read(sent, latest_us, one=one)
            return made.of_events(read, self._book, create=self._create)

        return await self._take(await asyncio.to_thread(sort), EVENTS, one=one)

    async def logs(self, records: Sequence[LogRecord], chain_id: int | None = None) -> Outcome:
        """Store logs of one chain (None: the one that is known); durable on return.

        Raises:
            BadRequest: the time of a block or the tokens of a market are not known.
            Conflict: a log is stored already, with other content.
            Retryable: the store fails.
        """
        await self._book.load()
        chain_id = chain_id or self._book.default_chain_id()
        found = await asyncio.to_thread(made.of_logs, records, chain_id, self._book)
        return await self._take(found, WEBHOOK)

    async def _take(self, found: Batches, source: str, *, one: bool = False) -> Outcome:
        places = {(b.chain_id, address) for b in found.all for address in b.sites}
        async with AsyncExitStack() as held:
            for place in sorted(places):  # everybody in the same order, or two wait for ever
                await held.enter_async_context(self._locks.setdefault(place, asyncio.Lock()))
            results = [await self._decoded(batch) for batch in found.all]
            if source == EVENTS:
                _refuse_malformed(results, one=one)
            receipt = await self._submit(found.all, results, source)
        self._book.wake(found.sites_followed)
        _tell_malformed(results)
        counts = [result.counts for result in results]
        trades = receipt.accepted + receipt.duplicates
        return Outcome(
            receipt.accepted,
            receipt.duplicates,
            marks=sum(c.decoded for c in counts) - trades,
            ignored=found.ignored + sum(c.ignored for c in counts),
            followed=found.followed,
            foreign=found.foreign + sum(c.foreign for c in counts),
            malformed=sum(c.malformed for c in counts),
        )

    async def _decoded(self, batch: Batch) -> Result:
        """Return what a batch becomes, being told what earlier events said."""
        memory, cuts = Memory(), list[Cut]()
        stored: dict[str, Stored] = {}
        for market in batch.markets.values():
            known = self._book.stored(market)
            if known is not None:
                stored[market.market_key] = Stored(market, known.id)
        for key, positions in batch.positions().items():
            if key in stored:
                await recall.sides(memory, stored[key], positions, self._reader)
        for key, places in batch.places().items():
            if key in stored:
                cuts += await recall.marks(stored[key], places, self._reader)
        return await asyncio.to_thread(batch.decode, memory, cuts)

    async def _submit(
        self, batches: Sequence[Batch], results: Sequence[Result], source: str
    ) -> Receipt:
        """Store all batches in one step, and what must be remembered of new markets."""
        tables, specs, marks = [TRADE_SCHEMA.empty_table()], list[MarketSpec](), list[Mark]()
        facts: list[Checkpoint] = []
        for batch, result in zip(batches, results, strict=True):
            tables.append(_shifted(result.trades, len(specs)))
            marks += [_shifted_mark(mark, len(specs)) for mark in result.marks]
            specs += result.specs
            facts += self._facts(batch, result)
        trades = pa.concat_tables(tables).combine_chunks()
        if not trades.num_rows and not marks:
            return Receipt(0, 0)
        attached = Attached(tuple(marks), tuple(facts))
        receipt = await self._ingest.submit(trades, specs, source, attached=attached)
        for batch in batches:
            for market in batch.markets.values():
                if self._book.stored(market) is not None:
                    self._book.remember(market, batch.chain_id)
        return receipt

    def _facts(self, batch: Batch, result: Result) -> list[Checkpoint]:
        """Return what must be remembered of the markets that get trades."""
        traded = set(pc.unique(result.trades["market_id"]).to_pylist())
        facts = [
            self._book.facts(market, batch.chain_id)
            for index, market in enumerate(batch.markets.values())
            if index in traded
        ]
        return [fact for fact in facts if fact is not None]


def _shifted(trades: pa.Table, by: int) -> pa.Table:
    """Return trades whose markets come after `by` others."""
    column = pc.add(trades["market_id"], pa.scalar(by, pa.uint32()))
    return trades.set_column(0, trades.schema.field(0), column)


def _shifted_mark(mark: Mark, by: int) -> Mark:
    return Mark(
        mark.market + by,
        *(mark.time_us, mark.sequence, mark.kind, mark.value),
        *(mark.label, mark.chain_id, mark.block_number),
    )


def _refuse_malformed(results: Sequence[Result], *, one: bool) -> None:
    """Refuse events that cannot be decoded; the first that is known is named."""
    found = [each for result in results for each in result.malformed]
    if found:
        index, example = min(found, key=lambda each: each[0])
        where = "event" if one else f"events[{index}]"
        raise BadRequest(f"{where} cannot be taken, {example.event}: {example.reason}", where)


def _tell_malformed(results: Sequence[Result]) -> None:
    for result in results:
        for _, example in result.malformed:
            log.warning(
                "webhook: block %d, log index %d: malformed %s left out: %s",
                *(example.block_number, example.log_index, example.event, example.reason),
            )
