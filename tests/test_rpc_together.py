"""Several coroutines: results in order, and nothing left running after an error."""

import asyncio

import pytest

from appliance.rpc.together import together


async def after(delays: int, value: int) -> int:
    for _ in range(delays):
        await asyncio.sleep(0)
    return value


async def test_results_keep_their_order() -> None:
    assert [1, 2, 3] == await together([after(3, 1), after(0, 2), after(1, 3)])
    assert await together([]) == []


async def test_after_an_error_nothing_runs_on() -> None:
    ended = []

    async def forever() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return 0

    async def broken() -> int:
        await asyncio.sleep(0)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await together([forever(), broken(), forever()])
    assert ended == [True, True]


async def test_cancelling_ends_all() -> None:
    task = asyncio.create_task(together([after(10_000, 1), after(10_000, 2)]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1
