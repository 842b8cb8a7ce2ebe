"""Operations whose work, lease or end fails under way, on real leases and states."""

import asyncio

import pytest
from pymongo.errors import AutoReconnect

from projection_worker.operations.agent import Progress
from shared.clock import utc_now
from shared.event_store.port import StoreUnavailable
from shared.lease import COLLECTION as LEASES
from shared.operations import Ended, OperationState
from shared.read_models.operation_states import Attempt
from tests.support.operations_agents import (
    PAUSES,
    Agents,
    FakeWork,
    at_once,
    for_ever,
    running,
    stopped,
)
from tests.support.waiting import eventually


async def test_a_work_that_fails_while_it_is_stopped_is_stopped_and_not_given_up(agents: Agents):
    # given the last attempt
    async def fails_when_stopped(attempt: Attempt, progress: Progress) -> str:
        try:
            return await for_ever(attempt, progress)
        except asyncio.CancelledError:
            raise AutoReconnect from None

    operation_id = await agents.ask()
    await agents.states.note_requested(await agents.requests.open())
    for _ in PAUSES:
        await agents.states.begin(operation_id, 1)
    agent = await running(agents.worker(FakeWork(fails_when_stopped)))
    await eventually(lambda: agents.of(operation_id), wanted=lambda one: one and one.done)
    # when
    await stopped(agent)
    # then
    assert [one.id for one in await agents.requests.open()] == [operation_id]
    assert await agents.states.begin(operation_id, 1) == Attempt(len(PAUSES) + 1, 1)


async def test_an_end_that_a_restored_event_store_lost_is_noted_there_again(agents: Agents):
    # given
    operation_id = await agents.ask()
    await agents.states.note_requested(await agents.requests.open())
    ended = Ended(OperationState.DONE, "it worked", utc_now().replace(microsecond=0))
    await agents.states.end(operation_id, ended)
    # when
    agent = await running(agents.worker(work := FakeWork(at_once)))
    await eventually(agents.requests.open, wanted=lambda found: not found)
    await stopped(agent)
    # then
    assert await agents.requests.outcomes([operation_id]) == {operation_id: ended}
    assert work.attempts == []


async def test_an_attempt_whose_lease_was_lost_counts(agents: Agents):
    # given
    async def loses_its_lease_first(attempt: Attempt, progress: Progress) -> str:
        if attempt.number > 1:
            return await at_once(attempt, progress)
        await agents.database[LEASES].update_one(
            {"_id": "operation rebuild"},
            {"$inc": {"fencing": 1}, "$set": {"expires_at": utc_now()}},
        )
        return await for_ever(attempt, progress)

    operation_id = await agents.ask()
    # when
    agent = await running(agents.worker(work := FakeWork(loses_its_lease_first)))
    await agents.is_in(operation_id, OperationState.DONE)
    await stopped(agent)
    # then
    assert [one.number for one in work.attempts] == [1, 2]


async def test_an_end_that_cannot_be_noted_is_noted_later_without_a_second_attempt(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
):
    # given
    noted, refusals = agents.requests.end, len(PAUSES) + 3

    async def away_at_first(operation_id: str, ended: Ended) -> None:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise StoreUnavailable("away")
        await noted(operation_id, ended)

    monkeypatch.setattr(agents.requests, "end", away_at_first)
    operation_id = await agents.ask()
    # when
    agent = await running(agents.worker(work := FakeWork(at_once)))
    await agents.is_in(operation_id, OperationState.DONE)
    await stopped(agent)
    # then
    assert work.attempts == [Attempt(1, 1)]
