"""A bound on waiting, cancellation, and faults that occur where they were set."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError

from shared.fault_points import VARIABLE, FaultPoint, arm
from shared.tasks import only_own_cancellation, time_limit

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


async def test_what_ends_in_time_is_left_alone_and_an_error_stays_that_error():
    async with time_limit(FAR):
        answer = await asyncio.sleep(0, "done")
    assert answer == "done"
    with pytest.raises(LookupError):
        async with time_limit(FAR):
            raise LookupError


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


async def test_a_cancellation_of_something_awaited_is_an_error_of_the_broker():
    inside: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    inside.cancel()
    with pytest.raises(KafkaConnectionError), only_own_cancellation():
        await inside


async def test_whoever_is_cancelled_is_cancelled():
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


REACH_TWICE = """
from shared.fault_points import FaultPoint, reached
print("begins", flush=True)
reached(FaultPoint.RELAY_AFTER_ACK)
reached(FaultPoint.WORKER_AFTER_COMMIT)
print("went through", flush=True)
"""


def test_the_process_that_reaches_the_point_dies_there_and_the_next_one_does_not(tmp_path: Path):
    arm(tmp_path, FaultPoint.WORKER_AFTER_COMMIT)

    injected, spared = _run({VARIABLE: str(tmp_path)}), _run({VARIABLE: str(tmp_path)})

    assert injected.returncode == -signal.SIGKILL
    assert injected.stdout.split("\n") == ["begins", ""]
    assert spared.returncode == 0
    assert "went through" in spared.stdout
    assert not list(tmp_path.iterdir())


def test_without_the_variable_nothing_happens(tmp_path: Path):
    arm(tmp_path, FaultPoint.RELAY_AFTER_ACK)

    assert _run({}).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [FaultPoint.RELAY_AFTER_ACK]


def _run(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != VARIABLE} | variables
    return subprocess.run(
        [sys.executable, "-c", REACH_TWICE],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
    )
