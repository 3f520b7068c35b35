"""The trail: which blocks of a chain are processed, by number and hash, newest last.

Every block near the head is on it, and the ends of ranges far from it. It is what a reorg is
recognized by: the newest block of the trail that the chain still has is where both part. The trail
is kept in the store as a ring of checkpoints, in one step with the trades of its blocks.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, NamedTuple

from appliance.model import Checkpoint

SIZE: Final = 1_024
"""Blocks that are remembered; a deeper reorg begins the chain anew."""
_SAMPLE: Final = 32
_BLOCK_S: Final = 12.0
_CURSOR: Final = "cursor"
_GENESIS: Final = "genesis"
_FIRST: Final = "first"


class Block(NamedTuple):
    """A processed block; `time` in unix seconds."""

    number: int
    hash: str
    time: int


class Trail:
    """Blocks of one chain, ascending by number."""

    def __init__(self, chain_id: int) -> None:
        """Know no block."""
        self.kind = f"block:{chain_id}"
        self.genesis = ""
        """The hash of block 0, by which a chain that was started anew is told."""
        self.first: int | None = None
        """The first block that was ever read."""
        self._blocks: list[Block] = []

    @property
    def tip(self) -> Block | None:
        """Return the newest processed block."""
        return self._blocks[-1] if self._blocks else None

    @property
    def block_s(self) -> float:
        """Return how many seconds a block takes, by the newest ones; a guess for want of two."""
        newest = self._blocks[-_SAMPLE:]
        if len(newest) < 2:
            return _BLOCK_S
        span = newest[-1].time - newest[0].time
        return span / (newest[-1].number - newest[0].number)

    def below(self, number: int) -> Block | None:
        """Return the newest block of the trail up to this number."""
        index = bisect_right(self._blocks, number, key=lambda block: block.number)
        return self._blocks[index - 1] if index else None

    def push(self, blocks: Iterable[Block]) -> None:
        """Add processed blocks that come after the tip, ascending."""
        self._blocks += blocks
        del self._blocks[:-SIZE]

    def cut(self, number: int) -> None:
        """Forget the blocks from `number` on."""
        index = bisect_left(self._blocks, number, key=lambda block: block.number)
        del self._blocks[index:]

    async def ancestor(self, is_there: Callable[[Block], Awaitable[bool]]) -> Block | None:
        """Return the newest block that the chain still has, None if it has none of the trail.

        Asks about few blocks: ever farther back until one is there, then halves what lies between.
        """
        low, high, step = len(self._blocks), len(self._blocks), 1
        while low > 0:
            low = max(0, high - step)
            if await is_there(self._blocks[low]):
                break
            high, step = low, step * 2
            if low == 0:
                return None
        if not self._blocks:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            if await is_there(self._blocks[middle]):
                low = middle
            else:
                high = middle
        return self._blocks[low]

    # How it is remembered

    def checkpoints(self, blocks: Iterable[Block]) -> tuple[Checkpoint, ...]:
        """Return what remembers these blocks, of which the last becomes the tip."""
        rows = [Checkpoint(self.kind, str(b.number % SIZE), _text(b)) for b in blocks]
        if rows:
            rows.append(Checkpoint(self.kind, _CURSOR, rows[-1].value))
            rows.append(Checkpoint(self.kind, _GENESIS, self.genesis))
            rows.append(Checkpoint(self.kind, _FIRST, str(self.first or 0)))
        return tuple(rows)

    def cut_checkpoints(self, number: int) -> tuple[Checkpoint, ...]:
        """Return what remembers that the blocks from `number` on are forgotten."""
        left = [block for block in self._blocks if block.number < number]
        gone = [block.number % SIZE for block in self._blocks[len(left) :]] if left else range(SIZE)
        # Ranges leave most places of the ring as they are: what is gone would come back from there.
        rows = [Checkpoint(self.kind, str(place), "") for place in gone]
        return (*rows, Checkpoint(self.kind, _CURSOR, _text(left[-1]) if left else ""))

    def load(self, stored: Mapping[str, str]) -> None:
        """Take back what was remembered: values by key."""
        self._blocks = []
        self.genesis = stored.get(_GENESIS, "")
        self.first = int(stored[_FIRST]) if _FIRST in stored else None
        cursor = stored.get(_CURSOR)
        if cursor:
            tip = _block(cursor)
            known = [_block(text) for key, text in stored.items() if key.isdigit() and text]
            older = sorted(block for block in known if block.number < tip.number)
            self._blocks = [*older, tip]


def _text(block: Block) -> str:
    return f"{block.number} {block.hash} {block.time}"


def _block(text: str) -> Block:
    number, block_hash, time = text.split()
    return Block(int(number), block_hash, int(time))
