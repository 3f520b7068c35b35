"""Ask an endpoint as fast as it lets us: up by a step while it answers, down by half when it won't.

Requests queue for a slot (so many at once) and then for their time (so many a second). After
"too many requests" nothing is sent until the time the endpoint asked for is over, 60 s at most.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

_LONGEST_HOLD_S: Final = 60.0
_SLOWEST: Final = 0.5
_STEP: Final = 2.0
"""Requests per second that are added in every second with success."""
_BURST_S: Final = 0.25
"""So much time's worth of requests may be sent at once."""


def jitter() -> float:
    """Return a random number in [0, 1)."""
    return secrets.SystemRandom().random()


@dataclass(frozen=True, slots=True)
class Waiting:
    """How time passes; tests pass in a clock that they move themselves."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = jitter


@dataclass(frozen=True, slots=True)
class Limits:
    """Where an endpoint's rate starts and ends, and how many requests it gets at once."""

    start: float
    most: float
    concurrency: int
    batch: int
    """Calls of one batch."""


LOCAL: Final = Limits(start=10_000.0, most=10_000.0, concurrency=32, batch=100)
"""A node of one's own: it is slowed down only when it asks for it."""
PUBLIC: Final = Limits(start=25.0, most=1_000.0, concurrency=8, batch=20)
"""A provider: about what free plans allow."""


class Rate:
    """The rate of one endpoint; `per_second` is what it is now."""

    def __init__(self, limits: Limits, waiting: Waiting | None = None) -> None:
        """Begin at the start of `limits`."""
        self.per_second = limits.start
        self._limits = limits
        self._waiting = waiting or Waiting()
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._inside = 0
        self._next = self._raised = self._lowered = self._held = self._second = self.now()
        self._sent = self._sent_before = 0.0
        self._refusals = 0

    def now(self) -> float:
        """Return the time of the clock used here."""
        return self._waiting.clock()

    @property
    def held_s(self) -> float:
        """Return for how long nothing may be sent; 0 when something may."""
        return max(0.0, self._held - self.now())

    @property
    def load(self) -> float:
        """Return the requests in work and in the queue, as a share of those allowed at once."""
        return self._inside / self._limits.concurrency

    @property
    def wait_s(self) -> float:
        """Return how long a request would wait for its time now."""
        return max(self.held_s, self._next - _BURST_S - self.now(), 0.0)

    @asynccontextmanager
    async def turn(self, calls: int = 1) -> AsyncIterator[float]:
        """Wait for a slot and for the time of `calls`; yield the time at which it began."""
        self._inside += 1
        try:
            async with self._slots:
                await self._pace(calls)
                yield self.now()
        finally:
            self._inside -= 1

    def answered(self) -> None:
        """Go up by a step, once a second."""
        self._refusals = 0
        now = self.now()
        if now - self._raised >= 1:
            self._raised = now
            self.per_second = min(self._limits.most, self.per_second + _STEP)

    def refused(self, began: float, retry_after_s: float | None) -> None:
        """Halve the rate and hold; `began` is when the refused request began.

        Requests that were under way at the last refusal tell of the same excess: they do not
        halve again.
        """
        now = self.now()
        if began >= self._lowered:
            used = max(self._sent, self._sent_before)  # the rate may stand far above what is used
            self.per_second = max(_SLOWEST, min(self.per_second, used) / 2)
            self._lowered = self._raised = now
            self._refusals += 1
        elif retry_after_s is None:
            return
        hold = 2.0 ** min(self._refusals - 1, 6) if retry_after_s is None else retry_after_s
        self._held = max(self._held, now + min(max(hold, 0.0), _LONGEST_HOLD_S))

    async def _pace(self, calls: int) -> None:
        """Take a time and wait for it; after a hold, take a new one, so that no burst follows."""
        while True:
            while (held := self.held_s) > 0:
                await self._waiting.sleep(held)
            now = self.now()
            at = max(self._next, now)
            self._next = at + calls / self.per_second
            if (wait := at - _BURST_S - now) > 0:
                await self._waiting.sleep(wait)
            if not self.held_s:
                self._count(calls)
                return

    def _count(self, calls: int) -> None:
        now = self.now()
        if (elapsed := now - self._second) >= 1:
            self._sent_before = self._sent / elapsed
            self._second, self._sent = now, 0.0
        self._sent += calls
