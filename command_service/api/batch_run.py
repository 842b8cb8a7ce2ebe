"""The commands of a batch, executed: those of a child in their order, children side by side."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
from fastapi import Request

from command_service.api.batch_items import Prepared
from command_service.api.command_route import Edge, answer_body
from command_service.api.errors import PROBLEMS, SOON
from command_service.bus.command_bus import CommandResult, SentCommand
from command_service.child.errors import CommandRefused
from shared.audit.record import AuditUnavailable
from shared.event_store.port import StoreUnavailable
from shared.http.problems import Problem, document_of, problem_of_error
from shared.http.request_context import correlation_id_of

log = structlog.get_logger(__name__)

CHILDREN_OF_ONE = 16
"""Children for whom commands of one batch are executed at a time."""

SECONDS = 10.0
"""After so long no further command of a batch is attempted: its caller would not wait for it."""

TOGETHER = 100
"""Commands of a child that are offered to the store at once: others wait for as long as it takes to
decide them."""

RETRY_AFTER = "Retry-After"

NOT_ATTEMPTED = Problem(
    503,
    "not-attempted",
    "Not attempted",
    "The time of the batch was over, or an earlier command of this child may succeed later; send "
    "what was not executed again, in its order, with the same idempotency keys.",
    headers=SOON,
)

ItemResult = dict[str, Any]
"""As the batch's documented model of that name."""


class BatchRun:
    """`children`: a place for each child whose commands are executed, shared by all batches."""

    def __init__(
        self,
        edge: Edge,
        request: Request,
        items: Sequence[Prepared],
        children: asyncio.Semaphore,
    ) -> None:
        self._edge = edge
        self._correlation_id = correlation_id_of(request)
        self._items = items
        self._places = children
        self._ends_at = time.monotonic() + SECONDS
        self._results: list[ItemResult] = [{}] * len(items)

    async def results(self) -> list[ItemResult]:
        """Of every item, in their order. What is unforeseen is one item's problem, too."""
        own = asyncio.Semaphore(CHILDREN_OF_ONE)

        async def in_a_place(child: list[int]) -> None:
            async with own, self._places:
                await self._execute(child)

        async with asyncio.TaskGroup() as group:
            for child in self._children():
                group.create_task(in_a_place(child))
        return self._results

    def _children(self) -> Iterator[list[int]]:
        """The positions of each child's commands. What did not become one has its result."""
        by_child: dict[str, list[int]] = {}
        for position, item in enumerate(self._items):
            if item.sent is not None:
                by_child.setdefault(item.sent.command.child_id, []).append(position)
            elif item.problem is not None:
                self._refuse(position, item.problem)
        yield from by_child.values()

    async def _execute(self, positions: list[int]) -> None:
        """Together as long as that goes well, singly where a command needs it: what was done before
        is found one by one. What ends short may do so again: then fewer are offered."""
        waiting, most, is_alone = positions, TOGETHER, False
        while waiting and time.monotonic() < self._ends_at:
            offered = waiting[: 1 if is_alone else most]
            done = await self._together(offered)
            if len(offered) > 1:
                most = min(TOGETHER, 2 * most) if done == len(offered) else max(2, 2 * done)
            waiting = waiting[done:]
            if done:
                continue
            if not await self._singly(waiting[0]):
                waiting = waiting[1:]
                break
            is_alone = self._results[waiting[0]].get("replayed", False)
            waiting = waiting[1:]
        for position in waiting:
            self._refuse(position, NOT_ATTEMPTED)

    async def _together(self, positions: list[int]) -> int:
        """How many of the first were executed. What keeps all from it is found singly again."""
        if len(positions) == 1:
            return 0
        try:
            results = await self._edge.bus.dispatch_together(
                [self._sent(position) for position in positions]
            )
        except (CommandRefused, StoreUnavailable, AuditUnavailable):
            return 0  # the next one meets it, too, and says it
        except Exception as error:
            log.exception("batch_not_appended", error=type(error).__name__)
            return 0
        for position, result in zip(positions, results, strict=False):
            self._succeed(position, result)
        return len(results)

    async def _singly(self, position: int) -> bool:
        """False when it may succeed later."""
        command, context = self._sent(position)
        try:
            self._succeed(position, await self._edge.bus.dispatch(command, context))
        except Exception as error:  # noqa: BLE001 - this command's problem
            problem = problem_of_error(error, PROBLEMS)
            self._refuse(position, problem)
            return RETRY_AFTER not in problem.headers
        return True

    def _sent(self, position: int) -> SentCommand:
        sent = self._items[position].sent
        assert sent is not None
        return sent

    def _succeed(self, position: int, result: CommandResult) -> None:
        made: ItemResult = {
            "status": self._items[position].status,
            "answer": answer_body(result),
            "consistency_token": self._edge.tokens.issue(result.child_id, result.version),
        }
        self._results[position] = made | ({"replayed": True} if result.replayed else {})

    def _refuse(self, position: int, problem: Problem) -> None:
        path = self._items[position].path
        body = document_of(problem, path, self._correlation_id)
        made: ItemResult = {"status": problem.status, "problem": body}
        if RETRY_AFTER in problem.headers:
            made["retry_after"] = int(problem.headers[RETRY_AFTER])
        self._results[position] = made
