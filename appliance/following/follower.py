"""Follow one chain from the first block to the head, and back where it was reorganized.

Far below the head, ranges are read in parallel and stored in order. Near it, every block must be
the child of the one before (linked parentHash → hash). Where it is not, the trail is walked back
to the newest block that the chain still has; what lies above is retracted, and read again. A step
ends with everything up to its head stored, or raises; then `load` and the next step go on from
what is stored.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from appliance.following.first import first_block
from appliance.following.intake import Intake
from appliance.following.ordered import ordered
from appliance.following.reader import Asked, Changed, Far, Reader
from appliance.following.trail import Block
from appliance.following.width import Width
from appliance.rpc.endpoint import Endpoint
from appliance.rpc.errors import Nonsense, Unavailable
from appliance.rpc.pool import Pool
from appliance.rpc.records import Header

log = logging.getLogger(__name__)
BLOCKS_TOGETHER: Final = 32
"""Blocks near the head that are stored in one commit."""
FAR_BLOCKS: Final = 32
"""Fewer blocks than these are read one by one, also far from the head."""
DEVELOPMENT_CHAINS: Final = frozenset({1_337, 31_337})
"""Ids of chains that developers start anew whenever they like (anvil, hardhat, ganache)."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happened: blocks were processed up to `tip`, or those from `from_block` on went.

    `depth` counts the blocks that went.
    """

    tip: Block | None
    from_block: int | None = None
    depth: int = 0


class Follower:
    """One chain."""

    def __init__(
        self,
        name: str,
        intake: Intake,
        pool: Pool,
        confirmations: int,
        start_block: int | None,
        tell: Callable[[Step], None],
    ) -> None:
        """Tell `tell` of every step; read nothing before `follow`."""
        self.name = name
        self.reader = Reader(pool)
        self._width = Width()
        self._factory_width = Width()
        self._intake = intake
        self._pool = pool
        self._confirmations = confirmations
        self._start_block = start_block
        self._tell = tell

    @property
    def next(self) -> int:
        """Return the number of the first block that is not processed."""
        tip = self._intake.trail.tip
        return tip.number + 1 if tip else self.first

    @property
    def first(self) -> int:
        """Return the number of the block that reading began with."""
        return self._intake.trail.first or 0

    async def begin(self, head: Header) -> None:
        """Find the block to begin with, once everything stored is loaded.

        Raises:
            Nonsense: this is another chain than the one that was followed so far.
        """
        await self._check_genesis()
        trail, wanted = self._intake.trail, self._start_block
        if trail.first is None:
            trail.first = await self._find_first(self._both(), head)
        elif wanted is not None and wanted < trail.first:
            log.info("%s: START_BLOCK is earlier than it was: history is read again", self.name)
            trail.first, self._intake.late = wanted, list(self._intake.contracts)
        if self._intake.late:
            await self._catch_up(head)

    async def _find_first(self, asked: Asked, head: Header) -> int:
        if self._start_block is not None:
            return self._start_block
        return await self._pool.run(
            lambda endpoint: first_block(endpoint, asked, head, self.name), height=head.number
        )

    async def _catch_up(self, head: Header) -> None:
        """Read what contracts that were configured late did up to the tip."""
        tip = self._intake.trail.tip
        if tip is None:
            return
        late = frozenset(self._intake.late)
        asked = self._both()
        roots = Asked(tuple(late), asked.topics)
        first = await self._find_first(roots, head)
        log.info("%s: reads blocks from %d on for %s, new here", self.name, first, ", ".join(late))
        lies = -1
        while lies < self.reader.lies and not lies > 0:  # once more where a node was caught
            lies = self.reader.lies
            makers = tuple(late.intersection(self._intake.discovery.factories))
            await self._discover(Asked(makers, asked.topics), first, tip.number)
            wanted = Asked(tuple(self._intake.discovery.made_by(late)), asked.topics)
            work = ordered(self.reader, wanted, first, tip.number, self._width)
            async with aclosing(work) as ranges:
                async for each in ranges:
                    await self._intake.take_late([r for far in each for r in far.logs])
        await self._intake.caught_up()

    async def follow(self, head: Header) -> None:
        """Process every block up to `head`.

        Raises:
            Retryable: the endpoints or the store fail.
        """
        try:
            await self._follow(head)
        except Changed as change:
            log.debug("%s: %s", self.name, change)

    async def _follow(self, head: Header) -> None:
        if await self._reorganized(head):
            return
        safe = head.number - self._confirmations
        if safe - self.next >= FAR_BLOCKS and not await self._far(safe):
            return
        while self.next <= head.number:
            last = min(head.number, self.next + BLOCKS_TOGETHER - 1)
            headers = await self._headers(self.next, last)
            if not await self._linked(headers):
                return
            await self._near(headers)

    # Far from the head

    async def _far(self, last: int) -> bool:
        """Process the blocks up to `last`, which no reorg is expected to reach; False: one did."""
        await self._discover(self._factories(), self.next, last)
        work = ordered(self.reader, self._wanted(), self.next, last, self._width)
        async with aclosing(work) as ranges:
            async for each in ranges:
                if not await self._store(each):
                    await self._rewind()
                    return False
        return not await self._found_more()

    async def _discover(self, asked: Asked, first: int, last: int) -> None:
        """Learn all markets that factories made up to `last`, before their trades are read."""
        if not asked.addresses:
            return
        work = ordered(self.reader, asked, first, last, self._factory_width)
        async with aclosing(work) as ranges:
            async for each in ranges:
                await self._intake.learn([record for far in each for record in far.logs])

    async def _store(self, ranges: list[Far]) -> bool:
        """Store ranges that follow each other and the tip; return whether they do."""
        tip = self._intake.trail.tip
        parent = tip.hash if tip and tip.number + 1 == ranges[0].start.number else ""
        for far in ranges:
            if parent and far.start.parent_hash != parent:
                return False
            parent = far.end.hash
        end = ranges[-1].end
        records = [record for far in ranges for record in far.logs]
        await self._intake.take(records, [_block(end)], bulk=True)
        self._tell(Step(_block(end)))
        return True

    async def _found_more(self) -> bool:
        """Ask again about ranges that were believed to be empty before a node was caught.

        Where logs are found now, everything from there on is read again.
        """
        if not self.reader.lies:
            return False
        believed, self.reader.believed = self.reader.believed, []
        for belief in sorted(believed, key=lambda belief: belief.first):
            found = await self.reader.far(belief.asked, belief.first, belief.last, Width())
            if any(far.logs for far in found):
                await self._retract(belief.first)
                return True
        return False

    # Near the head

    async def _headers(self, first: int, last: int) -> list[Header]:
        async def read(endpoint: Endpoint) -> list[Header]:
            headers = await endpoint.headers(range(first, last + 1))
            if [header.number for header in headers] != list(range(first, last + 1)):
                raise Unavailable(f"{endpoint.name} does not have all blocks {first} to {last}")
            return headers

        return await self._pool.run(read, height=last)

    async def _linked(self, headers: Sequence[Header]) -> bool:
        """Return whether the blocks are children of the tip; retract where it is gone."""
        tip, parent = self._intake.trail.tip, ""
        if tip is not None and tip.number == headers[0].number - 1:
            parent = tip.hash
        for header in headers:
            if parent and header.parent_hash != parent:
                if header is headers[0]:
                    await self._rewind()
                return False  # the chain changed while it was read: the next step sees all of it
            parent = header.hash
        return True

    async def _near(self, headers: Sequence[Header]) -> None:
        records = await self.reader.near(self._both(), headers)
        again = False
        while await self._intake.learn(records, again=again):  # their trades are in here, too
            records = await self.reader.near(self._both(), headers)
            again = True
        await self._intake.take(records, [_block(header) for header in headers])
        self._tell(Step(_block(headers[-1])))

    # Reorgs

    async def _reorganized(self, head: Header) -> bool:
        """Retract what the chain no longer has, if its head says so; return whether it did.

        A head below the tip whose hash is on the trail only means that the node is behind.
        """
        tip = self._intake.trail.tip
        if tip is None or head.number > tip.number:
            return False  # the first block after the tip tells
        known = self._intake.trail.below(head.number)
        if known is None or known.hash == head.hash:
            return False
        if await self._pool.run(lambda endpoint: _is_there(endpoint, known)):
            return False
        await self._rewind()
        return True

    async def _check_genesis(self) -> None:
        genesis = await self._pool.run(lambda endpoint: endpoint.header(0))
        if genesis is None:
            return  # a node without old headers
        trail = self._intake.trail
        if trail.genesis not in ("", genesis.hash):
            if self._intake.chain_id not in DEVELOPMENT_CHAINS:
                raise Nonsense(
                    f"block 0 is {genesis.hash}, and was {trail.genesis} when this chain was read "
                    "first: RPC_URL must lead to the same chain, or DATA_DIR be another"
                )
            log.warning("%s was started anew: its former trades are removed", self.name)
            await self._retract(0)
        trail.genesis = genesis.hash

    async def _rewind(self) -> None:
        ancestor = await self._pool.run(self._ancestor)
        if ancestor is not None and ancestor == self._intake.trail.tip:
            return  # nodes differ, or the chain has come back
        await self._retract(ancestor.number + 1 if ancestor else 0)

    async def _ancestor(self, endpoint: Endpoint) -> Block | None:
        return await self._intake.trail.ancestor(lambda block: _is_there(endpoint, block))

    async def _retract(self, number: int) -> None:
        tip = self._intake.trail.tip
        depth = tip.number - number + 1 if tip else 0
        log.info("%s: %d blocks from %d on are read again", self.name, depth, number)
        await self._intake.retract(number)
        if number == 0:  # nothing is left by which to tell where the contracts are now
            head = await self._pool.head()
            self._intake.trail.first = await self._find_first(self._both(), head)
        self._tell(Step(self._intake.trail.tip, number, depth))

    # What is asked for

    def _wanted(self) -> Asked:
        discovery = self._intake.discovery
        return Asked(tuple(discovery.addresses), tuple(discovery.topics))

    def _factories(self) -> Asked:
        discovery = self._intake.discovery
        return Asked(tuple(discovery.factories), tuple(discovery.factory_topics))

    def _both(self) -> Asked:
        wanted, made = self._wanted(), self._factories()
        addresses = dict.fromkeys((*wanted.addresses, *made.addresses))
        return Asked(tuple(addresses), tuple(dict.fromkeys((*wanted.topics, *made.topics))))


async def _is_there(endpoint: Endpoint, block: Block) -> bool:
    header = await endpoint.header(block.number)
    return header is not None and header.hash == block.hash


def _block(header: Header) -> Block:
    return Block(header.number, header.hash, header.time)
