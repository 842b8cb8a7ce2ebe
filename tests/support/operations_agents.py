"""Workers of operations on real leases and states, with works of the test's own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from projection_worker.operations.agent import OperationsAgent, Progress
from shared.clock import new_id, utc_now
from shared.mongo import Database
from shared.operations import OperationKind, OperationRequest, OperationState
from shared.read_models.operation_states import (
    Attempt,
    OperationStanding,
    OperationStates,
    newest_operations,
)
from tests.fakes.operations import MemoryOperationRequests
from tests.support.waiting import eventually

LEASE_SECONDS = 1.0
PAUSES = (0.01, 0.01)
Do = Callable[[Attempt, Progress], Awaitable[str]]


class FakeWork:
    """Does `do`; `attempts` remembers each."""

    def __init__(self, do: Do) -> None:
        self.do = do
        self.mine = True
        self.attempts: list[Attempt] = []

    async def is_mine(self) -> bool:
        return self.mine

    async def carry_out(
        self, _request: OperationRequest, attempt: Attempt, progress: Progress, /
    ) -> str:
        self.attempts.append(attempt)
        return await self.do(attempt, progress)


async def at_once(_attempt: Attempt, progress: Progress) -> str:
    await progress(3, 3)
    return "3 of 3"


async def for_ever(_attempt: Attempt, progress: Progress) -> str:
    await progress(1, 3)
    await asyncio.Event().wait()
    raise AssertionError


class Agents:
    """Several workers on the same databases."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.requests = MemoryOperationRequests()
        self.states = OperationStates(database)

    def worker(
        self, *works: FakeWork, requests: Any = None, lease_seconds: float = LEASE_SECONDS
    ) -> OperationsAgent:
        """It does the kinds in their order by `works`; the last one is for those that remain."""
        kinds = list(OperationKind)
        by_kind = {kind: works[min(at, len(works) - 1)] for at, kind in enumerate(kinds)}
        return OperationsAgent(
            requests or self.requests, self.database, by_kind, utc_now, PAUSES, lease_seconds
        )

    async def ask(self, kind: OperationKind = OperationKind.REBUILD) -> str:
        request = OperationRequest(new_id(), kind, "admin-1", utc_now())
        assert await self.requests.take(request) is None
        return request.id

    async def of(self, operation_id: str) -> OperationStanding | None:
        found = await newest_operations(self.database, 100)
        return next((one for one in found if one.operation_id == operation_id), None)

    async def is_in(self, operation_id: str, state: OperationState) -> OperationStanding:
        found = await eventually(
            lambda: self.of(operation_id),
            wanted=lambda one: one is not None and one.state == state,
        )
        assert found is not None
        return found


async def running(agent: OperationsAgent) -> asyncio.Task[None]:
    return asyncio.create_task(agent.run())


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
