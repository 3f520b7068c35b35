"""Which trade ids a store may hold: a set in bounded memory that errs to one side only.

In: the ties (64-bit hashes of ids) of what is stored or about to be. Out: for any tie, whether it
may be stored; "no" is certain, "perhaps" is wrong for one in 25,000 at most and is looked up. So
new trades cost no query, however many trades their market has, and no conflict is missed.

What this process stores is added as it comes. What was stored before it is read in slices, one a
commit, in the order of the table; until all of a market is read, every id of it is looked up.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from clickhouse_connect.driver.client import Client
from numpy.typing import NDArray

from appliance.store.reader import select

Mask = NDArray[np.bool_]
Ties = NDArray[np.uint64]
SLICE_ROWS: Final = 50_000
"""Stored ties that one commit reads: some 20 ms."""
_BITS_PER_TIE: Final = 32
_PROBES: Final = 8
"""Of 32 bits a tie, 8 set: at most 22 % are, so 8 chance upon set ones in 6 of 1,000,000 cases."""
_LAYER_WORDS: Final = (1 << 17, 1 << 19, *[1 << 21] * 5)
"""Of 8 bytes: from 1 MiB to 85 MiB, for 22 million ids. Beyond, bits get denser and more is looked
up: one id in 250 at 45 millions."""
_START: Final = (0, 0, 0)
_APART: Final = 0x9E3779B97F4A7C15
_MIXERS: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
"""Of splitmix64: ties without an id are consecutive numbers, and must be spread."""


class Ids:
    """The ids of one store; used by the writer's thread alone."""

    def __init__(self) -> None:
        """Know nothing: of a stored market everything is perhaps stored."""
        self._layers = [_Layer(_LAYER_WORDS[0])]
        self._read_to: dict[int, tuple[int, int, int] | None] = {}

    def add(self, market_id: int, ties: Ties) -> None:
        """Remember what is about to be stored."""
        keys = _keys(market_id, ties)
        keys = keys[~self._seen(keys)]
        layer = min(self._layers, key=lambda each: each.fill)
        if layer.fill >= 1 and len(self._layers) < len(_LAYER_WORDS):
            layer = _Layer(_LAYER_WORDS[len(self._layers)])
            self._layers.append(layer)
        layer.add(keys)

    def perhaps(self, client: Client, market_id: int, ties: Ties) -> Mask:
        """Return which of a stored market's ties may be stored; all are while it is not read."""
        if self._read_to.get(market_id, _START) is not None and not self._read(client, market_id):
            return np.ones(len(ties), dtype=bool)
        return self._seen(_keys(market_id, ties))

    def begin(self, market_id: int) -> None:
        """Note that nothing of a market is stored yet."""
        self._read_to[market_id] = None

    def _seen(self, keys: Ties) -> Mask:
        seen = np.zeros(len(keys), dtype=bool)
        for layer in self._layers:
            seen |= layer.seen(keys)
        return seen

    def _read(self, client: Client, market_id: int) -> bool:
        """Read the next slice of a market; return whether it was the last."""
        time_us, sequence, tie = self._read_to.get(market_id) or _START
        where = {"market": market_id, "time_us": time_us, "sequence": sequence, "tie": tie}
        columns = select(client, "select_ties", where | {"rows": SLICE_ROWS})
        rows = len(columns[0]) if columns else 0
        if rows:
            self.add(market_id, np.array(columns[2], dtype=np.uint64))
        self._read_to[market_id] = _last(columns) if rows == SLICE_ROWS else None
        return rows < SLICE_ROWS


class _Layer:
    """A Bloom filter of fixed size; it may be filled beyond its measure."""

    def __init__(self, words: int) -> None:
        self._words = np.zeros(words, dtype=np.uint64)
        self._words.fill(0)  # in order: touched at random, each page would cost a fault
        self._held = 0

    @property
    def fill(self) -> float:
        """Return how much of its measure it holds."""
        return self._held * _BITS_PER_TIE / (len(self._words) * 64)

    def add(self, keys: Ties) -> None:
        self._held += len(keys)
        for word, bit in self._places(keys):
            np.bitwise_or.at(self._words, word, bit)

    def seen(self, keys: Ties) -> Mask:
        seen = np.ones(len(keys), dtype=bool)
        for word, bit in self._places(keys):
            seen &= (self._words[word] & bit) != 0
        return seen

    def _places(self, keys: Ties) -> list[tuple[NDArray[np.intp], Ties]]:
        """Return word and bit of each probe: two halves of a key make all of them."""
        first, step = keys & np.uint64(0xFFFFFFFF), keys >> np.uint64(32) | np.uint64(1)
        last = np.uint64(len(self._words) * 64 - 1)
        probes = [(first + np.uint64(number) * step) & last for number in range(_PROBES)]
        return [
            ((bit >> np.uint64(6)).astype(np.intp), np.uint64(1) << (bit & np.uint64(63)))
            for bit in probes
        ]


def _keys(market_id: int, ties: Ties) -> Ties:
    """Return what stands for the ties of a market, evenly spread."""
    keys = ties + np.uint64(market_id * _APART % (1 << 64))
    keys = (keys ^ keys >> np.uint64(30)) * _MIXERS[0]
    keys = (keys ^ keys >> np.uint64(27)) * _MIXERS[1]
    return keys ^ keys >> np.uint64(31)


def _last(columns: Sequence[Sequence[Any]]) -> tuple[int, int, int]:
    time_us, sequence, tie = (int(column[-1]) for column in columns)
    return time_us, sequence, tie
