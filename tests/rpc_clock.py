"""Time for tests of the RPC package: nobody waits, the clock moves instead."""

import asyncio
from dataclasses import dataclass, field

from appliance.rpc.rate import Waiting


@dataclass(repr=False)
class Clock:
    """`slept` lists what was waited for."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    def waiting(self) -> Waiting:
        return Waiting(lambda: self.now, self.sleep, lambda: 0.5)

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        async with self._more:
            self.slept.append(seconds)
            self._more.notify_all()
        await asyncio.sleep(0)
        self.now = max(self.now, until)

    async def sleeps(self, times: int) -> None:
        """Wait until there were so many waits."""
        async with self._more:
            await self._more.wait_for(lambda: len(self.slept) >= times)
