"""What state each part is in, for `/health/ready`, the dashboard and the operator at night."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from appliance.errors import Retryable
from appliance.ingest import Ingest
from appliance.store.report import Report
from appliance.store.store import Store

_PING_TIMEOUT_S: Final = 5.0
_NOT_READY: Final = frozenset({"failing", "syncing"})
_PING_AGE_S: Final = 0.5
"""Many probes share one question to the store."""


@dataclass(frozen=True, slots=True)
class PartState:
    """One part: `state` ok, seeding, syncing, live, degraded, stopped, lost or failing.

    `reason` says why it is not well, `numbers` what it measures.
    """

    name: str
    state: str
    reason: str | None = None
    progress: float | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Return whether answers are as they should be, as far as this part is concerned."""
        return self.state not in _NOT_READY


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The whole appliance."""

    ready: bool
    demo: bool
    trades_stored: int
    trades_per_second: float
    readers: int
    parts: list[PartState]
    verify: Report | None = None
    """The last comparison of candles with trades, None if there was none."""


class Source(Protocol):
    """Anything that brings trades and can say how it does."""

    def state(self) -> PartState | None:
        """Return the state of this source, None if it has ended as it should."""
        ...


class Status:
    """Asks every part."""

    def __init__(
        self,
        store: Store,
        ingest: Ingest,
        readers: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch these parts; sources are added as they start."""
        self._store = store
        self._ingest = ingest
        self._readers = readers
        self._monotonic = monotonic
        self._pinged: tuple[float, PartState] | None = None
        self._ping_lock = asyncio.Lock()
        self.sources: list[Source] = []

    async def report(self) -> StatusReport:
        """Return the state of everything, having asked the store just now."""
        parts = [await self._store_state(), self._writer_state()]
        parts += [state for source in self.sources if (state := source.state()) is not None]
        catalogue = self._store.catalogue
        return StatusReport(
            ready=all(part.ready for part in parts),
            demo=len(catalogue) > 0 and catalogue.demo_only(),
            trades_stored=self._store.writer.trades_stored,
            trades_per_second=self._ingest.trades_per_second(),
            readers=self._readers(),
            parts=parts,
            verify=self._store.verifier.last,
        )

    async def _store_state(self) -> PartState:
        async with self._ping_lock:
            if self._pinged is None or self._monotonic() - self._pinged[0] > _PING_AGE_S:
                state = await self._ping()
                self._pinged = (self._monotonic(), state)  # its age counts from the answer
            return self._pinged[1]

    async def _ping(self) -> PartState:
        try:
            async with asyncio.timeout(_PING_TIMEOUT_S):
                await self._store.reader.query("select_trade_count")
        except TimeoutError:
            reason = f"no answer within {_PING_TIMEOUT_S:.0f} s"
            return PartState("store", "failing", reason)
        except (Retryable, RuntimeError) as error:  # a closed pool of threads is a RuntimeError
            return PartState("store", "failing", str(error))
        return PartState("store", "ok")

    def _writer_state(self) -> PartState:
        if self._store.writer.alive:
            return PartState("writer", "ok")
        return PartState("writer", "failing", "the writer has stopped: restart the appliance")
