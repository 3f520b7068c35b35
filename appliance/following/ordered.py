"""Read a long run of blocks in parallel ranges, and hand them on in order."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final

from appliance.following.reader import Asked, Far, Reader
from appliance.following.width import Width
from appliance.rpc.together import ended

AT_ONCE: Final = 6
LOGS_TOGETHER: Final = 20_000
"""Ranges that are ready are handed on together up to so many logs: an insert costs by itself."""


async def ordered(
    reader: Reader, asked: Asked, first: int, last: int, width: Width
) -> AsyncGenerator[list[Far], None]:
    """Yield the ranges of blocks `first` to `last`, ascending and without a hole.

    While one is waited for, later ones are being read; never more than AT_ONCE.
    """
    tasks: deque[asyncio.Task[list[Far]]] = deque()
    try:
        while tasks or first <= last:
            while first <= last and len(tasks) < AT_ONCE:
                end = min(last, first + width.blocks - 1)
                work = reader.far(asked, first, end, width)
                tasks.append(asyncio.create_task(work, name="read-logs"))
                first = end + 1
            ready = list(await tasks[0])
            tasks.popleft()
            while tasks and tasks[0].done() and _logs(ready) < LOGS_TOGETHER:
                ready += await tasks.popleft()
            yield ready
    finally:
        await ended(tasks)


def _logs(ranges: list[Far]) -> int:
    return sum(len(each.logs) for each in ranges)
