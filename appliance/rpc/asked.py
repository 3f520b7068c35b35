"""Ask several the same question at once, without waiting for the slowest.

Who has not answered in time is not asked again before that answer is there or has failed.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Iterable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Questions(Generic[K, T]):
    """Questions under way, one for each who is asked."""

    def __init__(self, patience_s: float) -> None:
        """Wait `patience_s` longer than for the first answer."""
        self._patience_s = patience_s
        self._tasks: dict[K, asyncio.Task[T | None]] = {}

    async def ask(
        self, whom: Iterable[K], question: Callable[[K], Coroutine[Any, Any, T | None]]
    ) -> dict[K, T]:
        """Return the answers that are there in time, in the order of `whom`; None is no answer."""
        asked = {who: self._task(who, question) for who in whom}
        waiting = set(asked.values())
        patience: float | None = None
        loop = asyncio.get_running_loop()
        while waiting:
            left = None if patience is None else max(0.0, patience - loop.time())
            done, waiting = await asyncio.wait(
                waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                break
            if patience is None and any(task.result() is not None for task in done):
                patience = loop.time() + self._patience_s
        return self._answers(asked)

    async def close(self) -> None:
        """Stop the questions under way."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _task(
        self, who: K, question: Callable[[K], Coroutine[Any, Any, T | None]]
    ) -> asyncio.Task[T | None]:
        task = self._tasks.get(who)
        if task is None or task.done():  # what came too late is out of date
            task = self._tasks[who] = asyncio.create_task(question(who), name="question")
        return task

    @staticmethod
    def _answers(asked: dict[K, asyncio.Task[T | None]]) -> dict[K, T]:
        answers = {}
        for who, task in asked.items():
            if task.done() and (found := task.result()) is not None:
                answers[who] = found
        return answers
