"""Workers as processes that notify a receiver: killed at each step, and while others are away."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from shared.fault_points import VARIABLE, FaultPoint, arm
from shared.read_models.deliveries import AT_ONCE, deliveries
from tests.support.webhook_receiver import WebhookReceiver, answer, webhook_receiver
from tests.support.worker_process import World


@pytest_asyncio.fixture
async def receiver(world: World) -> AsyncIterator[WebhookReceiver]:
    async with webhook_receiver() as receiver:
        world.environment.update(receiver.settings)
        yield receiver


@pytest.mark.parametrize(
    ("point", "most"),
    [
        (FaultPoint.WORKER_AFTER_COMMIT, 1),
        (FaultPoint.WORKER_BEFORE_OFFSETS, 1),
        (FaultPoint.NOTIFICATION_BEFORE_SEND, 1),
        (FaultPoint.NOTIFICATION_BEFORE_NOTE, 2),
    ],
)
async def test_a_worker_that_is_killed_at_any_step_loses_no_notification(
    world: World, receiver: WebhookReceiver, tmp_path: Path, point: FaultPoint, most: int
) -> None:
    world.environment[VARIABLE] = str(tmp_path)
    async with world.worker() as worker:
        mia = await world.happenings.a_registered_child()
        await world.happenings.alerts_by_webhook_too(mia)
        arm(tmp_path, point)
        await world.happenings.a_severe_violation(mia)
        assert await worker.wait() == -signal.SIGKILL
    await _claims_are_over(world)
    async with world.worker():
        await world.until(lambda: _states(world, mia, {"delivered": 2}))
    reported = receiver.about(mia)
    assert len(set(reported)) == 1
    assert len(reported) <= most


async def test_a_receiver_that_answers_500_is_tried_again(
    world: World, receiver: WebhookReceiver
) -> None:
    receiver.answers += [answer(500), answer(307, "Location: http://127.0.0.1/")]
    async with world.worker():
        mia = await _alerted(world)
        await world.until(lambda: _failed_with(world, mia, "Status 500"))
        await _claims_are_over(world)
        await world.until(lambda: _failed_with(world, mia, "RedirectNotFollowed 307"))
        await _claims_are_over(world)
        await world.until(lambda: _states(world, mia, {"delivered": 2}))
    assert len(receiver.about(mia)) == 3


async def test_a_receiver_that_hangs_delays_no_other_family_in_the_app(
    world: World, receiver: WebhookReceiver
) -> None:
    receiver.answering.clear()
    async with world.worker():
        mia, tom = await _alerted(world), await world.happenings.a_registered_child()
        await world.until(lambda: _states(world, mia, {"delivered": 1, "pending": 1}))
        await world.happenings.a_severe_violation(tom)
        # while the receiver still hangs
        await world.until(lambda: _states(world, tom, {"delivered": 1}))
        assert not receiver.answering.is_set()
        receiver.answering.set()
        await _claims_are_over(world)
        await world.until(lambda: _states(world, mia, {"delivered": 2}))


async def test_a_channel_that_is_configured_later_delivers_what_waited(world: World) -> None:
    async with world.worker():
        mia = await _alerted(world)
        await world.until(lambda: _states(world, mia, {"delivered": 1, "pending": 1}))
    async with webhook_receiver() as receiver:
        world.environment.update(receiver.settings)
        async with world.worker():
            await world.until(lambda: _states(world, mia, {"delivered": 2}))
        assert len(receiver.about(mia)) == 1


async def _alerted(world: World) -> str:
    """A child whose parent is to be notified in the app and by webhook."""
    child = await world.happenings.a_registered_child()
    await world.happenings.alerts_by_webhook_too(child)
    await world.happenings.a_severe_violation(child)
    return child


async def _states(world: World, child_id: str, wanted: dict[str, int]) -> bool:
    found = await deliveries(world.database).find({"child_id": child_id}).to_list(None)
    states = [one["state"] for one in found]
    return {state: states.count(state) for state in states} == wanted


async def _failed_with(world: World, child_id: str, reason: str) -> bool:
    wanted: dict[str, Any] = {"child_id": child_id, "last_error": reason}
    return await deliveries(world.database).count_documents(wanted) == 1


async def _claims_are_over(world: World) -> None:
    """As later: nobody waits for the end of a claim or a pause."""
    await deliveries(world.database).update_many(
        {"state": "pending"}, {"$set": {"next_attempt_at": AT_ONCE}}
    )
