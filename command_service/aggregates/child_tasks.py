"""Works on children that go on when the command which began them is over."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

import structlog

T = TypeVar("T")

log = structlog.get_logger(__name__)


class ChildTasks(Generic[T]):
    """At most one task a child. One that fails is logged as `failure`, whether or not anybody waits
    for it."""

    def __init__(self, failure: str) -> None:
        self._failure = failure
        self._tasks: dict[str, asyncio.Task[T]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def get(self, child_id: str) -> "asyncio.Task[T] | None":
        return self._tasks.get(child_id)

    def begin(self, child_id: str, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Of a child that has none."""
        task = self._tasks[child_id] = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._ended(child_id, task))
        return task

    async def abandon(self, child_id: str) -> None:
        """End the child's, if there is one; it has ended on return."""
        if (task := self._tasks.get(child_id)) is not None:
            task.cancel()
            await asyncio.wait({task})

    def _ended(self, child_id: str, task: "asyncio.Task[T]") -> None:
        del self._tasks[child_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning(self._failure, child_id=child_id, error=type(error).__name__)
