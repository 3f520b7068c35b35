"""The candles of one answer: rows of chunks, and the newest candle where it still forms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from secrets import token_hex
from typing import Any, Final

from appliance.chunks.chunk import TEXTS, Chunk, texts_of
from appliance.model import Candles

_RUN: Final = token_hex(4)
"""Numbers of chunks begin again with each process: tags of another one must not match."""
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest candle as it was at a moment; no other moment has its number."""

    number: int
    row: tuple[Any, ...]
    texts: Sequence[bytes]

    @classmethod
    def of(cls, number: int, row: tuple[Any, ...]) -> "Newest":
        """Return the candle with its texts."""
        return cls(number, row, texts_of(row))


class Pieces:
    """Rows [first, end) of each chunk, ascending and none empty, then the newest candle, if any."""

    __slots__ = ("_tag", "made", "newest", "packed", "rows")

    def __init__(self, rows: Sequence[tuple[Chunk, int, int]], newest: Newest | None) -> None:
        """Hold what `Strip.find` found."""
        self.rows = rows
        self.newest = newest
        self._tag = ""
        self.made: dict[str, bytes] = {}
        """What others made of these candles, by a name of theirs; it stays as long as they do."""
        self.packed: list[bytes] = []
        """What others made of `rows` alone, which stays also where the newest candle changes."""

    def __bool__(self) -> bool:
        """Return whether there is any candle."""
        return bool(self.rows) or self.newest is not None

    def __len__(self) -> int:
        """Return the number of candles."""
        count = 1 if self.newest is not None else 0
        for _, first, end in self.rows:
            count += end - first
        return count

    def renew(self, newest: Newest | None) -> None:
        """Go on with another state of the newest candle."""
        self.newest = newest
        self._tag = ""
        self.made.clear()

    @property
    def size(self) -> int:
        """Return how many bytes others made of these candles."""
        return sum(map(len, self.made.values())) + sum(map(len, self.packed))

    def candles(self) -> Candles:
        """Return the candles as columns."""
        columns: list[list[Any]] = []
        for c in range(len(Candles.__slots__)):
            column: list[Any] = []
            for chunk, first, end in self.rows:
                column += chunk.columns[c][first:end]
            if self.newest is not None:
                column.append(self.newest.row[c])
            columns.append(column)
        return Candles(*columns)

    @property
    def tag(self) -> str:
        """Return what names this text and no other, as an entity tag without the last quote."""
        if not self._tag:
            self._tag = self._named()
        return self._tag

    def _named(self) -> str:
        words = [f"{chunk.number}.{first}.{end}" for chunk, first, end in self.rows]
        if self.newest is not None:
            words.append(str(self.newest.number))
        text = "-".join(words)
        if len(words) > _SHOWN:
            text = blake2b(text.encode(), digest_size=16).hexdigest()
        return f'"{_RUN}-{text}'

    def texts(self) -> Iterator[bytes]:
        """Yield the values of each column that charts are sent, as JSON without the brackets."""
        newest = self.newest.texts if self.newest is not None else None
        for c, text in enumerate(self.closed_texts()):
            yield text if newest is None else text + b"," + newest[c] if text else newest[c]

    def closed_texts(self) -> list[bytes]:
        """Return the same without the newest candle; where there is no other, they are empty."""
        found = [chunk.written(first, end) for chunk, first, end in self.rows]
        if len(found) == 1:
            return found[0]
        return [b",".join(texts) for texts in zip(*found, strict=True)] or [b""] * TEXTS
