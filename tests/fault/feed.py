"""Trades made of their number, so that a stored row tells which trade it is, and whether all of it.

A feed is one source and what it knows: which trades were acknowledged, and which request was on
its way. Numbers ascend with time. A feed on a chain fills two markets, block by block in turn;
`fork` counts the retractions that one of its trades came after, and its price tells. Trades of a
feed without ids are told by their time, and its requests carry an `Idempotency-Key`.
"""

import random
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
START_US: Final = 1_748_735_940_000_000
"""2025-05-31 23:59:00 UTC: a month ends a minute later."""
STEP_US: Final = 10_000
PER_BLOCK: Final = 3
BATCH_MAX: Final = 5_000
ON_CHAIN: Final = "POOL"
"""How the names of feeds begin that are ordered by block and log index."""
WITHOUT_IDS: Final = "SALT"
"""How the names of feeds begin whose requests have keys instead of ids."""
LATE_PERCENT: Final = 3
_FORK_PRICE: Final = 10_000
_UNIT: Final = 10**18
_SPREAD: Final = 2_654_435_761


def time_us(numbers: Numbers, on_chain: bool) -> Numbers:
    """Return the times; trades of one block share one."""
    return START_US + numbers // PER_BLOCK * PER_BLOCK * STEP_US if on_chain else _steps(numbers)


def _steps(numbers: Numbers) -> Numbers:
    return START_US + numbers * STEP_US


def price(numbers: Numbers, forks: Numbers) -> NDArray[np.float64]:
    """Return the prices, with two digits after the point."""
    return (numbers * 7_919 % 10_007 + 100 + forks * _FORK_PRICE * 100) / 100


def fork(numbers: Numbers, prices: NDArray[np.float64]) -> Numbers:
    """Return the forks that the prices tell."""
    zero = price(numbers, np.zeros_like(numbers))
    return np.rint((prices - zero) / _FORK_PRICE).astype(np.int64)


def size_units(numbers: Numbers) -> Numbers:
    """Return the sizes in 10^-18: all 18 digits are used."""
    return numbers % 9 * _UNIT + numbers * _SPREAD % _UNIT


def body(name: str, numbers: Numbers, forks: Numbers) -> bytes:
    """Return the trades as NDJSON."""
    on_chain = name.startswith(ON_CHAIN)
    columns = (numbers, time_us(numbers, on_chain), price(numbers, forks), size_units(numbers))
    lines = []
    for number, time, value, units in zip(*(c.tolist() for c in columns), strict=True):
        whole, part = divmod(units, _UNIT)
        symbol = f"{name}{number // PER_BLOCK % 2}" if on_chain else name
        lines.append(
            f'{{"symbol":"{symbol}","time":{time},"price":{value},"size":"{whole}.{part:018d}",'
            f'"side":"{"sell" if number % 2 else "buy"}"{_place(name, number)}}}\n'
        )
    return "".join(lines).encode()


def _place(name: str, number: int) -> str:
    if name.startswith(ON_CHAIN):
        return f',"block_number":{number // PER_BLOCK + 1},"log_index":{number % PER_BLOCK}'
    return "" if name.startswith(WITHOUT_IDS) else f',"id":"{number}"'


@dataclass
class Sent:
    """A request on its way: trades, or a retraction from a number on."""

    numbers: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    retract_from: int | None = None


@dataclass
class Feed:
    """One source: `held[n]` is the fork of the acknowledged trade n, -1 where there is none."""

    name: str
    random: random.Random
    held: Numbers = field(default_factory=lambda: np.full(1 << 22, -1, np.int64))
    fork: int = 0
    end: int = 0
    late: list[int] = field(default_factory=list)
    sent: Sent | None = None
    requests: int = 0

    @property
    def on_chain(self) -> bool:
        return self.name.startswith(ON_CHAIN)

    @property
    def key(self) -> str | None:
        """Return the key of the request on its way, if it needs one."""
        without_ids = self.name.startswith(WITHOUT_IDS)
        return f"{self.name}-{self.requests}" if without_ids else None

    def batch(self) -> Sent:
        """Return the next request: new trades, some late ones, some that are stored already."""
        count = int(BATCH_MAX ** self.random.random())
        new = range(self.end, self.end + count)
        self.end += count
        back = {n for n in new if self.random.randrange(100) < LATE_PERCENT}
        numbers = [n for n in new if n not in back] + self.late[: len(back) + 1]
        self.late = self.late[len(back) + 1 :] + sorted(back)
        numbers += self._repeated(count // 20)
        if self.random.random() < 0.3:
            self.random.shuffle(numbers)
        self.sent = Sent(np.array(numbers, np.int64))
        return self.sent

    def _repeated(self, count: int) -> list[int]:
        if self.key is not None:
            return []  # under another key they would be other trades
        newest = max(0, self.end - 50_000)
        numbers = [self.random.randrange(newest, self.end) for _ in range(count)]
        return [n for n in numbers if self.held[n] >= 0]

    def retraction(self) -> Sent:
        """Return a retraction of at most some hundred blocks."""
        first = max(0, self.end - PER_BLOCK * self.random.randrange(1, 400))
        self.sent = Sent(retract_from=first // PER_BLOCK * PER_BLOCK)
        return self.sent

    @staticmethod
    def block(number: int) -> int:
        """Return the block of a trade."""
        return number // PER_BLOCK + 1

    def forks(self, numbers: Numbers) -> Numbers:
        """Return the forks of trades: their own, or today's where none is held."""
        held = self.held[numbers]
        return np.where(held < 0, self.fork, held)

    def acknowledge(self) -> int:
        """Note that the request on its way was answered; return how many trades were new."""
        assert self.sent is not None
        self.requests += 1
        new = self._apply(self.held)
        if self.sent.retract_from is not None:
            self.fork += 1
            self.end = self.sent.retract_from
            self.late = [n for n in self.late if n < self.end]
        self.sent = None
        return new

    def expected(self) -> Numbers:
        """Return what is held once the request on its way is answered."""
        held = self.held.copy()
        self._apply(held)
        return held

    def _apply(self, held: Numbers) -> int:
        if self.sent is None:
            return 0
        if self.sent.retract_from is not None:
            held[self.sent.retract_from :] = -1
            return 0
        new = np.unique(self.sent.numbers[held[self.sent.numbers] < 0])
        held[new] = self.fork
        return len(new)
