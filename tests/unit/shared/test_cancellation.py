import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from shared.tasks import only_own_cancellation


async def test_a_cancellation_of_something_awaited_is_an_error_of_the_broker() -> None:
    inside: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    inside.cancel()
    with pytest.raises(KafkaConnectionError), only_own_cancellation():
        await inside


async def test_whoever_is_cancelled_is_cancelled() -> None:
    # given
    async def waits() -> None:
        with only_own_cancellation():
            await asyncio.Event().wait()

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)  # it begins
    # when
    task.cancel()
    # then
    with pytest.raises(asyncio.CancelledError):
        await task
