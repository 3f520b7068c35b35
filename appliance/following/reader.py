"""Read logs so that nothing is missed, from nodes that may be wrong.

Far from the head, ranges are read whose last block has the same hash before and after. Near it,
each block is read by its hash. An empty answer is not believed at once: nodes give some for blocks
that do hold logs. Where the block's bloom proves that it holds none, it is; where it all but
proves that it does, the node is asked until it says so; otherwise others are asked as well, and
more often once one was caught.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Protocol, TypeVar

import msgspec

from appliance.chain.log import Logs
from appliance.following.bloom import Question
from appliance.following.together import together
from appliance.following.width import Width
from appliance.rpc.endpoint import Endpoint
from appliance.rpc.errors import (
    Missing,
    Nonsense,
    RangeTooWide,
    Rejected,
    TooManyResults,
    Unavailable,
)
from appliance.rpc.records import Header, LogRecord

log = logging.getLogger(__name__)
T = TypeVar("T")
MOST_ADDRESSES: Final = 400
"""With more, logs are asked for by topic alone, and foreign ones left out here."""
_LOOKS: Final = 2
_LOOKS_AT_LIARS: Final = 9
"""Where one answer in six is wrongly empty, nine in a row are one in ten million."""
_LOOKS_AT_PROOF: Final = 30
_PROOF: Final = 1e-3
_AT_ONCE: Final = 8
_PATIENCE: Final = 4
_MANY: Final = 1_000
_ROUND: Final = frozenset({1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000})
"""Numbers of logs at which nodes are known to cut an answer short without saying so."""


class Changed(Exception):
    """A block was replaced while it was read; the next look at the head tells more."""


class Pool(Protocol):
    """The part of the pool of endpoints that reading needs."""

    async def run(
        self,
        work: Callable[[Endpoint], Awaitable[T]],
        *,
        height: int = 0,
        avoid: Collection[Endpoint] = (),
    ) -> T:
        """Give `work` to the best endpoint, and to others when it fails."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Which logs are wanted: of these contracts (lower case), with one of these topics."""

    addresses: tuple[str, ...]
    topics: tuple[str, ...]

    @property
    def filter(self) -> tuple[str, ...]:
        """Return the addresses to name to a node, none where there are too many."""
        return self.addresses if len(self.addresses) <= MOST_ADDRESSES else ()


@dataclass(frozen=True, slots=True)
class Far:
    """The logs of the blocks from header `start` to header `end`, in order."""

    start: Header
    end: Header
    logs: list[LogRecord]


@dataclass(frozen=True, slots=True)
class Belief:
    """A far range that is held to be empty on the word of few answers."""

    asked: Asked
    first: int
    last: int


