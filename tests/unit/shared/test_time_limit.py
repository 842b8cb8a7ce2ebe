"""A bound on waiting, also for code that swallows a cancellation."""

import asyncio

import pytest

from shared.tasks import time_limit

SOON = 0.01
FAR = 30.0


async def swallowing(times: int) -> None:
    """Waits on through its first `times` cancellations."""
    for _ in range(times):
        try:
            await asyncio.sleep(FAR)
        except asyncio.CancelledError:
            continue
    await asyncio.sleep(FAR)


async def test_what_ends_in_time_is_left_alone():
    async with time_limit(FAR):
        answer = await asyncio.sleep(0, "done")
    assert answer == "done"


@pytest.mark.parametrize("swallowed", [0, 1, 3])
async def test_what_swallows_a_cancellation_is_ended_by_the_next(swallowed: int):
    async with asyncio.timeout(FAR):
        with pytest.raises(TimeoutError):
            async with time_limit(SOON):
                await swallowing(swallowed)


async def test_who_was_not_cancelled_by_others_goes_on_afterwards():
    # given
    task = asyncio.current_task()
    assert task is not None
    with pytest.raises(TimeoutError):
        async with time_limit(SOON):
            await swallowing(2)
    # when / then
    assert task.cancelling() == 0
    assert await asyncio.sleep(0, "goes on") == "goes on"


async def test_an_error_of_the_block_stays_that_error():
    with pytest.raises(LookupError):
        async with time_limit(FAR):
            raise LookupError


async def test_a_cancellation_from_outside_stays_one():
    # given
    async def bounded() -> None:
        async with time_limit(FAR):
            await asyncio.sleep(FAR)

    task = asyncio.create_task(bounded())
    await asyncio.sleep(0)
    # when
    task.cancel()
    # then
    with pytest.raises(asyncio.CancelledError):
        await task
