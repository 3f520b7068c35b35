"""Look after the store while the server runs: every few seconds, and once a day.

In: the clock, the disk, and what the reader finds wrong. Out: calls to the store, and the states
`disk`, `damage` and `upkeep` for `/health/ready`. It never ends by an error of the store: what
fails is tried again with the next round.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from appliance.errors import ApplianceError, Conflict
from appliance.status import PartState
from appliance.store.disk import sentence
from appliance.store.store import Store

log = logging.getLogger(__name__)
_ROUND_S: Final = 5.0
_LOOK_S: Final = 60
_DAY_S: Final = 86_400
_SETTLED_S: Final = 120
"""A start has other work than to verify."""
_LOSSES_SHOWN: Final = 3


class Caretaker:
    """The task that looks after one store."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float] = time.time,
        *,
        pruned: Callable[[], None] = lambda: None,
        verify_s: int = 0,
    ) -> None:
        """`clock` gives unix seconds; `pruned` is called after every pruning.

        Candles are verified when nobody did for `verify_s` seconds, 0: only when asked.
        """
        self._store = store
        self._pruned = pruned
        self._clock = clock
        self._pruned_day = -1
        self._checked_day = int(clock()) // _DAY_S
        self._looked = 0.0
        self._verify_s = verify_s
        self._begun = int(clock())
        self._verified = 0
        self._error: str | None = None

    async def run(self) -> None:
        """Make a round every few seconds, until cancelled."""
        while True:
            await self.round()
            await asyncio.sleep(_ROUND_S)

    async def round(self) -> None:
        """Do what is due."""
        try:
            await self._due()
        except ApplianceError as error:
            if self._error != str(error):
                log.error("upkeep: %s; it is tried again", error)
            self._error = str(error)
        else:
            self._error = None

    async def _due(self) -> None:
        store, now = self._store, int(self._clock())
        if store.pending and not store.disk.room().low:
            await asyncio.wrap_future(store.finish())
        if self._pruned_day != now // _DAY_S:
            try:
                await asyncio.wrap_future(store.prune(now))
            finally:  # what failed half-way has removed something, too
                self._pruned()
            self._pruned_day = now // _DAY_S
        if self._checked_day != now // _DAY_S or store.reader.suspicious:
            store.reader.suspicious = False
            found = await asyncio.to_thread(store.damaged)
            await asyncio.wrap_future(store.salvage(found))
            self._checked_day = now // _DAY_S
        if store.lost and now - self._looked >= _LOOK_S:
            self._looked = now
            await asyncio.wrap_future(store.look_for_lost())
        if self._verify_s and now - self._begun >= _SETTLED_S:
            self._verify(now)

    def _verify(self, now: int) -> None:
        """Compare recent candles with their trades if it is time, all while some are unequal."""
        last = self._store.verifier.last
        times = (self._verified, last.at if last else 0)
        if any(0 <= now - time < self._verify_s for time in times):
            return
        self._verified = now
        try:
            self._store.verifier.start(recent=last is None or last.equal or last.recent)
        except Conflict:
            log.info("upkeep: candles are being verified already")

    def state(self) -> PartState | None:
        """Return what upkeep cannot do, None while there is no such thing."""
        return PartState("upkeep", "failing", self._error) if self._error else None


class DiskState:
    """The part `disk`: failing while nothing is written."""

    def __init__(self, store: Store) -> None:
        """Watch the disk of `store`."""
        self._store = store

    def state(self) -> PartState:
        """Return whether there is room, with the bytes that are free and the floor."""
        room = self._store.disk.room()
        numbers = {"free_bytes": room.free, "floor_bytes": room.floor}
        if room.low:
            return PartState("disk", "failing", sentence(room), numbers=numbers)
        if self._store.pending:
            reason = "what was taken before the disk was full is being stored"
            return PartState("disk", "failing", reason, numbers=numbers)
        return PartState("disk", "ok", numbers=numbers)


class DamageState:
    """The part `damage`: there while trades are lost. Everything else is served as before."""

    def __init__(self, store: Store) -> None:
        """Watch the losses of `store`."""
        self._store = store

    def state(self) -> PartState | None:
        """Return what is lost, why, and the cure; None if nothing is."""
        symbols = {int(market.id): market.symbol for market in self._store.catalogue.all()}
        said = [words for case in self._store.lost for words in case.sentences(symbols)]
        if not said:
            return None
        more = f"; and {len(said) - _LOSSES_SHOWN} more" if len(said) > _LOSSES_SHOWN else ""
        return PartState("damage", "lost", "; ".join(said[:_LOSSES_SHOWN]) + more)
