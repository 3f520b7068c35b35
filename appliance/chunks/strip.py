"""What is known of one market and interval: chunks in order, with holes where nothing is known.

Pure: it answers from what it holds, or says what it lacks; `book` reads that. The last chunk may
reach to the end of time. It is the tail, and its newest candle forms: commits are merged into it
exactly as the store would. Whatever cannot be merged makes the strip let go of just the chunks that
it touches, and of those after them whose first candles repeat a price from before.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import numpy as np

from appliance import forming
from appliance.chunks.chunk import END, ROWS, Chunk
from appliance.chunks.pieces import Newest, Pieces
from appliance.forming import Bar, Ints, Rows
from appliance.interval import Interval
from appliance.model import Market

_TAIL_ROWS: Final = 2 * ROWS
_ANSWERS_MAX: Final = 256
"""Answers of one strip that are remembered."""
_OVERHEAD: Final = 1_500
"""Bytes of the objects of an answer."""
_MERGED_MAX: Final = 1_000
"""Buckets that one commit may add to a tail; more are read."""
_stamps = count(1)


class Question(NamedTuple):
    """All candles in [start, to), and at least `wanted` before `to`; the newest `limit` of them.

    `start` and `to` are bucket starts, `start` ≤ `to`. With `older`, one more is looked for.
    """

    start: int
    to: int
    wanted: int
    limit: int
    older: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """What is not known: candles before `at`, down to `start` and at least `count` of them.

    `below` is where the next older chunk ends, `above` where the next newer one begins.
    """

    at: int
    start: int
    count: int
    below: int
    above: int


class Found:
    """The candles of an answer, and the start of the newest one before them, if known."""

    __slots__ = ("counted", "is_new", "older", "pieces", "question", "recent", "strip", "used")

    def __init__(
        self, question: Question, pieces: Pieces, older: int | None, used: Sequence[Chunk]
    ) -> None:
        """Answer `question` with rows of the chunks `used`, newest first."""
        self.question = question
        self.pieces = pieces
        self.older = older
        self.used = used
        self.strip: Strip | None = None
        self.counted = 0
        self.recent = False
        self.is_new = True
        """Whether its texts were not counted yet: they are made after it was found."""

    @property
    def size(self) -> int:
        """Return how many bytes it takes, without its chunks."""
        return _OVERHEAD + self.pieces.size


@dataclass(slots=True)
class _Walk:
    """What was found so far, from the newest chunk down."""

    chunks: list[tuple[Chunk, int]]
    count: int = 0
    outside: int = 0
    """Candles before `start` among them."""

    def kept(self, question: Question) -> int:
        """Return how many candles the answer has, if nothing before is needed."""
        return min(question.limit, max(question.wanted, self.count - self.outside), self.count)

    def lacks(self, question: Question, begin: int) -> int:
        """Return how many more candles are needed from before `begin`; 0: enough, -1: unknown."""
        if begin <= 0 or self.count > question.limit:
            return 0
        inside = self.count - self.outside
        kept = min(question.limit, max(question.wanted, inside))
        needed = kept + 1 if question.older or not kept else kept
        if needed > self.count:
            return needed - self.count
        return -1 if begin > question.start else 0


class Strip:
    """The chunks of one market and interval, disjoint and ascending."""

    def __init__(self, market: Market, interval: Interval) -> None:
        """Know nothing."""
        self.market = market
        self.interval = interval
        self.chunks: list[Chunk] = []
        self.starts: list[int] = []
        self.newest: Bar | None = None
        self.sparse = False
        self.applied = 0
        """How many of the market's commits are in what is held, counted by `book`."""
        self.lock = asyncio.Lock()
        self.users = 0
        self.is_reading_ahead = False
        self.answers: dict[Question, Found] = {}
        """Answers that hold as long as nothing that they are made of changes."""
        self.dropped: list[Chunk] = []
        """Chunks that are no longer true, and not yet taken from the level in memory."""
        self.outdated: list[Chunk] = []
        """Chunks that were replaced by others, and are to be taken from there, too."""
        self.forgotten: list[Found] = []
        """Answers that are not held any more, and not yet taken from their level."""
        self._shown: Newest | None = None

    # -- what is held --

    @property
    def tail(self) -> Chunk | None:
        """Return the chunk that reaches to the end of time, if there is one."""
        return self.chunks[-1] if self.chunks and self.chunks[-1].end == END else None

    def insert(self, chunks: Sequence[Chunk], newest: Bar | None) -> None:
        """Add what was read into holes; `newest` is the newest candle of a tail."""
        for chunk in chunks:
            at = bisect_left(self.starts, chunk.start)
            self.chunks.insert(at, chunk)
            self.starts.insert(at, chunk.start)
            chunk.strip = self
            if chunk.end == END:
                self.newest, self._shown = newest, None

    def keep(self, found: Found) -> None:
        """Remember an answer."""
        if len(self.answers) >= _ANSWERS_MAX:
            self.drop(next(iter(self.answers.values())))
        self.answers[found.question] = found
        found.strip = self

    def drop(self, found: Found) -> None:
        """Forget an answer."""
        if self.answers.get(found.question) is found:
            del self.answers[found.question]
        found.strip = None
        self.forgotten.append(found)

    def remove(self, chunk: Chunk) -> None:
        """Let go of a chunk."""
        at = bisect_left(self.starts, chunk.start)
        if at < len(self.chunks) and self.chunks[at] is chunk:
            del self.chunks[at], self.starts[at]
            chunk.strip = None
            self.dropped.append(chunk)
            for found in list(self.answers.values()):
                self.drop(found)
            if chunk.end == END:
                self.newest, self._shown = None, None

    def clear(self) -> None:
        """Let go of everything."""
        for chunk in list(self.chunks):
            self.remove(chunk)

    def shorten(self, tail: Chunk) -> Chunk | None:
        """Leave the newest candle alone in the tail; return the others, None if there are none."""
        newest = self.newest
        if newest is None or not len(tail):
            return None
        closed, rest = tail.part(tail.start, newest.start), tail.part(newest.start, END)
        rest.highest = tail.highest
        self.remove(tail)
        self.outdated.append(self.dropped.pop())
        self.insert([rest], newest)
        return closed

    def closed(self) -> list[Chunk]:
        """Return all candles but the newest; small chunks that join each other come as one.

        Each process leaves a few candles: without that, chunks would become ever smaller.
        """
        found: list[Chunk] = []
        for chunk in self.chunks:
            whole = chunk
            if chunk.end == END:
                if self.newest is None:
                    continue
                whole = chunk.part(chunk.start, self.newest.start)
            if found and found[-1].end == whole.start and len(found[-1]) + len(whole) <= ROWS:
                found[-1] = found[-1].joined(whole)
            else:
                found.append(whole)
        return found

    def open_tail(self, start: int) -> bool:
        """Let go of a tail from `start` on that holds no trade; return whether there was one.

        It is read anew together with what is before it, so that it has a candle to add trades to.
        One that leans has trades, only no price to draw: it would come out the same.
        """
        tail = self.tail
        if tail is None or tail.start != start or self.newest is not None or tail.leans:
            return False
        self.remove(tail)
        self.outdated.append(self.dropped.pop())
        return True

    # -- questions --

    def find(self, question: Question) -> Found | Gap:
        """Return the answer, or the first thing that is lacking for it."""
        walk, at = _Walk([]), question.to
        if at <= 0:
            return Found(question, Pieces([], None), None, ())
        i = bisect_left(self.starts, at) - 1
        while True:
            if i < 0 or self.chunks[i].end < at:
                return self._gap(question, walk, at, i)
            chunk = self.chunks[i]
            rows = self._rows_before(chunk, at)
            walk.chunks.append((chunk, rows))
            walk.count += rows
            walk.outside += min(rows, self._rows_before(chunk, question.start))
            if walk.lacks(question, chunk.start) == 0:
                return self._found(question, walk)
            at, i = chunk.start, i - 1

    def _rows_before(self, chunk: Chunk, time: int) -> int:
        """Return how many candles of a chunk start before `time`, the forming one included."""
        if chunk.end <= time and chunk.end != END:
            return len(chunk)
        newest = self.newest if chunk.end == END else None
        return chunk.before(time) + (newest is not None and newest.start < time)

    def _gap(self, question: Question, walk: _Walk, at: int, i: int) -> Gap:
        lacks = walk.lacks(question, at)
        below = self.chunks[i].end if i >= 0 else 0
        above = self.starts[i + 1] if i + 1 < len(self.starts) else END
        return Gap(at, min(question.start, at), max(lacks, 0), below, above)

    def _found(self, question: Question, walk: _Walk) -> Found:
        kept = walk.kept(question)
        skip = walk.count - kept
        rows: list[tuple[Chunk, int, int]] = []
        newest, older = None, None
        for chunk, held in reversed(walk.chunks):
            first, end = min(skip, held), held
            if first:
                older = self._time(chunk, first - 1)
            skip -= first
            if end > len(chunk):
                end -= 1
                newest = self._newest() if first <= end else None
            if first < end:
                rows.append((chunk, first, end))
        return Found(question, Pieces(rows, newest), older, [chunk for chunk, _ in walk.chunks])

    def _time(self, chunk: Chunk, row: int) -> int:
        if row == len(chunk) and self.newest is not None:
            return self.newest.start
        start: int = chunk.columns[0][row]
        return start

    def _newest(self) -> Newest | None:
        if self._shown is None and self.newest is not None:
            self._shown = Newest.of(next(_stamps), row_of(self.newest))
        return self._shown

    # -- changes --

    def add(self, rows: Rows) -> None:
        """Take the trades of a commit: into the tail, or by letting go of what they touch."""
        starts = rows.starts(self.interval)
        tail = self.tail
        late = starts if tail is None else starts[starts < tail.start]
        if len(late):
            for chunk in touched(self.chunks, np.unique(late)):
                self.remove(chunk)
        is_met = tail is not None and tail.strip is self and len(late) < len(starts)
        if tail is not None and is_met and (len(late) or not self._merge(tail, rows)):
            self.remove(tail)

    def touch(self, first: int, last: int) -> None:
        """Let go of what holds one of the seconds from `first` to `last`, or repeats its price."""
        for chunk in revised(self.chunks, self.interval, first, last):
            self.remove(chunk)

    def joined(self, start: int) -> int:
        """Return how many chunks follow each other without a hole from `start` on."""
        i = first = bisect_left(self.starts, start)
        while i < len(self.chunks) and self.starts[i] == start:
            start, i = self.chunks[i].end, i + 1
        return i - first

    def bottom(self, start: int) -> int:
        """Return where the chunks begin that join the one that begins at `start` without a hole."""
        i = bisect_left(self.starts, start)
        while 0 < i < len(self.chunks) and self.chunks[i - 1].end == self.chunks[i].start:
            i -= 1
        return self.starts[i] if i < len(self.starts) else 0

    def _merge(self, tail: Chunk, rows: Rows) -> bool:
        """Add trades to the tail; False where the store must be asked."""
        newest = self.newest
        if newest is None or int(rows.sequence[0]) <= tail.highest:
            return False
        changed = forming.merge(newest, rows, self.interval, _MERGED_MAX)
        if changed is None:
            return False
        for bar in (newest, *(bar for bar in changed[:-1] if bar is not newest)):
            if bar is not changed[-1]:
                tail.append(row_of(bar))
        self.newest, self._shown = changed[-1], None
        for found in [f for f in self.answers.values() if f.question.to > newest.start]:
            if changed[-1] is newest and found.pieces.newest is not None:
                found.pieces.renew(self._newest())
                found.is_new = True
            else:
                self.drop(found)
        if len(tail) > _TAIL_ROWS:
            self._split(tail)
        return True

    def _split(self, tail: Chunk) -> None:
        """Make a chunk of its own of the tail's older rows."""
        newest, middle = self.newest, tail.columns[0][ROWS]
        parts = [tail.part(tail.start, middle), tail.part(middle, END)]
        self.remove(tail)
        self.outdated.append(self.dropped.pop())
        self.insert(parts, newest)


def row_of(bar: Bar) -> tuple[Any, ...]:
    """Return a bar as a row of `Candles`."""
    prices = bar.open, bar.high, bar.low, bar.close
    return (bar.start, *prices, *bar.volumes, bar.trades, bar.first_sequence, bar.last_sequence)


class Range(Protocol):
    """What is kept of [start, end); one that leans may repeat a price from before it."""

    start: int
    end: int
    leans: bool


R = TypeVar("R", bound=Range)


def revised(ranges: Iterable[R], interval: Interval, first: int, last: int) -> list[R]:
    """Return what no longer holds where something from second `first` to `last` changed."""
    first, last = interval.floor(first), interval.floor(last)
    return [
        r for r in ranges if (r.start <= last and r.end > first) or (r.leans and r.start > first)
    ]


def touched(ranges: Iterable[R], starts: Ints) -> list[R]:
    """Return what no longer holds where these buckets, ascending, got trades."""
    first = int(starts[0])
    found = []
    for each in ranges:
        low, high = np.searchsorted(starts, (each.start, each.end))
        if low < high or (each.leans and each.start > first):
            found.append(each)
    return found
