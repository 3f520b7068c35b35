"""The write path: whatever arrives becomes trades, stored once, then told to the live part.

In: Arrow tables of trades with the specs of their markets, from any source. Out: a receipt once
they are durable; every commit goes to the subscribers on the event loop, in commit order. What is
queued is bounded: a source that is faster than the store waits.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import pyarrow as pa

from appliance.errors import Retryable
from appliance.metrics import Metrics
from appliance.model import (
    NOTHING,
    Attached,
    Checkpoint,
    Commit,
    MarketSpec,
    Receipt,
    Revision,
)
from appliance.store.writer import Writer

QUEUED_ROWS_MAX: Final = 400_000
"""About 200 MB of trades; beyond it, sources wait."""
_RATE_WINDOW_S: Final = 10.0


class Ingest:
    """Takes trades from all sources."""

    def __init__(self, metrics: Metrics, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Accept nothing before `open`."""
        self._metrics = metrics
        self._monotonic = monotonic
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer: Writer | None = None
        self._room = asyncio.Condition()
        self._queued_rows = 0
        self._subscribers: list[Callable[[Commit], None]] = []
        self._recent: deque[tuple[float, int]] = deque()

    def open(self, writer: Writer) -> None:
        """Send trades to `writer` from now on; call it on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._writer = writer

    def subscribe(self, callback: Callable[[Commit], None]) -> None:
        """Call `callback` on the event loop with every commit, in order."""
        self._subscribers.append(callback)

    async def submit(
        self,
        trades: pa.Table,
        markets: Sequence[MarketSpec],
        source: str,
        *,
        bulk: bool = False,
        attached: Attached = NOTHING,
    ) -> Receipt:
        """Store trades whose `market_id` is an index into `markets`; durable on return.

        `bulk` trades fill in history: live streams tell their range once, not each bar. What is
        `attached` becomes durable in the same step.

        Raises:
            BadRequest: a market's trades come in another order than its stored ones.
            Conflict: a trade is stored already, with other content.
            Retryable: the store fails or stops.
        """
        if self._writer is None:
            raise Retryable("the store is not open yet; send again in a moment")
        rows = trades.num_rows
        async with self._room:
            await self._room.wait_for(
                lambda: not self._queued_rows or self._queued_rows + rows <= QUEUED_ROWS_MAX
            )
            self._queued_rows += rows
        try:
            future = self._writer.submit(trades, tuple(markets), bulk, attached)
            # a caller that goes away must not undo what others wait for in the same commit
            receipt = await asyncio.shield(asyncio.wrap_future(future))
        finally:
            await self._leave(rows)
        self._count(receipt, source)
        return receipt

    async def retract(
        self, chain_id: int, from_block: int, checkpoints: tuple[Checkpoint, ...] = ()
    ) -> tuple[Revision, ...]:
        """Take away a chain's trades from a block on; durable on return, with `checkpoints`.

        Raises:
            Retryable: the store fails or stops; the same call again finishes what was begun.
        """
        if self._writer is None:
            raise Retryable("the store is not open yet; send again in a moment")
        future = self._writer.retract(chain_id, from_block, checkpoints)
        return (await asyncio.shield(asyncio.wrap_future(future))).revisions

    async def _leave(self, rows: int) -> None:
        async with self._room:
            self._queued_rows -= rows
            self._room.notify_all()

    def _count(self, receipt: Receipt, source: str) -> None:
        self._metrics.trades_accepted.labels(source).inc(receipt.accepted)
        self._metrics.trades_duplicate.labels(source).inc(receipt.duplicates)
        self._recent.append((self._monotonic(), receipt.accepted))

    def trades_per_second(self) -> float:
        """Return the mean rate of new trades over the last ten seconds."""
        horizon = self._monotonic() - _RATE_WINDOW_S
        while self._recent and self._recent[0][0] < horizon:
            self._recent.popleft()
        return sum(count for _, count in self._recent) / _RATE_WINDOW_S

    def publish(self, commit: Commit) -> None:
        """Hand a commit to the subscribers; may be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, commit)

    def _deliver(self, commit: Commit) -> None:
        for callback in self._subscribers:
            callback(commit)
