"""What tests/contracts/Vamm.sol does, a second time in Python: a burst's events are known ahead."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

SUPPLY: Final = 1_000_000 * 10**18

Event = tuple[str, list[int]]
"""Name, then the words of topics and data in the order of the signature."""


@dataclass
class VammModel:
    """One market; `operator` is who sends the transactions, or the factory that does it for all."""

    starting_price: int
    operator: str
    price: int = 0
    oldest: int = 1
    next: int = 1

    def __post_init__(self) -> None:
        """Begin at the first price."""
        self.price = self.price or self.starting_price

    def burst(self, seed: int, count: int) -> list[Event]:
        """Return the events of `burst(seed, count)`, and stand where the contract then stands."""
        events: list[Event] = []
        step = 0
        while len(events) < count:
            r = int.from_bytes(keccak(encode(["uint256", "uint256"], [seed, step])), "big")
            events += self._step(step, r, last=len(events) + 1 == count)
            step += 1
        return events

    def _step(self, step: int, r: int, *, last: bool) -> Iterator[Event]:
        kind, size, is_any_open = r % 16, 10**15 + (r >> 16) % 10**22, self.next > self.oldest
        fee = size * 30 // 10_000
        if last or kind == 15:
            rate = (r >> 128) % 20_001 - 10_000
            yield "FundingUpdated", [rate, step, rate * 10**10]
            return
        if kind > 12 and is_any_open:
            position = self.oldest + (r >> 128) % (self.next - self.oldest)
            words = [user(position), position, size, 2 * size, self.price // 3, fee]
            yield "PositionIncreased", words
            return
        before = self.price
        self._walk(r >> 96)
        yield "BondingCurveUpdated", [self.price, SUPPLY, abs(self.price - before)]
        if kind < 8 or not is_any_open:
            position, self.next = self.next, self.next + 1
            words = [user(position), position, int((r >> 128) % 2 == 0), size, before]
            yield "PositionOpened", [*words, 1 + (r >> 136) % 100, fee]
            return
        position, self.oldest = self.oldest, self.oldest + 1
        if kind < 12:
            pnl = (r >> 128) % 10**21 - 5 * 10**20
            yield "PositionClosed", [user(position), position, size, before, pnl, fee]
        else:
            words = [user(position), position, int(self.operator, 16), size, self.price, fee]
            yield "PositionLiquidated", words

    def _walk(self, r: int) -> None:
        step = self.price * (r % 501) // 100_000 + 1
        up = (r >> 16) % 2 == 0
        if self.price > 10 * self.starting_price:
            up = False
        if self.price < self.starting_price // 10:
            up = True
        self.price += step if up or self.price <= step else -step


def user(position: int) -> int:
    """Return who owns a position of a burst."""
    return 0xA11CE << 64 | position


def factory_seed(seed: int, market: int) -> int:
    """Return the seed that `burstAll(seed, …)` gives its n-th market."""
    return int.from_bytes(keccak(encode(["uint256", "uint256"], [seed, market])), "big")
