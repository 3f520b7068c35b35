"""What a contract's earlier logs said that later ones leave out.

A vAMM names the side of a position only when it opens, and an increase happens at a mark price
that an earlier log announced. Both must outlive a restart: the store keeps `changes()` with each
commit and gives everything back to `load` at start.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


class Remembered(NamedTuple):
    """One fact: `position` 'mark' with value 'n/d', or a position id with 'long' or 'short'."""

    contract: str
    position: str
    value: str


MARK = "mark"


@dataclass(slots=True)
class Memory:
    """Sides by (contract, position id) and mark prices by contract, of one chain.

    `contract` is the market's key: the address in lower case, with `:<id>` where one contract
    holds many markets. Mark prices are exact fractions (numerator, denominator).
    """

    _long: dict[tuple[str, str], bool] = field(default_factory=dict)
    _marks: dict[str, tuple[int, int]] = field(default_factory=dict)
    _changed: dict[tuple[str, str], None] = field(default_factory=dict)

    def remember_side(self, contract: str, position: str, long: bool) -> None:
        """Keep whether the position is long."""
        self._long[contract, position] = long
        self._changed[contract, position] = None

    def long(self, contract: str, position: str) -> bool | None:
        """Return whether the position is long, None when it was never seen opening."""
        return self._long.get((contract, position))

    def forget(self, contract: str, position: str) -> None:
        """Drop a position that will not be mentioned again."""
        self._long.pop((contract, position), None)
        self._changed.pop((contract, position), None)

    def remember_mark(self, contract: str, price: tuple[int, int]) -> None:
        """Keep the contract's newest mark price."""
        self._marks[contract] = price
        self._changed[contract, MARK] = None

    def mark(self, contract: str) -> tuple[int, int] | None:
        """Return the contract's newest mark price, None when none was seen."""
        return self._marks.get(contract)

    def dump(self) -> list[Remembered]:
        """Return everything, for `load`."""
        return [
            *(self._fact(*key) for key in self._long),
            *(self._fact(c, MARK) for c in self._marks),
        ]

    def changes(self) -> list[Remembered]:
        """Return what was learnt since the last call, and begin anew."""
        changed = [self._fact(*key) for key in self._changed]
        self._changed.clear()
        return changed

    def load(self, facts: Iterable[Remembered]) -> None:
        """Take back what `dump` or `changes` gave; later facts win."""
        for contract, position, value in facts:
            if position == MARK:
                numerator, denominator = value.split("/")
                self._marks[contract] = int(numerator), int(denominator)
            else:
                self._long[contract, position] = value == "long"

    def _fact(self, contract: str, position: str) -> Remembered:
        if position == MARK:
            numerator, denominator = self._marks[contract]
            return Remembered(contract, MARK, f"{numerator}/{denominator}")
        return Remembered(contract, position, "long" if self._long[contract, position] else "short")
