"""All candles of one market and interval in a range of time, as columns and as JSON text.

A chunk is never changed, only added to at its end: row i stays row i as long as the object lives,
so its `number` and a range of rows name a text for good. The text of a column is one `bytes` object
with the places where its values begin: any rows of it are one slice. Columns are arrays of
machine numbers, a fifth of what Python's objects take.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from hashlib import blake2b
from itertools import count
from typing import Any, Final

import msgspec
import numpy as np

from appliance.model import Candles

END: Final = (1 << 32) - 1
"""The end of time: the engine's DateTime ends in 2106, and trades are accepted until 2100."""
ROWS: Final = 256
"""Most rows of a chunk that is not added to."""
TEXTS: Final = 6
"""The first columns are those that charts are sent: time, open, high, low, close, volume."""
_TYPES: Final = "qddddddddQQQ"
_OVERHEAD: Final = 2_500
"""Bytes of the objects of an empty chunk."""
_COMMA: Final = 44
_SHORT: Final = (1 << 16) - 1
"""Texts below are cut at 16-bit places, where they do not grow."""
_HEAD: Final = struct.Struct("<qqIB")
_DIGEST: Final = 16
_numbers = count(1)
_encode = msgspec.json.Encoder().encode
Row = Sequence[Any]


class Chunk:
    """The candles that start in [start, end); there are no others in that range.

    `leans` says that its first bucket holds trades but no price, so that a change before the chunk
    may change it too. `ahead` is how many chunks were read ahead with it, 0 once it was used.
    """

    __slots__ = (
        *("ahead", "columns", "counted", "cuts", "end", "highest", "leans", "number"),
        *("recent", "size", "start", "strip", "texts"),
    )

    def __init__(
        self, start: int, end: int, columns: Sequence[Sequence[Any]], *, leans: bool = False
    ) -> None:
        """Hold `columns`, those of `Candles` in its order, ascending."""
        self.start = start
        self.end = end
        self.leans = leans
        self.columns = [array(kind, c) for kind, c in zip(_TYPES, columns, strict=True)]
        self.highest: int = max(self.columns[11], default=0)
        self.texts: list[bytes] = []  # made when they are asked for
        self.cuts: list[array[int]] = []
        self.number = next(_numbers)
        self.ahead = 0
        self.strip: Any = None
        self.counted = 0
        self.recent = False
        self.size = _OVERHEAD + sum(c.itemsize * len(c) for c in self.columns)

    def __len__(self) -> int:
        """Return the number of candles."""
        return len(self.columns[0])

    def before(self, time: int) -> int:
        """Return how many candles start before `time`."""
        return bisect_left(self.columns[0], time)

    def part(self, start: int, end: int) -> "Chunk":
        """Return the candles of [start, end), which lies inside, as a chunk of its own."""
        first, stop = self.before(start), self.before(end)
        leans = self._repeats(first) if first else self.leans
        return Chunk(start, end, [column[first:stop] for column in self.columns], leans=leans)

    def joined(self, newer: "Chunk") -> "Chunk":
        """Return this chunk and the one that begins where it ends as one."""
        columns = [[*c, *n] for c, n in zip(self.columns, newer.columns, strict=True)]
        return Chunk(self.start, newer.end, columns, leans=self.leans)

    def _repeats(self, row: int) -> bool:
        """Return whether a candle may have no price of its own: it is flat at the close before."""
        if row == len(self):
            return True
        close = self.columns[4][row - 1]
        return all(column[row] == close for column in self.columns[1:5])

    def append(self, row: Row) -> None:
        """Add a candle after all others."""
        for column, value in zip(self.columns, row, strict=True):
            column.append(value)
            self.size += column.itemsize
        self.highest = max(self.highest, row[11])
        if self.texts:
            for c, text in enumerate(texts_of(row)):
                self.texts[c] = self.texts[c] + b"," + text if self.texts[c] else text
                self.cuts[c].append(len(self.texts[c]) + 1)
                self.size += len(text) + 5

    def written(self, first: int, end: int) -> list[bytes]:
        """Return the JSON text of each column's values in rows [first, end), which is not empty."""
        if not self.texts:
            self._write()
        pairs = zip(self.texts, self.cuts, strict=True)
        return [text[cuts[first] : cuts[end] - 1] for text, cuts in pairs]

    def _write(self) -> None:
        for column in self.columns[:TEXTS]:
            text = _encode(column.tolist())[1:-1]
            self.texts.append(text)
            commas = np.flatnonzero(np.frombuffer(text, np.uint8) == _COMMA).tolist()
            ends = [len(text) + 1] if text else []
            kind = "H" if self.end != END and len(text) < _SHORT else "I"
            self.cuts.append(array(kind, [0, *(comma + 1 for comma in commas), *ends]))
            self.size += len(text) + self.cuts[-1].itemsize * len(column)

    def dump(self) -> bytes:
        """Return the chunk as bytes, without its texts."""
        head = _HEAD.pack(self.start, self.end, len(self), self.leans)
        data = head + b"".join(column.tobytes() for column in self.columns)
        return blake2b(data, digest_size=_DIGEST).digest() + data


def texts_of(row: Row) -> list[bytes]:
    """Return the JSON text of those values of a candle that charts are sent."""
    return _encode(row[:TEXTS])[1:-1].split(b",")


def load(data: bytes) -> Chunk | None:
    """Return the chunk that was dumped, None if the bytes are not what `dump` made."""
    digest, data = data[:_DIGEST], data[_DIGEST:]
    if len(data) < _HEAD.size or blake2b(data, digest_size=_DIGEST).digest() != digest:
        return None
    start, end, rows, leans = _HEAD.unpack_from(data)
    columns, at = [], _HEAD.size
    for kind in _TYPES:
        columns.append(array(kind, data[at : at + 8 * rows]))
        at += 8 * rows
    return Chunk(start, end, columns, leans=bool(leans))


def chunk_of(candles: Candles, start: int, end: int) -> Chunk:
    """Return these candles as a chunk."""
    return Chunk(start, end, [getattr(candles, name) for name in Candles.__slots__])
