"""The demo: three invented markets that behave like real ones, for people without a chain.

`Demo.run` first stores 24 hours of history, newest hour first, or, oldest first, what is missing
since the last stored trade; then it trades several times a second. Everything passes as `vamm`
logs through the decoder that reads real chains.

Each seeded hour closes and liquidates only positions that it opened itself, so that it can be
decoded before the hours that came earlier; what is still open at its end stays open unmentioned.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa

from appliance.chain.decode import Decoder
from appliance.chain.demo_book import Book, Due
from appliance.chain.demo_market import CHAIN_ID, HOURLY_TRADES, MARKETS
from appliance.chain.demo_path import Path, excitement, path
from appliance.chain.log import Logs
from appliance.errors import Conflict, Retryable
from appliance.model import TRADE_SCHEMA, Mark, MarketSpec

State = Literal["seeding", "live", "stopped"]
Submit = Callable[[pa.Table, Sequence[MarketSpec], str, tuple[Mark, ...]], Awaitable[Any]]
Sleep = Callable[[float], Awaitable[None]]
LastTimes = Mapping[str, tuple[int, float]]
Retract = Callable[[int], Awaitable[LastTimes]]

SEED: Final = 20_240_105
SOURCE: Final = "demo"
HISTORY_S: Final = 86_400
_PIECE_S: Final = 3_600
_SLICE: Final = 1_000  # logs
_LIVE_PIECE_S: Final = 60
_LIVE_TRADES_PER_S: Final = 8.0
_TICK_S: Final = 0.15  # at most this often is anything submitted
_LONGEST_WAIT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Piece:
    """One hour of history as rows of TRADE_SCHEMA; `progress` 0 to 1 counts this piece as done."""

    table: pa.Table
    marks: tuple[Mark, ...]
    specs: tuple[MarketSpec, ...]
    progress: float


def decoder() -> Decoder:
    """Return a decoder for the demo's contracts that remembers nothing yet."""
    return Decoder(CHAIN_ID, [market.contract for market in MARKETS])


def home_ticks() -> list[int]:
    """Return the markets' first prices in ticks."""
    return [round(m.price * 10**m.tick_digits) for m in MARKETS]


def history(seed: int, start: int, end: int, ticks: list[int]) -> Iterator[Piece]:
    """Yield the trades of unix seconds [start, end), newest hour first.

    Prices go on from `ticks` (one per market) and their last values are put back there. A whole
    hour has 3,600 trades, so 24 hours have 86,400. Nothing but the arguments decides the result.
    """
    spans = [(max(start, at - _PIECE_S), at) for at in range(end, start, -_PIECE_S)]
    planned = [_hourly(seed, span, ticks) for span in reversed(spans)]
    for number, span in enumerate(spans, 1):
        yield _piece(planned.pop(), span, number / len(spans))


def gap(seed: int, start: int, end: int, ticks: list[int]) -> Iterator[Piece]:
    """Yield the trades of unix seconds [start, end), oldest hour first.

    As `history`, but a kill in the middle leaves no hole: the next start goes on from there.
    """
    spans = [(at, min(end, at + _PIECE_S)) for at in range(start, end, _PIECE_S)]
    for number, span in enumerate(spans, 1):
        yield _piece(_hourly(seed, span, ticks), span, number / len(spans))


def _piece(paths: list[Path], span: tuple[int, int], progress: float) -> Piece:
    """Return the paths' trades, decoded in slices.

    The garbage collector stops every thread, and for longer the more logs are alive at once.
    """
    reader = decoder()
    logs = (due.log for due in Book().logs(paths, span))
    tables, marks = [TRADE_SCHEMA.empty_table()], list[Mark]()
    while (piece := Logs.of(islice(logs, _SLICE))).data:
        decoded = reader.decode(piece)
        tables.append(decoded.trades)
        marks += (mark.stored(CHAIN_ID) for mark in decoded.marks)
    table = pa.concat_tables(tables).combine_chunks()
    return Piece(table, tuple(marks), reader.specs, progress)


