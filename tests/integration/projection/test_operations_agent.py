"""Who carries out what was asked for, on real leases and states, with works of the test's own."""

from datetime import timedelta

import pytest
from pymongo.errors import AutoReconnect

from projection_worker.operations.agent import InVain, Progress
from projection_worker.session import Refused
from shared.clock import new_id, utc_now
from shared.event_store.port import StoreUnavailable
from shared.lease import Lease, LeaseLost
from shared.operations import Ended, OperationKind, OperationRequest, OperationState
from shared.read_models.operation_states import (
    KEPT,
    Attempt,
    newest_operations,
)
from tests.fakes.operations import MemoryOperationRequests
from tests.support.operations_agents import (
    LEASE_SECONDS,
    PAUSES,
    Agents,
    Do,
    FakeWork,
    at_once,
    for_ever,
    running,
    stopped,
)
from tests.support.waiting import eventually


async def test_what_was_asked_for_is_done_and_readers_are_told(agents: Agents):
    operation_id = await agents.ask()
    work = FakeWork(at_once)
    agent = await running(agents.worker(work))
    ended = await agents.is_in(operation_id, OperationState.DONE)
    await stopped(agent)
    assert (ended.kind, ended.requested_by) == ("rebuild", "admin-1")
    assert (ended.done, ended.total, ended.outcome) == (3, 3, "3 of 3")
    assert ended.started_at is not None
    assert ended.ended_at is not None
    assert work.attempts == [Attempt(1, 1)]
    assert await agents.requests.open() == []


async def test_what_nobody_has_begun_is_shown_as_requested(agents: Agents):
    operation_id = await agents.ask()
    work = FakeWork(at_once)
    work.mine = False
    await agents.worker(work).look()
    shown = await agents.of(operation_id)
    assert shown is not None
    assert (shown.state, shown.started_at, shown.done) == (OperationState.REQUESTED, None, None)


async def test_of_several_workers_one_does_it_and_each_kind_goes_on_by_itself(agents: Agents):
    # given
    rebuild = await agents.ask()
    redrive = await agents.ask(OperationKind.REDRIVE_CHILDREN)
    long, short = FakeWork(for_ever), FakeWork(at_once)
    workers = [await running(agents.worker(long, short)) for _ in range(3)]
    # when
    await agents.is_in(redrive, OperationState.DONE)
    begun = await agents.is_in(rebuild, OperationState.RUNNING)
    await eventually(lambda: agents.of(rebuild), wanted=lambda one: one is not None and one.done)
    # then
    assert begun.outcome is None
    assert (len(long.attempts), len(short.attempts)) == (1, 1)
    for one in workers:
        await stopped(one)


async def test_a_worker_that_is_stopped_leaves_it_to_the_next_and_that_does_not_count(
    agents: Agents,
):
    operation_id = await agents.ask()
    for _ in range(len(PAUSES) + 3):
        agent = await running(agents.worker(FakeWork(for_ever)))
        await eventually(lambda: agents.of(operation_id), wanted=lambda one: one and one.done)
        await stopped(agent)
        await agents.states.progress(operation_id, 0, 3)
    last = await running(agents.worker(work := FakeWork(at_once)))
    await agents.is_in(operation_id, OperationState.DONE)
    await stopped(last)
    assert work.attempts == [Attempt(1, 1)]


async def test_the_lease_of_a_worker_that_died_runs_out_and_the_next_one_begins_again(
    agents: Agents,
):
    # given a worker that died within its work
    operation_id = await agents.ask()
    await agents.states.note_requested(await agents.requests.open())
    of_the_dead = Lease(agents.database, "operation rebuild", "the dead", LEASE_SECONDS)
    assert await of_the_dead.acquire()
    await agents.states.begin(operation_id, 1)
    # when
    agent = await running(agents.worker(work := FakeWork(at_once)))
    # then
    await agents.is_in(operation_id, OperationState.DONE)
    await stopped(agent)
    assert of_the_dead.remaining_seconds == 0.0
    assert [one.number for one in work.attempts] == [2]


