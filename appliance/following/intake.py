"""From logs to stored trades: decode, and store in one step with how far the chain is processed.

After a kill everything goes on from what is stored: the trail and the discovered markets are read
back, the decoder's memory is recalled from the trades.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from appliance.chain.counts import Counts
from appliance.chain.decode import Decoded, Decoder
from appliance.following.beliefs import Beliefs
from appliance.following.chains import ChainTerms
from appliance.following.discovery import Discovered, Discovery
from appliance.following.reader import Pool, columns
from appliance.following.recall import recall
from appliance.following.tokens import Tokens
from appliance.following.trail import Block, Trail
from appliance.ingest import Ingest
from appliance.model import TRADE_SCHEMA, Attached, Checkpoint
from appliance.rpc.records import LogRecord
from appliance.store import checkpoints
from appliance.store.store import Store

SOURCE: Final = "chain"


class Intake:
    """What one chain's logs become.

    After a failure only `load` brings it back to what is stored.
    """

    def __init__(
        self,
        chain_id: int,
        terms: ChainTerms,
        tokens: Tokens,
        pool: Pool,
        store: Store,
        ingest: Ingest,
    ) -> None:
        """Nothing is read before `load`."""
        self.chain_id = chain_id
        self.discovery = Discovery(chain_id, terms, tokens)
        self.late: list[str] = []
        """Contracts that were configured later than the tip was processed."""
        self.trail = Trail(chain_id)
        self.beliefs = Beliefs(chain_id)
        self.counts = Counts()
        self._pool = pool
        self._store = store
        self._ingest = ingest
        self.contracts = [contract.address for contract in terms.contracts]
        self._kind = f"market:{chain_id}"
        self._contract_kind = f"contract:{chain_id}"
        self._unsaid: list[Checkpoint] = []
        self._unsaved: list[Discovered] = []
        self._decoder = Decoder(chain_id)

    async def load(self) -> None:
        """Go on where the store is: trail, discovered markets, memory.

        Raises:
            Retryable: the store or every endpoint fails.
        """
        self.trail.load(await self._remembered(self.trail.kind))
        self.beliefs.load(await self._remembered(self.beliefs.kind))
        rows = await self._remembered(self._kind)
        known = [msgspec.json.decode(value, type=Discovered) for value in rows.values() if value]
        tip = self.trail.tip
        self.discovery.load(d for d in known if tip and d.block_number <= tip.number)
        self._unsaved = await self._pool.run(self.discovery.configured)
        self._compare(await self._remembered(self._contract_kind))
        await self.begin_decoding()

    def _compare(self, remembered: dict[str, str]) -> None:
        """See which contracts are new, and which are no longer followed.

        A contract that comes back has missed something: it is forgotten, to be new again.
        """
        known = {address for address, value in remembered.items() if value}
        new = [address for address in self.contracts if address not in known]
        gone = known.difference(self.contracts)
        self._unsaid = [Checkpoint(self._contract_kind, address, "") for address in gone]
        if self.trail.tip is None:
            self._unsaid += map(self._followed, new)
        else:
            self.late = new

    def _followed(self, address: str) -> Checkpoint:
        return Checkpoint(self._contract_kind, address, "followed")

    async def _remembered(self, kind: str) -> dict[str, str]:
        read = self._store.writer.call(lambda client: checkpoints.read(client, kind))
        return await asyncio.wrap_future(read)

    async def begin_decoding(self) -> None:
        """Let the memory know what the stored trades say, but nothing of late contracts.

        These are read from their first block on: what comes after must not be known by then.
        """
        markets = self.discovery.markets
        late = frozenset(self.discovery.made_by(self.late))
        self._decoder = Decoder(self.chain_id, markets)
        for address, preset in self.discovery.holders:
            self._decoder.watch(address, preset)
        told = [market for market in markets if market.address not in late]
        await recall(self._decoder.memory, told, self._store.catalogue, self._store.reader)

    async def learn(self, records: Sequence[LogRecord], *, again: bool = False) -> bool:
        """Take what factories say in these logs; return whether they made markets.

        The markets are remembered with the first blocks that are taken from theirs on. Logs that
        come `again` are not counted.
        """
        factories = frozenset(self.discovery.factories)
        told = [record for record in records if record.address in factories]
        if not told:
            return False
        logs, counts = columns(told), Counts() if again else self.counts
        found = await self._pool.run(lambda endpoint: self.discovery.learn(endpoint, logs, counts))
        self._add(found)
        return bool(found)

    def _add(self, found: list[Discovered]) -> None:
        self._unsaved += found
        known = len(self._decoder.specs)
        self._decoder.add(self.discovery.markets[known:])

    async def take(
        self, records: Sequence[LogRecord], blocks: Sequence[Block], *, bulk: bool = False
    ) -> int:
        """Store what the logs of `blocks` (ascending, all after the tip) hold; durable on return.

        Returns how many trades are new.

        Raises:
            Retryable: the store or every endpoint fails; nothing of it is stored then.
        """
        decoded = await self._decoded(records)
        last = blocks[-1].number
        saved = [d for d in self._unsaved if d.block_number <= last]
        believed = self.beliefs.checkpoints()
        rows = (*self._unsaid, *map(self._remember, saved), *believed)
        attached = Attached(
            tuple(mark.stored(self.chain_id) for mark in decoded.marks),
            (*rows, *self.trail.checkpoints(blocks)),
        )
        receipt = await self._ingest.submit(
            self._kept(decoded.trades), self._decoder.specs, SOURCE, bulk=bulk, attached=attached
        )
        self.counts.add(decoded.counts)
        self._unsaid = []
        self.beliefs.said(believed)
        self._unsaved = [d for d in self._unsaved if d.block_number > last]
        self.trail.push(blocks)
        return receipt.accepted

    async def take_late(self, records: Sequence[LogRecord]) -> None:
        """Store logs of contracts that were configured late; the tip stays where it is."""
        decoded = await self._decoded(records)
        marks = tuple(mark.stored(self.chain_id) for mark in decoded.marks)
        await self._ingest.submit(
            *(self._kept(decoded.trades), self._decoder.specs, SOURCE),
            bulk=True,
            attached=Attached(marks),
        )
        self.counts.add(decoded.counts)

    def _kept(self, trades: pa.Table) -> pa.Table:
        """Return the trades without those that are older than the operator keeps them."""
        now, find = int(time.time()), self._store.catalogue.find
        limits = [self._store.kept_from(find(spec), now) for spec in self._decoder.specs]
        if not any(limits) or not trades.num_rows:
            return trades
        limit_us = np.array(limits, np.int64)[trades["market_id"].to_numpy()] * 1_000_000
        return trades.filter(pa.array(trades["time"].cast(pa.int64()).to_numpy() >= limit_us))

    async def caught_up(self) -> None:
        """Note that the late contracts are followed like all others from here on."""
        rows = (*map(self._followed, self.late), *map(self._remember, self._unsaved))
        empty = TRADE_SCHEMA.empty_table()
        await self._ingest.submit(empty, (), SOURCE, attached=Attached((), rows))
        self.late, self._unsaved = [], []

    async def _decoded(self, records: Sequence[LogRecord]) -> Decoded:
        markets = {market.address for market in self.discovery.markets}
        makers = set(self.discovery.factories) - markets  # heard already
        logs = columns([record for record in records if record.address not in makers])
        if not len(logs):
            return Decoded(TRADE_SCHEMA.empty_table(), [], Counts())
        if self.discovery.holders and (unknown := self._decoder.unknown(logs)):
            number = min(logs.block_number)
            self._add(
                await self._pool.run(
                    lambda endpoint: self.discovery.learn_keys(endpoint, unknown, number)
                )
            )
        return await asyncio.to_thread(self._decoder.decode, logs)

    async def retract(self, number: int) -> None:
        """Take away everything from a block on, as if it had never been read; durable on return.

        Raises:
            Retryable: the store fails; the same call again finishes what was begun.
        """
        gone = self.discovery.retract(number)
        forgotten = (Checkpoint(self._kind, _key(found), "") for found in gone)
        cut = (*forgotten, *self.trail.cut_checkpoints(number))
        await self._ingest.retract(self.chain_id, number, cut)
        self.trail.cut(number)
        self.beliefs.cut(number)
        self._unsaved = [d for d in self._unsaved if d.block_number < number]
        await self.begin_decoding()

    async def forget(self) -> None:
        """Forget the markets that blocks after the tip made known: these may be other blocks."""
        number = self.trail.tip.number + 1 if self.trail.tip else 0
        if self.discovery.retract(number):
            self._unsaved = [d for d in self._unsaved if d.block_number < number]
            await self.begin_decoding()

    def _remember(self, found: Discovered) -> Checkpoint:
        return Checkpoint(self._kind, _key(found), msgspec.json.encode(found).decode())


def _key(found: Discovered) -> str:
    return f"{found.address}:{found.key}"