@dataclass(slots=True)
class Reader:
    """Reads from a pool; `lies` counts answers that were empty and should not have been."""

    pool: Pool
    lies: int = 0
    blooms: Literal["unknown", "trusted", "off"] = "unknown"
    believed: list[Belief] = field(default_factory=list)
    """What was believed before the first lie."""

    @property
    def looks(self) -> int:
        """Return how often an empty answer is asked for."""
        return _LOOKS_AT_LIARS if self.lies else _LOOKS

    # Far from the head

    async def far(self, asked: Asked, first: int, last: int, width: Width) -> list[Far]:
        """Return the logs of blocks `first` to `last`, in as many pieces as the nodes want."""
        pieces: list[Far] = []
        blocks, patience = last - first + 1, _PATIENCE
        while first <= last:
            end = min(last, first + blocks - 1)
            try:
                pieces.append(await self._range(asked, first, end))
            except (RangeTooWide, TooManyResults) as error:
                if first < end:
                    blocks = width.refused(first, end, error)
                    continue
                pieces.append(await self._one(asked, first))
            except Unavailable as error:  # it may have taken too long: less is tried a few times
                patience -= 1
                if first == end or patience < 0:
                    raise
                blocks = width.refused(first, end, error)
                continue
            width.answered(end - first + 1, len(pieces[-1].logs))
            first = end + 1
        return pieces

    async def _range(self, asked: Asked, first: int, last: int) -> Far:
        tried: list[Endpoint] = []

        async def read(endpoint: Endpoint) -> Far:
            tried.append(endpoint)
            start, end = await _ends(endpoint, first, last)
            logs = await endpoint.logs(first, last, asked.filter, asked.topics)
            if last > first and len(logs) in _ROUND:
                raise TooManyResults(f"{endpoint.name} may have cut its answer at {len(logs)} logs")
            if (await _header(endpoint, last)).hash != end.hash:
                raise Unavailable(f"block {last} of {endpoint.name} changed while it was read")
            return Far(start, end, await _timed(endpoint, _wanted(asked, logs)))

        far = await self.pool.run(read, height=last)
        for _ in range(1, self.looks):
            if far.logs:
                break
            others = tuple(tried)
            far = await self.pool.run(read, height=last, avoid=others)
            if far.logs:
                self._caught(f"blocks {first} to {last}")
        if not far.logs and not self.lies:
            self._believe(Belief(asked, first, last))
        return far

    def _believe(self, belief: Belief) -> None:
        """Remember a range; those that touch become one when there are many."""
        self.believed.append(belief)
        if len(self.believed) % _MANY:
            return
        merged: list[Belief] = []
        for each in sorted(self.believed, key=lambda b: (b.asked.addresses, b.first)):
            newest = merged[-1] if merged else None
            if newest and newest.asked == each.asked and each.first <= newest.last + 1:
                merged[-1] = replace(newest, last=max(newest.last, each.last))
            else:
                merged.append(each)
        self.believed = merged

    async def _one(self, asked: Asked, number: int) -> Far:
        """Return the logs of a block that holds too many for a question by range."""
        header = await self.pool.run(lambda endpoint: _header(endpoint, number), height=number)
        return Far(header, header, await self._block(asked, header))

    # Near the head

    async def near(self, asked: Asked, headers: Sequence[Header]) -> list[LogRecord]:
        """Return the logs of these blocks, in order."""
        question = Question(asked.addresses, asked.topics)
        room = asyncio.Semaphore(_AT_ONCE)

        async def read(header: Header) -> list[LogRecord]:
            async with room:
                return await self._near(asked, question, header)

        found = await together([read(header) for header in headers])
        return [record for logs in found for record in logs]

    async def _near(self, asked: Asked, question: Question, header: Header) -> list[LogRecord]:
        use_bloom = self.blooms == "trusted" and bool(header.bloom)
        if use_bloom and not question.may_hold(header.bloom):
            return []
        looks = self.looks
        if use_bloom and question.doubt(header.bloom) < _PROOF:
            looks = _LOOKS_AT_PROOF
        logs = await self._block(asked, header, looks)
        if logs:
            self._judge_blooms(header, logs[0])
        elif looks == _LOOKS_AT_PROOF:
            raise Nonsense(
                f"block {header.number} must hold logs, as its header says, and every answer "
                "about them was empty"
            )
        return logs

    async def _block(self, asked: Asked, header: Header, looks: int = 1) -> list[LogRecord]:
        tried: list[Endpoint] = []

        async def read(endpoint: Endpoint) -> list[LogRecord]:
            tried.append(endpoint)
            try:
                logs = await endpoint.block_logs(header.hash, asked.filter, asked.topics)
            except (Missing, Rejected):
                await _require(endpoint, header)
                raise
            if not logs:
                await _require(endpoint, header)
            return [_at(record, header.time) for record in _wanted(asked, logs)]

        logs = await self.pool.run(read, height=header.number)
        for _ in range(1, looks):
            if logs:
                break
            logs = await self.pool.run(read, height=header.number, avoid=tuple(tried))
            if logs:
                self._caught(f"block {header.number}")
        return logs

    def _caught(self, where: str) -> None:
        self.lies += 1
        if self.lies == 1:
            log.warning(
                "a node answered that %s hold no logs, and they do: "
                "empty answers are asked for again from here on",
                where,
            )

    def _judge_blooms(self, header: Header, record: LogRecord) -> None:
        """Trust headers once one of them told the truth about a log, or never."""
        if self.blooms == "off" or not header.bloom:
            return
        told = Question([record.address], [record.topics[0]]).may_hold(header.bloom)
        if told:
            self.blooms = "trusted"
        else:
            self.blooms = "off"
            log.warning(
                "block %d holds logs that its header's bloom denies: blooms of this chain are "
                "not used, empty answers are asked for again instead",
                header.number,
            )


def columns(records: Sequence[LogRecord]) -> Logs:
    """Return logs as the decoder takes them; every record must have a block time."""
    return Logs(
        [r.block_number for r in records],
        [(r.block_time or 0) * 1_000_000 for r in records],
        [r.transaction_hash for r in records],
        [r.log_index for r in records],
        [r.address for r in records],
        [r.topics for r in records],
        [r.data for r in records],
    )


def _wanted(asked: Asked, logs: Sequence[LogRecord]) -> list[LogRecord]:
    """Return the logs that were asked for and still stand, in the order of the chain."""
    addresses = frozenset(asked.addresses)
    kept = [r for r in logs if r.address in addresses and r.topics and not r.removed]
    kept.sort(key=lambda r: (r.block_number, r.log_index))
    return kept


async def _header(endpoint: Endpoint, number: int) -> Header:
    header = await endpoint.header(number)
    if header is None:
        raise Unavailable(f"{endpoint.name} does not have block {number}")
    return header


async def _ends(endpoint: Endpoint, first: int, last: int) -> tuple[Header, Header]:
    if first == last:
        header = await _header(endpoint, first)
        return header, header
    ends = await endpoint.headers([first, last])
    if [header.number for header in ends] != [first, last]:
        raise Unavailable(f"{endpoint.name} does not have blocks {first} and {last}")
    return ends[0], ends[1]


async def _require(endpoint: Endpoint, header: Header) -> None:
    """Return if the endpoint's chain still has this block; raise Changed if another is there."""
    now = await endpoint.header(header.number)
    if now is not None and now.hash != header.hash:
        raise Changed(f"block {header.number} was replaced")


async def _timed(endpoint: Endpoint, logs: list[LogRecord]) -> list[LogRecord]:
    """Return the logs with their blocks' times, asked for where the node leaves them out."""
    missing = sorted({r.block_number for r in logs if r.block_time is None})
    if not missing:
        return logs
    headers = {header.number: header for header in await endpoint.headers(missing)}
    timed = []
    for record in logs:
        header = headers.get(record.block_number)
        if record.block_time is None and (header is None or header.hash != record.block_hash):
            raise Unavailable(f"block {record.block_number} of {endpoint.name} changed")
        timed.append(record if header is None else _at(record, header.time))
    return timed


def _at(record: LogRecord, time: int) -> LogRecord:
    return record if record.block_time == time else msgspec.structs.replace(record, block_time=time)
