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

from appliance.errors import Conflict
from appliance.following.beliefs import What
from appliance.following.first import first_block
from appliance.following.intake import Intake
from appliance.following.ordered import ordered
from appliance.following.reader import Asked, Changed, Far, Reader
from appliance.following.trail import Block, Trail
from appliance.following.width import Width
from appliance.rpc.endpoint import Endpoint
from appliance.rpc.errors import Missing, Nonsense, Unavailable
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
        self.reader = Reader(pool, beliefs=intake.beliefs)
        self._width = Width()
        self._factory_width = Width()
        self._contradicted = -1
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
        await self._begun_anew()
        trail, wanted = self._intake.trail, self._start_block
        if trail.first is None:
            trail.first = await self._find_first(self._asked("all"), head)
        elif wanted is not None and wanted < trail.first:
            log.info("%s: START_BLOCK is earlier than it was: history is read again", self.name)
            trail.first, self._intake.late = wanted, list(self._intake.contracts)
            await self._intake.begin_decoding()
        await self._reorganized(head)
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
        roots = Asked(tuple(late), self._asked("all").topics)
        first = await self._find_first(roots, head)
        log.info("%s: reads blocks from %d on for %s, new here", self.name, first, ", ".join(late))
        try:
            await self._read_late(late, first, tip.number)
            await self._found_more()
        except Conflict as error:  # stored by an attempt that a node lied to, or that a reorg met
            log.warning("%s: %s", self.name, error)
            await self._retract(first)
        await self._intake.caught_up()

    async def _read_late(self, late: frozenset[str], first: int, last: int) -> None:
        makers = tuple(late.intersection(self._intake.discovery.factories))
        await self._discover(Asked(makers, self._asked("all").topics, "late"), first, last)
        work = ordered(self.reader, self._asked("late"), first, last, self._width)
        async with aclosing(work) as ranges:
            async for each in ranges:
                await self._intake.take_late([r for far in each for r in far.logs])

    async def follow(self, head: Header) -> None:
        """Process every block up to `head`.

        Raises:
            Retryable: the endpoints or the store fail.
        """
        try:
            await self._follow(head)
        except Changed as change:
            log.debug("%s: %s", self.name, change)
            await self._intake.forget()
        except Conflict as error:  # something else has stored what blocks held that are gone
            if self._contradicted == self.next:
                raise Unavailable(f"{self.name}: {error}") from error
            self._contradicted = self.next
            log.warning("%s: %s: what is stored goes", self.name, error)
            await self._retract(self.next)

    async def _follow(self, head: Header) -> None:
        tip = self._intake.trail.tip
        if tip is not None and head.number <= tip.number and await self._reorganized(head):
            return  # above the tip, the first block after it tells
        safe = head.number - self._confirmations
        if safe - self.next >= FAR_BLOCKS and not await self._far(safe, head):
            return
        while self.next <= head.number:
            last = min(head.number, self.next + BLOCKS_TOGETHER - 1)
            headers = await self._headers(self.next, last)
            if not await self._linked(headers, head):
                return
            await self._near(headers)
        await self._found_more()

    # Far from the head

    async def _far(self, last: int, head: Header) -> bool:
        """Process the blocks up to `last`, which no reorg is expected to reach; False: one did."""
        began = self.next
        heard = await self._discover(self._asked("factories"), began, last)
        work = ordered(self.reader, self._asked("all"), began, last, self._width)
        async with aclosing(work) as ranges:
            async for each in ranges:
                if not await self._store(each):
                    await self._rewind(head)
                    return False
        if heard.tip and self._intake.trail.tip and heard.tip.hash != self._intake.trail.tip.hash:
            await self._unhear(heard, began, last)
            return False
        return not await self._found_more()

    async def _discover(self, asked: Asked, first: int, last: int) -> Trail:
        """Learn all markets that factories made up to `last`, before their trades are read.

        Returns the blocks by which the chain on which they were is told from another.
        """
        heard = Trail(self._intake.chain_id)
        if not asked.addresses:
            return heard
        work = ordered(self.reader, asked, first, last, self._factory_width)
        async with aclosing(work) as ranges:
            async for each in ranges:
                await self._intake.learn([record for far in each for record in far.logs])
                heard.push(_block(far.end) for far in each)
        return heard

    async def _unhear(self, heard: Trail, began: int, last: int) -> None:
        """Retract what was read with the markets of blocks that are gone."""
        ancestor = await self._pool.run(
            lambda endpoint: heard.ancestor(lambda block: _is_there(endpoint, block, last)),
            height=last,
        )
        await self._retract(ancestor.number + 1 if ancestor else began)

    async def _store(self, ranges: list[Far]) -> bool:
        """Store ranges that follow each other and the tip; return whether they do."""
        tip = self._intake.trail.tip
        parent = tip.hash if tip and tip.number + 1 == ranges[0].start.number else ""
        for far in ranges:
            if parent and far.start.parent_hash != parent:
                return False
            parent = far.end.hash
        ends = [_block(far.end) for far in ranges]
        records = [record for far in ranges for record in far.logs]
        await self._intake.take(records, ends, bulk=True)
        self._tell(Step(ends[-1]))
        return True

    async def _found_more(self) -> bool:
        """Ask again about ranges that were believed to be empty before a node was caught.

        Where logs are found now, everything from there on is read again.
        """
        if not self.reader.lies:
            return False
        for belief in self._intake.beliefs.take():
            asked = self._asked(belief.what)
            found = await self.reader.far(asked, belief.first, belief.last, Width())
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

    async def _linked(self, headers: Sequence[Header], head: Header) -> bool:
        """Return whether the blocks are children of the tip; retract where it is gone."""
        tip, parent = self._intake.trail.tip, ""
        if tip is not None and tip.number == headers[0].number - 1:
            parent = tip.hash
        for header in headers:
            if parent and header.parent_hash != parent:
                if header is headers[0]:
                    await self._rewind(head)
                return False  # the chain changed while it was read: the next step sees all of it
            parent = header.hash
        return True

    async def _near(self, headers: Sequence[Header]) -> None:
        records = await self.reader.near(self._asked("all"), headers)
        again = False
        while await self._intake.learn(records, again=again):  # their trades are in here, too
            records = await self.reader.near(self._asked("all"), headers)
            again = True
        await self._intake.take(records, [_block(header) for header in headers])
        self._tell(Step(_block(headers[-1])))

    # Reorgs

    async def _reorganized(self, head: Header) -> bool:
        """Retract what the chain no longer has, if its head says so; return whether it did.

        A head below the tip whose hash is on the trail only means that the node is behind.
        """
        known = self._intake.trail.below(head.number)
        if known is None:
            if self._intake.trail.tip is not None and await self._begun_anew():
                raise Unavailable(f"{self.name} was started anew")  # and is from here
            return False
        if known.hash == head.hash:
            return False
        there = await self._pool.run(
            lambda endpoint: _is_there(endpoint, known, head.number), height=known.number
        )
        if not there:
            await self._rewind(head)
        return not there

    async def _begun_anew(self) -> bool:
        """Retract everything if this is a developer's chain that was started anew.

        Raises:
            Nonsense: this is another chain than the one that was followed so far.
        """
        genesis = await self._pool.run(lambda endpoint: endpoint.header(0))
        if genesis is None:
            return False  # a node without old headers
        trail = self._intake.trail
        former, trail.genesis = trail.genesis, genesis.hash
        if former in ("", genesis.hash):
            return False
        if self._intake.chain_id not in DEVELOPMENT_CHAINS:
            raise Nonsense(
                f"block 0 is {genesis.hash}, and was {former} when this chain was read "
                "first: RPC_URL must lead to the same chain, or DATA_DIR be another"
            )
        log.warning("%s was started anew: its former trades are removed", self.name)
        await self._retract(0)
        return True

    async def _rewind(self, head: Header) -> None:
        """Retract what the chain of `head` no longer has."""
        trail, height = self._intake.trail, head.number
        ancestor = await self._pool.run(
            lambda endpoint: trail.ancestor(lambda block: _is_there(endpoint, block, height)),
            height=height,
        )
        if ancestor is not None and ancestor == trail.tip:
            return  # nodes differ, or the chain has come back
        if ancestor is not None:
            await self._retract(ancestor.number + 1)
        elif not await self._begun_anew():
            await self._retract(0)

    async def _retract(self, number: int) -> None:
        tip = self._intake.trail.tip
        depth = tip.number - number + 1 if tip else 0
        log.info("%s: %d blocks from %d on are read again", self.name, depth, number)
        await self._intake.retract(number)
        if number == 0:  # nothing is left by which to tell where the contracts are now
            head = await self._pool.head()
            self._intake.trail.first = await self._find_first(self._asked("all"), head)
        self._tell(Step(self._intake.trail.tip, number, depth))

    def _asked(self, what: What) -> Asked:
        """Return the question about all contracts, or the factories, or those that are late."""
        discovery = self._intake.discovery
        if what == "factories":
            return Asked(tuple(discovery.factories), tuple(discovery.factory_topics), what)
        addresses = discovery.addresses
        if what == "late":
            addresses = discovery.made_by(self._intake.late)
        return Asked(tuple(addresses), tuple(discovery.topics), what)


async def _is_there(endpoint: Endpoint, block: Block, height: int) -> bool:
    """Return whether a chain that has a block `height` has this one.

    Raises:
        Missing: the endpoint is not so far.
    """
    header = await endpoint.header(block.number)
    if header is None and block.number <= height:
        raise Missing(f"{endpoint.name}: has no block {block.number}")
    return header is not None and header.hash == block.hash


def _block(header: Header) -> Block:
    return Block(header.number, header.hash, header.time)
