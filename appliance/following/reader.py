"""Read logs so that nothing is missed, from nodes that may be wrong.

Far from the head, ranges are read whose last block has the same hash before and after. Near it,
each block is read by its hash. An empty answer is not believed at once: nodes give some for blocks
that do hold logs. Where the block's bloom proves that it holds none, it is; where it all but
proves that it does, all logs of the block are read, whose bloom must be the header's. Otherwise
others are asked as well, and more often once one was caught; what was believed before is kept in
`beliefs`, to be asked again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeVar

import msgspec

from appliance.chain.log import Logs
from appliance.following.beliefs import Beliefs, What
from appliance.following.bloom import Question, bloom_of
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
from appliance.rpc.together import together

log = logging.getLogger(__name__)
T = TypeVar("T")
MOST_ADDRESSES: Final = 400
"""With more, logs are asked for by topic alone, and foreign ones left out here."""
_LOOKS: Final = 2
_LOOKS_AT_LIARS: Final = 9
"""Where one answer in six is wrongly empty, nine in a row are one in ten million."""
_LOOKS_AT_PROOF: Final = 5
_PROOF: Final = 1e-3
_AT_ONCE: Final = 8
_PATIENCE: Final = 4
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
    what: What = "all"

    @property
    def filter(self) -> tuple[str, ...]:
        """Return the addresses to name to a node, none where there are too many."""
        return self.addresses if len(self.addresses) <= MOST_ADDRESSES else ()


@dataclass(frozen=True, slots=True)
class Far:
    """The logs of the blocks from header `start` to header `end`, in order.

    `answered` counts those that the node sent, wanted or not.
    """

    start: Header
    end: Header
    logs: list[LogRecord]
    answered: int


@dataclass(slots=True)
class Reader:
    """Reads from a pool; `lies` counts answers that were empty and should not have been."""

    pool: Pool
    lies: int = 0
    blooms: Literal["unknown", "trusted", "off"] = "unknown"
    beliefs: Beliefs = field(default_factory=lambda: Beliefs(0))

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
            width.answered(end - first + 1, pieces[-1].answered)
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
            return Far(start, end, await _timed(endpoint, _wanted(asked, logs)), len(logs))

        far, looks = await self._looked(
            lambda: self.pool.run(read, height=last, avoid=tuple(tried)),
            lambda far: not far.logs,
            f"blocks {first} to {last}",
        )
        if not far.logs:
            self._believe(asked, first, last, looks)
        return far

    async def _one(self, asked: Asked, number: int) -> Far:
        """Return the logs of a block that holds too many for a question by range."""
        header = await self.pool.run(lambda endpoint: _header(endpoint, number), height=number)
        logs, _ = await self._block(asked, header, _LOOKS_AT_LIARS)
        return Far(header, header, logs, len(logs))

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
        use_bloom = self.blooms == "trusted" and any(header.bloom)  # zeros prove nothing
        if use_bloom and not question.may_hold(header.bloom):
            return []
        if use_bloom and question.doubt(header.bloom) < _PROOF:
            return await self._suspected(asked, header)
        logs, looks = await self._block(asked, header)
        if logs:
            self._judge_blooms(header, logs[0])
        else:
            self._believe(asked, header.number, header.number, looks)
        return logs

    async def _suspected(self, asked: Asked, header: Header) -> list[LogRecord]:
        """Return the logs of a block that should hold some, as its header says.

        It may hold none: its bloom is the same if one of the contracts has told of something else
        and another contract of such an event. Then all its logs are read, which must explain it.
        """
        refused = False
        for _ in range(_LOOKS_AT_PROOF):
            logs, _ = await self._block(asked, header)
            if logs:
                return logs
            try:
                every, _ = await self._block(Asked((), ()), header, 1)
            except (TooManyResults, RangeTooWide, Rejected):
                refused = True
                continue
            if bloom_of(every) == header.bloom:
                if logs := _wanted(asked, every):
                    self._caught(f"block {header.number}")
                return logs
        if refused:
            return []
        raise Nonsense(
            f"block {header.number} must hold logs, as its header says, and every answer "
            "about them was empty"
        )

    async def _block(
        self, asked: Asked, header: Header, looks: int | None = None
    ) -> tuple[list[LogRecord], int]:
        """Return a block's logs and how often they were asked for, `looks` times at most."""
        tried: list[Endpoint] = []

        async def read(endpoint: Endpoint) -> list[LogRecord]:
            tried.append(endpoint)
            try:
                logs = await _block_logs(endpoint, header.hash, asked)
            except (Missing, Rejected):
                await _require(endpoint, header)
                raise
            if not logs:
                await _require(endpoint, header)
            return [_at(record, header.time) for record in _wanted(asked, logs)]

        return await self._looked(
            lambda: self.pool.run(read, height=header.number, avoid=tuple(tried)),
            lambda logs: not logs,
            f"block {header.number}",
            looks,
        )

    # Answers that are empty

    async def _looked(
        self,
        look: Callable[[], Awaitable[T]],
        is_empty: Callable[[T], bool],
        where: str,
        most: int | None = None,
    ) -> tuple[T, int]:
        """Return an answer and how often it was asked for: again while it is empty.

        How often that is may change meanwhile: others find out that a node lies.
        """
        found, looks = await look(), 1
        while is_empty(found) and looks < (most or self.looks):
            found, looks = await look(), looks + 1
            if not is_empty(found):
                self._caught(where)
        return found, looks

    def _believe(self, asked: Asked, first: int, last: int, looks: int) -> None:
        """Remember blocks that are empty on the word of few answers."""
        if looks < _LOOKS_AT_LIARS:
            self.beliefs.add(asked.what, first, last)

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
    addresses, topics = frozenset(asked.addresses), frozenset(asked.topics)
    kept = [
        r
        for r in logs
        if (r.address in addresses or not addresses)
        and (not topics or (r.topics and r.topics[0] in topics))
        and not r.removed
    ]
    kept.sort(key=lambda r: (r.block_number, r.log_index))
    return kept


async def _block_logs(endpoint: Endpoint, block_hash: str, asked: Asked) -> list[LogRecord]:
    """Return the logs of a block; where they are too many for one answer, in parts."""
    try:
        return await endpoint.block_logs(block_hash, asked.filter, asked.topics)
    except TooManyResults:
        parts = _halves(asked)
        if not parts:
            raise
    found: list[LogRecord] = []
    for part in parts:
        for _ in range(_LOOKS_AT_LIARS):  # the whole is not empty: nobody would ask again
            if logs := await _block_logs(endpoint, block_hash, part):
                found += logs
                break
    return found


def _halves(asked: Asked) -> list[Asked]:
    """Return two questions in place of one, none where it is about one event of one contract."""
    addresses, topics = asked.addresses, asked.topics
    if len(topics) > 1:
        middle = len(topics) // 2
        return [Asked(addresses, topics[:middle]), Asked(addresses, topics[middle:])]
    if len(addresses) > 1:
        middle = len(addresses) // 2
        return [Asked(addresses[:middle], topics), Asked(addresses[middle:], topics)]
    return []


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
