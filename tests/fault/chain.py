"""Sources as bad as real ones: a chain that changes its mind, and a feed that repeats itself.

Both know what the store must hold in the end. Blocks are handed out late, twice and out of order,
as a source does that asks several nodes; after a reorg only the new blocks are.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.model import MarketSpec
from tests.oracle import T

DEEPEST: Final = 300
START: Final = 1_709_164_500
"""2024-02-28 23:55:00 UTC: days, a leap day and a month end soon."""
Batch = list[tuple[MarketSpec, T]]
_STEPS_S: Final = (1, 12, 12, 600, 5_000)


def _trade(random: random.Random, time_us: int, trade_id: str = "", place: int = 0) -> T:
    kind = random.choices(("trade", "liquidation", "mark"), (8, 1, 1))[0]
    return T(
        time_us,
        None if kind == "trade" and not random.randrange(10) else random.randrange(1, 50) / 4,
        0 if kind == "mark" else random.randrange(1, 10**20),
        random.choice(("buy", "sell", "")),
        trade_id,
        place >> 8,
        place & 255,
        kind,
    )


@dataclass
class Chain:
    """A chain with this id, and two markets on it."""

    id: int
    random: random.Random
    blocks: list[Batch] = field(default_factory=list)
    owed: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Choose how far apart blocks are."""
        self.step_s = self.random.choice(_STEPS_S)
        self.markets = [
            MarketSpec(f"{name}{self.id}", chain_id=self.id, contract=contract, order="chain")
            for name, contract in (("POOL", f"0xa{self.id:039x}"), ("LAKE", f"0xb{self.id:039x}"))
        ]

    def grow(self, count: int) -> None:
        """Add blocks; they are owed to the store."""
        for _ in range(count):
            self.owed.add(len(self.blocks))
            self.blocks.append(self._block(len(self.blocks)))

    def _block(self, index: int) -> Batch:
        time_us = (START + index * self.step_s) * 10**6
        found: Batch = []
        for log_index in range(self.random.choice((0, 0, 1, 1, 2))):
            place = (index + 1) << 8 | log_index
            found.append(
                (self.random.choice(self.markets), _trade(self.random, time_us, place=place))
            )
        return found

    def reorg(self) -> int:
        """Replace the newest blocks by others; return the first block to retract."""
        depth = self.random.choice((1, 2, 3, 10, 60, DEEPEST))
        first = max(0, len(self.blocks) - self.random.randint(1, depth))
        former = self.blocks[first:]
        del self.blocks[first:]
        self.owed = {index for index in self.owed if index < first}
        self.grow(len(former) + self.random.randint(0, 3))
        for index, block in enumerate(former, first):
            if self.random.random() < 0.3:  # mined again as it was
                self.blocks[index] = block
        return first + 1

    def deliver(self, everything: bool = False) -> list[Batch]:
        """Return some of what is owed, and some of what is not, in any order."""
        due = sorted(i for i in self.owed if everything or self.random.random() < 0.8)
        self.owed -= set(due)
        known = sorted(set(range(len(self.blocks))) - self.owed)
        due += self.random.sample(known, min(len(known), self.random.randint(0, 9)))
        return _dealt(self.random, [trade for i in due for trade in self.blocks[i]])

    def trades(self) -> Batch:
        """Return what must be stored once everything was delivered."""
        return [trade for block in self.blocks for trade in block]


@dataclass
class Feed:
    """One market without a chain, whose trades have ids."""

    market: MarketSpec
    random: random.Random
    sent: Batch = field(default_factory=list)

    def deliver(self) -> list[Batch]:
        """Return new trades, anywhere in three days, and some that were sent before."""
        new: Batch = []
        for _ in range(self.random.randint(1, 20)):
            time_us = START * 10**6 + self.random.randrange(3 * 86_400 * 10**6)
            new.append(
                (self.market, _trade(self.random, time_us, f"id{len(self.sent) + len(new)}"))
            )
        old = self.random.sample(self.sent, min(len(self.sent), self.random.randint(0, 9)))
        self.sent += new
        return _dealt(self.random, new + old)


def _dealt(random: random.Random, trades: Sequence[tuple[MarketSpec, T]]) -> list[Batch]:
    """Return the trades in one to three batches, mostly out of order."""
    order = list(trades)
    if random.random() < 0.6:
        random.shuffle(order)
    count = random.randint(1, 3)
    return [batch for i in range(count) if (batch := order[i::count])]