@pytest.mark.parametrize("error", [AutoReconnect(), StoreUnavailable(), LeaseLost(), OSError()])
async def test_what_may_pass_is_tried_again(agents: Agents, error: Exception):
    async def fails_first(attempt: Attempt, progress: Progress) -> str:
        if attempt.number == 1:
            raise error
        return await at_once(attempt, progress)

    operation_id = await agents.ask()
    agent = await running(agents.worker(work := FakeWork(fails_first)))
    await agents.is_in(operation_id, OperationState.DONE)
    await stopped(agent)
    assert [one.number for one in work.attempts] == [1, 2]


def raising(error: Exception) -> Do:
    async def do(_attempt: Attempt, _progress: Progress) -> str:
        raise error

    return do


@pytest.mark.parametrize(
    ("error", "attempts", "outcome"),
    [
        (Refused("another rebuild\nis running"), 1, "another rebuild is running"),
        (InVain("a process ended"), 3, "given up after 3 attempts: a process ended"),
        (AutoReconnect("Anna"), 3, "given up after 3 attempts: AutoReconnect"),
        (KeyError("Anna"), 1, "ended by an unexpected error, KeyError: see the worker's log"),
    ],
    ids=repr,
)
async def test_what_failed_says_why_in_one_line_without_what_was_read(
    agents: Agents, error: Exception, attempts: int, outcome: str
):
    operation_id = await agents.ask()
    agent = await running(agents.worker(work := FakeWork(raising(error))))
    ended = await agents.is_in(operation_id, OperationState.FAILED)
    await stopped(agent)
    assert (len(work.attempts), ended.outcome) == (attempts, outcome)
    assert await agents.requests.open() == []


async def test_what_kills_each_worker_is_given_up(agents: Agents):
    operation_id = await agents.ask()
    await agents.states.note_requested(await agents.requests.open())
    for _ in range(len(PAUSES) + 1):
        await agents.states.begin(operation_id, 1)
    agent = await running(agents.worker(work := FakeWork(at_once)))
    ended = await agents.is_in(operation_id, OperationState.FAILED)
    await stopped(agent)
    assert work.attempts == []
    assert ended.outcome == "given up: its worker died, or lost its lease, in 3 attempts"


async def test_an_end_that_nobody_told_the_readers_is_told_by_any_worker(agents: Agents):
    # given
    operation_id = await agents.ask()
    await agents.states.note_requested(await agents.requests.open())
    await agents.states.begin(operation_id, 1)
    lost = new_id()
    gone = OperationRequest(lost, OperationKind.REDRIVE_CHILDREN, "admin-1", utc_now())
    await agents.states.note_requested([gone])
    await agents.requests.end(operation_id, Ended(OperationState.DONE, "it worked", utc_now()))
    # when
    await agents.worker(work := FakeWork(at_once)).look()
    # then
    told, unknown = await agents.of(operation_id), await agents.of(lost)
    assert told is not None
    assert (told.state, told.outcome) == (OperationState.DONE, "it worked")
    assert unknown is not None
    assert unknown.state == OperationState.FAILED
    assert work.attempts == []


async def test_a_store_that_is_away_does_not_end_the_agent(agents: Agents):
    class Away(MemoryOperationRequests):
        looks = 0

        async def open(self) -> list[OperationRequest]:
            Away.looks += 1
            if Away.looks == 1:
                raise StoreUnavailable("away")
            return await agents.requests.open()

    operation_id = await agents.ask()
    agent = await running(agents.worker(FakeWork(at_once), requests=Away()))
    await agents.is_in(operation_id, OperationState.DONE)
    await stopped(agent)


async def test_of_what_has_ended_the_newest_are_kept(agents: Agents):
    at = utc_now()
    for number in range(KEPT + 5):
        request = OperationRequest(
            f"op-{number}", OperationKind.REBUILD, "admin-1", at + timedelta(seconds=number)
        )
        await agents.states.note_requested([request])
        if number != 1:
            await agents.states.end(request.id, Ended(OperationState.DONE, "ok", at))
    kept = {one.operation_id for one in await newest_operations(agents.database, 100)}
    assert "op-1" in kept  # it goes on
    assert {"op-0", "op-2"} & kept == set()
    assert len(kept) <= KEPT + 2
