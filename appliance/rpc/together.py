"""Do several things at once: all succeed, or the first failure is told and the others end."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return the results in order.

    Raises what failed first as it is, where a TaskGroup would wrap it; nothing goes on after that.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await ended(tasks)


async def ended(tasks: Iterable["asyncio.Future[Any]"]) -> None:
    """Cancel what still runs, and return once all have ended; their failures are seen."""
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting)
    for task in waiting:
        if not task.cancelled():
            task.exception()
