"""The rate of one endpoint: up by steps, down by half, silent when told to be."""

import asyncio

from appliance.rpc.rate import LOCAL, PUBLIC, Limits, Rate, Waiting, jitter
from tests.rpc_clock import Clock

SLOW = Limits(start=4.0, most=10.0, concurrency=100, batch=10)


async def spend(rate: Rate, turns: int, calls: int = 1) -> None:
    for _ in range(turns):
        async with rate.turn(calls):
            pass


async def test_requests_are_spread_over_time() -> None:
    clock = Clock()
    rate = Rate(SLOW, clock.waiting())
    await spend(rate, 41)
    assert 9.5 <= clock.now - 1000 <= 10.0


async def test_a_batch_counts_as_its_calls() -> None:
    clock = Clock()
    rate = Rate(SLOW, clock.waiting())
    await spend(rate, 5, calls=10)
    assert 9.5 <= clock.now - 1000 <= 10.0


async def test_a_node_of_ones_own_is_not_slowed() -> None:
    clock = Clock()
    rate = Rate(LOCAL, clock.waiting())
    await spend(rate, 1000)
    assert clock.slept == []


async def test_success_adds_a_step_a_second_up_to_the_most() -> None:
    clock = Clock()
    rate = Rate(SLOW, clock.waiting())
    for _ in range(10):
        rate.answered()
    assert rate.per_second == 4.0
    clock.now += 1
    rate.answered()
    rate.answered()
    assert rate.per_second == 6.0
    for _ in range(5):
        clock.now += 1
        rate.answered()
    assert rate.per_second == 10.0


async def test_a_refusal_halves_and_holds() -> None:
    clock = Clock()
    rate = Rate(SLOW, clock.waiting())
    await spend(rate, 20)
    rate.refused(clock.now, None)
    assert (2.0, 1.0) == (rate.per_second, rate.held_s)
    before = clock.now
    await spend(rate, 1)
    assert clock.now - before >= 1
    rate.refused(clock.now, None)
    assert rate.held_s == 2.0
    clock.now += 2
    rate.answered()
    rate.refused(clock.now, None)
    assert rate.held_s == 1.0


async def test_a_refusal_halves_what_was_used_not_what_was_allowed() -> None:
    """A node of one's own starts at 10,000 a second: halving that would help nobody."""
    clock = Clock()
    rate = Rate(LOCAL, clock.waiting())
    for _ in range(5):
        await spend(rate, 20)
        clock.now += 1
    rate.refused(clock.now, None)
    assert rate.per_second == 10.0


async def test_it_never_stops_altogether() -> None:
    clock = Clock()
    rate = Rate(PUBLIC, clock.waiting())
    for _ in range(20):
        clock.now += 100
        rate.refused(clock.now, None)
    assert rate.per_second == 0.5
    assert rate.held_s == 60.0


async def test_requests_of_the_same_moment_count_as_one_refusal() -> None:
    clock = Clock()
    rate = Rate(SLOW, clock.waiting())
    await spend(rate, 20)
    began = clock.now
    clock.now += 1
    for _ in range(8):
        rate.refused(began, None)
    assert rate.per_second == 2.0
    rate.refused(began, 30.0)
    assert (2.0, 30.0) == (rate.per_second, rate.held_s)


async def test_what_the_endpoint_asks_for_is_kept_up_to_a_minute() -> None:
    clock = Clock()
    rate = Rate(SLOW, clock.waiting())
    rate.refused(clock.now, 12.5)
    assert rate.held_s == 12.5
    rate.refused(clock.now, 3600.0)
    assert (60.0, 60.0) == (rate.held_s, rate.wait_s)
    rate.refused(clock.now, -5.0)
    assert rate.held_s == 60.0


async def test_nothing_bursts_after_a_hold() -> None:
    """Requests that waited for their time before the hold take new times after it."""
    clock = Clock()
    rate = Rate(SLOW, clock.waiting())
    times: list[float] = []

    async def one() -> None:
        async with rate.turn():
            times.append(clock.now)

    tasks = [asyncio.create_task(one()) for _ in range(20)]
    await asyncio.sleep(0)
    rate.refused(clock.now, 10.0)
    await asyncio.gather(*tasks)
    after = sorted(time for time in times if time > 1000)
    assert after[0] >= 1010
    assert after[-1] - after[0] > 2


async def test_so_many_at_once_and_no_more() -> None:
    rate = Rate(Limits(start=1e6, most=1e6, concurrency=3, batch=1), Waiting())
    inside = most = 0

    async def one() -> None:
        nonlocal inside, most
        async with rate.turn():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    tasks = [asyncio.create_task(one()) for _ in range(30)]
    await asyncio.sleep(0)
    assert rate.load == 10.0
    await asyncio.gather(*tasks)
    assert (3, 0.0) == (most, rate.load)


async def test_a_cancelled_turn_gives_its_slot_back() -> None:
    rate = Rate(Limits(start=1e6, most=1e6, concurrency=1, batch=1), Waiting())

    async def forever() -> None:
        async with rate.turn():
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(forever()) for _ in range(3)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert rate.load == 0.0
    async with asyncio.timeout(1), rate.turn():
        pass


def test_jitter_is_a_share() -> None:
    assert all(0 <= jitter() < 1 for _ in range(100))
