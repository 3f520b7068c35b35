"""The chunks of all markets: found, read where they are missing, kept current by commits.

Everything here runs on the event loop. Three rules make an answer what the store would answer:
1. A strip that is asked first takes all commits that were delivered (`_catch_up`).
2. A chunk that was read is kept only if it is certain which commits it holds: commits that were
   delivered while it was read are added to it, or it is not kept. A commit that the read saw before
   it was delivered is told by its sequences, and makes the tail be read again (`Strip.add`).
3. What was taken away, rebuilt or pruned while a chunk was read: it is not kept.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

import pyarrow as pa

from appliance import forming
from appliance.cache.cache import Cache
from appliance.cache.memory import Memory
from appliance.chunks.chunk import END, ROWS, Chunk
from appliance.chunks.fill import AHEAD_MAX, alone, fill
from appliance.chunks.read import Queries, Read
from appliance.chunks.seal import seal, unseal
from appliance.chunks.shelf import Shelf
from appliance.chunks.story import Story
from appliance.chunks.strip import Found, Gap, Question, Strip
from appliance.errors import Retryable
from appliance.forming import Rows
from appliance.interval import Interval, stored_divisor
from appliance.metrics import Metrics
from appliance.model import Commit, Market
from appliance.store.writer import Writer

log = logging.getLogger(__name__)
_STEPS_MAX: Final = 8
"""Reads for one question; more are only needed while commits overtake them."""
_LOG_MAX: Final = 32
_LOG_ROWS_MAX: Final = 2_000
"""Commits and trades of a market that wait for somebody to ask."""
_AHEAD_AT_ONCE: Final = 2
_AHEAD_WAITING_MAX: Final = 256
_QUIET_S: Final = 0.02


class Chunks:
    """Answers questions from memory, from disk, or from the store."""

    def __init__(
        self,
        queries: Queries,
        cache: Cache,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Know nothing yet."""
        self._queries = queries
        self._memory: Memory[Chunk] = cache.memory
        self._answers: Memory[Found] = cache.answers
        self._shelf = Shelf(cache.disk)
        self._clock = clock
        self._stories: dict[int, Story] = {}
        self._ids: pa.Array | None = None
        self._ahead: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(_AHEAD_AT_ONCE)
        self._reading = 0
        self._hits = metrics.cache_lookups.labels("memory", "hit")
        self._misses = metrics.cache_lookups.labels("memory", "miss")
        self._dropped = metrics.cache_dropped

    # -- questions --

    async def find(self, market: Market, interval: Interval, question: Question) -> Found:
        """Return the answer.

        Raises:
            Retryable: the store fails.
        """
        found = self.known(market, interval, question)
        return await self._miss(market, interval, question) if found is None else found

    def known(self, market: Market, interval: Interval, question: Question) -> Found | None:
        """Return the answer if that takes no query."""
        story = self._stories.get(market.id)
        strip = story.strips.get(interval) if story is not None else None
        if story is None or strip is None:
            return None
        self._catch_up(story, strip)
        answer = strip.answers.get(question)
        if answer is not None:
            self._mark(answer)
        else:
            found = strip.find(question)
            if isinstance(found, Gap):
                return None
            answer = found
            self._hold(strip, answer)
            for chunk in answer.used:
                chunk.recent = True
            self._follow_on(story, strip, answer)
        self._hits.inc()
        return answer

    async def _miss(self, market: Market, interval: Interval, question: Question) -> Found:
        story, strip = self._strip(market, interval)
        self._misses.inc()
        self._reading += 1
        try:
            gap = strip.find(question)
            is_paging = isinstance(gap, Gap) and gap.at == gap.above
            found = await self._read(story, strip, question)
        finally:
            self._reading -= 1
        for chunk in found.used:
            chunk.recent = True
        if not any(chunk.ahead for chunk in found.used):
            self._read_ahead(story, strip, found, 1, at_once=is_paging)
        self._follow_on(story, strip, found)
        return found

    async def _read(self, story: Story, strip: Strip, question: Question) -> Found:
        """Return the answer after reading what is missing: identical questions share one read."""
        strip.users += 1
        try:
            async with strip.lock:
                step = 0
                while step < _STEPS_MAX:
                    self._catch_up(story, strip)
                    found = strip.find(question)
                    if isinstance(found, Found):
                        self._hold(strip, found)
                        return found
                    step += await self._fill(story, strip, found, question, step)
        finally:
            self._leave(strip)
        return await alone(self._queries, strip.market, strip.interval, question, self._clock())

    async def _fill(
        self, story: Story, strip: Strip, gap: Gap, question: Question, step: int
    ) -> int:
        """Read something that is lacking; return how many steps that was."""
        position, revisions = story.position, story.revisions
        read, steps = await self._shelf.fetch(strip, gap, question), 0
        if read is None:
            known = self._shelf.end_before(strip.market, strip.interval, gap.at)
            gap = replace(gap, below=max(gap.below, known))
            read = await fill(self._queries, strip, gap, question, step, self._clock())
            steps = 1
        if story.revisions == revisions and story.base <= position:
            self._keep(story, strip, read, story.entries[position - story.base :])
        return steps

    def _keep(self, story: Story, strip: Strip, read: Read, meanwhile: list[Rows]) -> None:
        """Add to the strip what was read and still holds after the commits since."""
        fresh = Strip(strip.market, strip.interval)
        fresh.insert(read.chunks, read.newest)
        for rows in meanwhile:
            fresh.add(rows)
        self._catch_up(story, strip)
        strip.insert(fresh.chunks, fresh.newest)
        for chunk in fresh.chunks:
            self._memory.hold(chunk)

    def _hold(self, strip: Strip, found: Found) -> None:
        """Remember an answer."""
        strip.keep(found)
        self._let_go(strip)
        self._count(found)

    def _mark(self, found: Found) -> None:
        """Note that an answer was used once more, and all that it is made of."""
        found.recent = True
        for chunk in found.used:
            chunk.recent = True
        if found.is_new:
            found.is_new = False
            self._count(found)

    def _count(self, found: Found) -> None:
        """Count an answer and what it is made of, and make room for it."""
        self._answers.hold(found)
        for chunk in found.used:
            self._memory.hold(chunk)
        for known in self._answers.trim():
            if known.strip is not None:
                known.strip.drop(known)
        for chunk in self._memory.trim():
            self._evict(chunk)

    def _evict(self, chunk: Chunk) -> None:
        """Move a chunk to the disk, unless commits that wait make it untrue.

        Of a tail, the newest candle stays until the next time: only the store could give it back.
        """
        strip: Strip | None = chunk.strip
        if strip is None:
            return
        self._catch_up(self._stories[strip.market.id], strip)
        if chunk.strip is strip:
            closed = strip.shorten(chunk) if chunk.end == END else chunk
            if closed is not None:
                self._shelf.put(closed, strip.market, strip.interval)
            if chunk.strip is strip:
                strip.remove(chunk)
                strip.dropped.remove(chunk)
            elif strip.tail is not None:
                self._memory.hold(strip.tail)
        self._let_go(strip)
        if not strip.chunks:
            self._forget(strip)

    def _strip(self, market: Market, interval: Interval) -> tuple[Story, Strip]:
        story = self._stories.get(market.id)
        if story is None:
            story = self._stories[market.id] = Story()
            self._ids = None
        strip = story.strips.get(interval)
        if strip is None:
            strip = story.strips[interval] = Strip(market, interval)
            strip.applied = story.position
        return story, strip

    def _leave(self, strip: Strip) -> None:
        strip.users -= 1
        if not strip.chunks:
            self._forget(strip)

    def _forget(self, strip: Strip) -> None:
        """Forget a strip that holds nothing, unless somebody is about to fill it."""
        story = self._stories.get(strip.market.id)
        if story and not strip.users and story.strips.get(strip.interval) is strip:
            del story.strips[strip.interval]
            if not story.strips:
                del self._stories[strip.market.id]
                self._ids = None

    # -- ahead --

    def _follow_on(self, story: Story, strip: Strip, found: Found) -> None:
        """Read further ahead when what was read ahead begins to be used."""
        if not strip.is_reading_ahead:
            count = max((chunk.ahead for chunk in found.used), default=0)
            if count:
                for chunk in found.used:
                    chunk.ahead = 0
                self._read_ahead(story, strip, found, min(2 * count, AHEAD_MAX), at_once=True)

    def _read_ahead(
        self, story: Story, strip: Strip, found: Found, count: int, *, at_once: bool
    ) -> None:
        """Begin to read the chunks before those that are known, so that paging back finds them.

        Unless somebody pages back already, those who wait for a read go first.
        """
        known = bool(found.used) and found.used[-1].strip is strip
        if known and not strip.is_reading_ahead and len(self._ahead) < _AHEAD_WAITING_MAX:
            strip.is_reading_ahead = True
            strip.users += 1
            work = self._ahead_of(story, strip, found, count, at_once=at_once)
            task = asyncio.create_task(work, name="read-ahead")
            self._ahead.add(task)
            task.add_done_callback(self._ahead.discard)

    async def _ahead_of(
        self, story: Story, strip: Strip, found: Found, count: int, *, at_once: bool
    ) -> None:
        try:
            async with self._turns:
                while not at_once and self._reading:  # noqa: ASYNC110 - nobody waits for it
                    await asyncio.sleep(_QUIET_S)
                async with strip.lock:  # who reads now moves where it begins
                    begin = strip.bottom(found.used[-1].start)
                if begin > 0:
                    question = Question(begin, begin, count * ROWS, count * ROWS)
                    with suppress(Retryable):  # who really asks for it is told
                        answer = await self._read(story, strip, question)
                        if answer.used:
                            answer.used[0].ahead = count
        finally:
            strip.is_reading_ahead = False
            self._leave(strip)

    # -- commits --

    def on_commit(self, commit: Commit) -> None:
        """Take what a commit changed; whatever goes wrong here never reaches who stored it."""
        try:
            self._follow(commit)
        except Exception:
            log.exception("commit %d: nothing that was cached is answered any more", commit.number)
            self._forget_everything()

    def _forget_everything(self) -> None:
        self._shelf.forget()
        for story in self._stories.values():
            story.revisions += 1
            story.base = story.position
            story.entries.clear()
            for strip in story.strips.values():
                strip.clear()
                strip.applied = story.position
                self._let_go(strip)

    def _follow(self, commit: Commit) -> None:
        """Note what a commit changed; strips take it when they are asked."""
        for revision in commit.revisions:
            self._shelf.touch(revision.market_id, revision.first, revision.last)
            story = self._stories.get(revision.market_id)
            if story is not None:
                story.revisions += 1
                for strip in story.strips.values():
                    self._catch_up(story, strip)
                    strip.touch(revision.first, revision.last)
                    self._let_go(strip)
        if commit.trades.num_rows:
            self._shelf.add(commit.trades)
            for rows in forming.split(commit.trades, self._wanted()):
                self._note(self._stories[rows.market_id], rows)

    def _wanted(self) -> pa.Array:
        if self._ids is None:
            self._ids = pa.array(sorted(self._stories), pa.uint32())
        return self._ids

    def _note(self, story: Story, rows: Rows) -> None:
        story.entries.append(rows)
        story.rows += len(rows)
        if len(story.entries) > _LOG_MAX or story.rows > _LOG_ROWS_MAX:
            for strip in story.strips.values():
                self._catch_up(story, strip)
            story.base, story.rows = story.position, 0
            story.entries.clear()

    def _catch_up(self, story: Story, strip: Strip) -> None:
        """Let a strip take the commits since it was asked last."""
        if strip.applied < story.position:
            for rows in story.entries[strip.applied - story.base :]:
                strip.add(rows)
            strip.applied = story.position
            self._let_go(strip)

    def _let_go(self, strip: Strip) -> None:
        """Count no more what a strip has let go of."""
        if strip.dropped:
            self._dropped.inc(len(strip.dropped))
            strip.outdated += strip.dropped
            strip.dropped.clear()
        for chunk in strip.outdated:
            self._memory.drop(chunk)
        for found in strip.forgotten:
            self._answers.drop(found)
        strip.outdated.clear()
        strip.forgotten.clear()

    def prune(self, kept_from: Mapping[int, int]) -> None:
        """Let go of what begins before the second from which candles of an interval are kept."""
        self._shelf.prune(kept_from)
        for story in self._stories.values():
            story.revisions += 1
            for interval, strip in story.strips.items():
                limit = kept_from.get(stored_divisor(interval).seconds, 0)
                if limit:
                    strip.touch(0, limit - 1)
                    self._let_go(strip)

    # -- from one process to the next --

    async def open(self, writer: Writer) -> None:
        """Take over what an earlier process left on disk, if it still holds."""

        async def unsealed() -> str:
            return await asyncio.wrap_future(writer.at_rest(unseal))

        await self._shelf.open(unsealed)

    async def close(self, writer: Writer) -> None:
        """Read nothing ahead any more; leave on disk what the next process may take over."""

        async def sealed() -> str:
            return await asyncio.wrap_future(writer.at_rest(seal))

        for task in self._ahead:
            task.cancel()
        if self._ahead:
            await asyncio.wait(self._ahead)
        await self._shelf.close(self.closed(), sealed)

    def closed(self) -> Iterator[tuple[Chunk, Market, Interval]]:
        """Yield what is closed of all strips."""
        for story in self._stories.values():
            for interval, strip in story.strips.items():
                self._catch_up(story, strip)
                for chunk in strip.closed():
                    yield chunk, strip.market, interval
