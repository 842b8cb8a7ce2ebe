"""Carries out what administrators asked for: of several workers one does, each kind for itself.

Who holds the lease of a kind carries its request out. A worker that dies lets it run out, and the
next one begins again: the works go on from what is done, or do it twice, which changes nothing. How
an operation ended is noted in the request first; whoever dies behind that leaves it to any worker
to tell the readers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Protocol

import structlog
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from projection_worker.session import Failed, Refused
from shared.clock import Clock, new_id
from shared.event_store.port import StoreUnavailable
from shared.lease import Lease, LeaseLost, while_held
from shared.mongo import Database
from shared.operations import (
    Ended,
    OperationKind,
    OperationRequest,
    OperationRequests,
    OperationState,
)
from shared.read_models.generations import read_catalog
from shared.read_models.operation_states import Attempt, OperationStates

LOOK_SECONDS = 1.0
LEASE_SECONDS = 10.0
PAUSES = (2.0, 5.0, 15.0, 60.0)
"""Seconds after the first, second, ... attempt; behind the last one there is one more."""

LONGEST_OUTCOME = 300

log = structlog.get_logger(__name__)

Progress = Callable[[int, int], Awaitable[None]]
"""Notes how many are done, and of how many."""


class InVain(Exception):
    """The attempt failed by something that may pass."""


PASSING = (PyMongoError, KafkaError, StoreUnavailable, LeaseLost, OSError, InVain)


class Work(Protocol):
    """One kind of operation. Whatever of it was done before may be done again."""

    async def is_mine(self) -> bool:
        """Whether this worker may do it."""

    async def carry_out(
        self, request: OperationRequest, attempt: Attempt, progress: Progress, /
    ) -> str:
        """What came of it, in one line. Raises Refused or Failed where trying again is no use, and
        any of PASSING."""


class OperationsAgent:
    """`database` holds the read models, and the leases."""

    def __init__(
        self,
        requests: OperationRequests,
        database: Database,
        works: Mapping[OperationKind, Work],
        clock: Clock,
        pauses: Sequence[float] = PAUSES,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._requests = requests
        self._database = database
        self._states = OperationStates(database)
        self._works = works
        self._clock = clock
        self._pauses = pauses
        self._lease_seconds = lease_seconds
        self._under_way: dict[OperationKind, asyncio.Task[None]] = {}
        self._is_away = False
        self._is_stopping = False

    async def run(self) -> None:
        """Until cancelled; what is under way then, another worker goes on with."""
        try:
            while True:
                await self._look_if_possible()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._is_stopping = True
            tasks = list(self._under_way.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_if_possible(self) -> None:
        try:
            await self.look()
        except Exception as error:  # noqa: BLE001 - the next look may succeed
            if not self._is_away:
                log.warning("operations_unknown", error=type(error).__name__)
            self._is_away = True
        else:
            self._is_away = False

    async def look(self) -> None:
        """Tell the readers of every request, and begin what nobody does yet."""
        unended = await self._states.unended()
        requests = await self._requests.open()  # afterwards: what is not in it has ended
        await self._settle(set(unended) - {one.id for one in requests})
        await self._states.note_requested(requests)
        for one in requests:
            if one.kind not in self._under_way:
                task = asyncio.create_task(self._take_up(one))
                self._under_way[one.kind] = task
                task.add_done_callback(partial(self._left, one.kind))

    def _left(self, kind: OperationKind, _task: asyncio.Task[None]) -> None:
        del self._under_way[kind]

    async def _settle(self, operation_ids: set[str]) -> None:
        """Tell the readers of ends that whoever made them did not tell."""
        if not operation_ids:
            return
        outcomes = await self._requests.outcomes(operation_ids)
        gone = self._failed("its request is gone: was the event store restored from a copy?")
        for operation_id in operation_ids:
            if (ended := outcomes.get(operation_id, gone)) is not None:
                await self._states.end(operation_id, ended)

    async def _take_up(self, request: OperationRequest) -> None:
        """Unless another worker does it."""
        work = self._works[request.kind]
        name = f"operation {request.kind}"
        lease = Lease(self._database, name, new_id(), self._lease_seconds)
        try:
            if not (await work.is_mine() and await lease.acquire()):
                return
            try:
                await while_held(lease, self._attempt(request, work))
            finally:
                await lease.release()
        except PASSING as error:
            log.warning("operation_left", operation=request.id, error=type(error).__name__)
        except Exception:
            log.exception("operation_left", operation=request.id)

    async def _attempt(self, request: OperationRequest, work: Work) -> None:
        if (await self._requests.outcomes([request.id])).get(request.id) is not None:
            return  # it ended since it was looked at
        live = (await read_catalog(self._database)).live
        attempt = await self._states.begin(request.id, live.number)
        if attempt is None:
            await self._end_as_told(request)
            return
        log.info("operation_begun", operation=request.id, kind=request.kind, attempt=attempt.number)
        try:
            ended = await self._ended(request, work, attempt)
            if ended is not None:
                await self._note_end(request, ended)
        except asyncio.CancelledError:
            if self._is_stopping:  # otherwise the lease was lost
                await self._states.interrupted(request.id)
            raise
        if ended is None:
            await asyncio.sleep(self._pauses[attempt.number - 1])
        else:
            await self._states.end(request.id, ended)
            log.info("operation_ended", operation=request.id, state=ended.state)

    async def _note_end(self, request: OperationRequest, ended: Ended) -> None:
        """As often as it takes while the lease is held: the work is not done again for that."""
        for pause in chain(self._pauses, repeat(self._pauses[-1])):
            try:
                await self._requests.end(request.id, ended)
            except StoreUnavailable as error:
                log.warning("operation_end_unnoted", operation=request.id, reason=_one_line(error))
            else:
                return
            await asyncio.sleep(pause)

    async def _end_as_told(self, request: OperationRequest) -> None:
        """Readers know its end, the event store, restored from an older copy, does not."""
        forgotten = self._failed("it had ended before the event store was restored")
        ended = await self._states.ended(request.id) or forgotten
        await self._requests.end(request.id, ended)
        log.warning("operation_had_ended", operation=request.id, state=ended.state)

    async def _ended(self, request: OperationRequest, work: Work, attempt: Attempt) -> Ended | None:
        """How it ended; None where it is to be tried again."""
        if attempt.number > len(self._pauses) + 1:
            return self._failed(
                f"given up: its worker died, or lost its lease, in {attempt.number - 1} attempts"
            )
        try:
            progress = partial(self._states.progress, request.id)
            outcome = await work.carry_out(request, attempt, progress)
        except PASSING as error:
            end_if_cancelled(error)
            log.warning("operation_in_vain", operation=request.id, reason=_one_line(error))
            if attempt.number <= len(self._pauses):
                return None
            reason = str(error) if isinstance(error, InVain) else type(error).__name__
            return self._failed(f"given up after {attempt.number} attempts: {reason}")
        except (Refused, Failed) as error:
            return self._failed(_one_line(error))
        except Exception as error:  # its message may hold anything
            end_if_cancelled(error)
            log.exception("operation_failed", operation=request.id)
            return self._failed(
                f"ended by an unexpected error, {type(error).__name__}: see the worker's log"
            )
        return Ended(OperationState.DONE, outcome, self._clock())

    def _failed(self, reason: str) -> Ended:
        return Ended(OperationState.FAILED, reason[:LONGEST_OUTCOME], self._clock())


def end_if_cancelled(error: Exception) -> None:
    """What a work raises that is cancelled takes the place of its CancelledError."""
    task = asyncio.current_task()
    if task is not None and task.cancelling() > 0:
        raise asyncio.CancelledError from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
