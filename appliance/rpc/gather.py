"""Wait for several coroutines; when one fails, the others are over too before the error is seen."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def gathered(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Return the results in order. Raise the first error; nothing runs on after that."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