def _hourly(seed: int, span: tuple[int, int], ticks: list[int]) -> list[Path]:
    """Return paths over the span with as many trades as history has in that time."""
    share = (span[1] - span[0]) / _PIECE_S
    wanted = [round(market.hourly_trades * share) for market in MARKETS]
    return _paths(seed, span, wanted, ticks)


def _paths(seed: int, span: tuple[int, int], wanted: list[int], ticks: list[int]) -> list[Path]:
    """Return every market's path over the span, and move `ticks` to where they end."""
    paths = []
    for number, (market, trades) in enumerate(zip(MARKETS, wanted, strict=True)):
        found = path(seed, number, market, span, trades, ticks[number])
        last = found.last_tick
        ticks[number] = ticks[number] if last is None else last
        paths.append(found)
    return paths


def live_piece(seed: int, start: int, ticks: list[int], book: Book) -> list[Due]:
    """Return the logs of the live minute that begins at `start`, with their moments."""
    span = start, start + _LIVE_PIECE_S
    wanted = []
    for number, market in enumerate(MARKETS):
        mood = float(np.exp(excitement(seed, number, start, _LIVE_PIECE_S)).mean())
        share = market.hourly_trades / HOURLY_TRADES
        mean = _LIVE_TRADES_PER_S * _LIVE_PIECE_S * share * min(mood, 2.0)
        wanted.append(int(np.random.default_rng([seed, number, start, 1]).poisson(mean)))
    return list(book.logs(_paths(seed, span, wanted, ticks), span))


def other(seed: int, span: tuple[int, int], ticks: list[int]) -> Piece:
    """Return trades of unix seconds `span`, as many as live ones and unlike all of before."""
    share = _LIVE_TRADES_PER_S * (span[1] - span[0]) / HOURLY_TRADES
    wanted = [round(market.hourly_trades * share) for market in MARKETS]
    return _piece(_paths(seed, span, wanted, ticks), span, 1.0)


