"""Back up on time: BACKUP_INTERVAL after the newest archive, whoever made that.

A failure is never fatal: it is logged and shown in `/health/ready`, and tried again.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from appliance.errors import Conflict
from appliance.status import PartState
from appliance.store.backup import Backups

log = logging.getLogger(__name__)
_LOOK_S: Final = 60.0
"""How often it is looked whether it is time: the clock may be put, an archive may be removed."""
_FIRST_S: Final = 600.0
"""How long after the start the first of all archives is made: there should be something in it."""
_AGAIN_S: Final = 900.0
"""How long after a failure it is tried again."""


class Schedule:
    """One background task."""

    def __init__(
        self,
        backups: Backups,
        interval_s: int,
        retention_days: int,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Do nothing before `run`."""
        self._backups = backups
        self._interval_s = interval_s
        self._retention_days = retention_days
        self._clock = clock
        self._sleep = sleep
        self._begun = 0.0
        self._failed_at: float | None = None
        self._reason: str | None = None

    def state(self) -> PartState:
        """Return ok, or degraded with the reason for which the last backup failed."""
        if self._reason is not None:
            return PartState("backup", "degraded", self._reason)
        progress = self._backups.progress
        return PartState("backup", "ok", progress=progress.done if progress.running else None)

    async def run(self) -> None:
        """Back up again and again, until cancelled."""
        self._begun = self._clock()
        while True:
            wait = await self._due() - self._clock()
            if wait > 0:
                await self._sleep(min(wait, _LOOK_S))
            else:
                await self._back_up()

    async def _due(self) -> float:
        now = self._clock()
        if self._failed_at is not None:
            return min(self._failed_at, now) + min(_AGAIN_S, self._interval_s)
        found = await asyncio.to_thread(self._backups.archives.all)
        if found:
            return min(found[0].created, now) + self._interval_s
        return min(self._begun, now) + min(_FIRST_S, self._interval_s)

    async def _back_up(self) -> None:
        try:
            await asyncio.wrap_future(self._backups.start())
            await asyncio.to_thread(self._backups.archives.prune, self._retention_days)
        except Conflict:
            await self._sleep(_LOOK_S)  # somebody else makes one
        except Exception as error:
            self._failed_at, self._reason = self._clock(), f"the last backup failed: {error}"
            log.exception("the scheduled backup failed")
        else:
            self._failed_at = self._reason = None