class Demo:
    """The demo as a source: history first, then live, until its task is cancelled."""

    def __init__(
        self,
        last_times: LastTimes | None = None,
        seed: int = SEED,
        unfinished: int | None = None,
    ) -> None:
        """Take what the store holds.

        `last_times`: unix second and price of each market's newest stored trade, None when the
        demo never ran. `unfinished`: the `seeded_at` of a seeding that did not end. Unless newer
        trades prove that it did, it is repeated to the digit; what is stored already counts as
        duplicates.
        """
        self.state: State = "stopped"
        self.progress = 0.0
        self.seeded_at: int | None = unfinished
        self._seed = seed
        self._last = dict(last_times or {})
        self._ticks = home_ticks()
        self._outbox: _Outbox | None = None
        self._turn = asyncio.Lock()  # held while live trades go out, or are replaced
        self._released = 0.0
        self._reorgs = 0

    async def run(
        self, submit: Submit, clock: Callable[[], float], sleep: Sleep = asyncio.sleep
    ) -> None:
        """Submit history, then live trades, for ever; `clock` gives unix seconds.

        Trades of the future are never submitted. A `Retryable` answer is asked again with
        growing delays; any other error ends the run.
        """
        outbox = self._outbox = _Outbox(submit, sleep)
        try:
            self.state = "seeding"
            cursor = await self._fill(outbox, int(clock()))
            self._released = cursor
            self.state = "live"
            await self._live(outbox, clock, cursor)
        finally:
            self.state = "stopped"

    async def reorg(self, depth: int, retract: Retract) -> tuple[int, int]:
        """Replace the trades of the last `depth` whole blocks; return the first and the last.

        `retract` takes away all blocks from one on and returns what is newest then; the block
        that is being made goes with them.

        Raises:
            Conflict: the demo does not trade yet, or no more.
        """
        async with self._turn:
            if self.state != "live" or self._outbox is None:
                raise Conflict(f"the demo must be live to be reorganized, was {self.state}")
            end = int(self._released)
            span = end - depth, end
            ticks = _ticks_of(await retract(span[0]))
            self._reorgs += 1
            piece = await asyncio.to_thread(other, self._seed + self._reorgs, span, ticks)
            await self._outbox.send(piece.table, piece.specs, piece.marks)
            return span[0], end - 1

    async def _fill(self, outbox: "_Outbox", now: int) -> int:
        """Submit what is missing before `now`; return the first second that is not covered."""
        newest = max((second for second, _ in self._last.values()), default=-1)
        until = now if self.seeded_at is None and not self._last else self.seeded_at
        if until is not None and newest < until:
            self.seeded_at = cursor = until
            pieces = history(self._seed, until - HISTORY_S, until, self._ticks)
            await self._send(outbox, pieces)
        else:
            self._resume()
            cursor = newest + 1
        await self._send(outbox, gap(self._seed, max(cursor, now - HISTORY_S), now, self._ticks))
        self.progress = 1.0
        return max(cursor, now)

    def _resume(self) -> None:
        """Let prices go on from the last stored ones."""
        self._ticks[:] = _ticks_of(self._last)

    async def _send(self, outbox: "_Outbox", pieces: Iterator[Piece]) -> None:
        # Making a piece takes longer than the event loop may be held.
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            await outbox.send(piece.table, piece.specs, piece.marks)
            self.progress = piece.progress

    async def _live(self, outbox: "_Outbox", clock: Callable[[], float], cursor: int) -> None:
        """Submit logs as their moments come, a minute after the other."""
        book, reader = Book(), decoder()
        while True:
            late = int(clock()) - cursor
            if late > 2 * _LIVE_PIECE_S:  # the machine slept
                end = cursor + late
                start = max(cursor, end - HISTORY_S)
                async with self._turn:
                    await self._send(outbox, gap(self._seed, start, end, self._ticks))
                    self._released = end
                cursor = end
            due = await asyncio.to_thread(live_piece, self._seed, cursor, self._ticks, book)
            await self._release(outbox, clock, reader, due)
            for contract, position in book.closed:
                reader.memory.forget(contract, position)
            book.closed.clear()
            cursor += _LIVE_PIECE_S

    async def _release(
        self, outbox: "_Outbox", clock: Callable[[], float], reader: Decoder, due: list[Due]
    ) -> None:
        """Submit each log once its moment has passed, those of one tick together."""
        at = 0
        while at < len(due):
            await outbox.sleep(max(_TICK_S, due[at].time - clock()))
            async with self._turn:
                now, first = clock(), at
                while at < len(due) and due[at].time <= now:
                    at += 1
                if at > first:
                    decoded = reader.decode(Logs.of(item.log for item in due[first:at]))
                    marks = tuple(mark.stored(CHAIN_ID) for mark in decoded.marks)
                    await outbox.send(decoded.trades, reader.specs, marks)
                self._released = now


def _ticks_of(last: LastTimes) -> list[int]:
    """Return the markets' last prices in ticks, the first ones where none is known."""
    prices = [last.get(market.symbol, (0, market.price))[1] for market in MARKETS]
    return [max(1, round(p * 10**m.tick_digits)) for p, m in zip(prices, MARKETS, strict=True)]


@dataclass(frozen=True, slots=True)
class _Outbox:
    """Where trades go, with patience."""

    submit: Submit
    sleep: Sleep

    async def send(
        self, table: pa.Table, specs: Sequence[MarketSpec], marks: tuple[Mark, ...]
    ) -> None:
        wait_s = 0.5
        while table.num_rows or marks:
            try:
                await self.submit(table, specs, SOURCE, marks)
            except Retryable:
                await self.sleep(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            else:
                return
