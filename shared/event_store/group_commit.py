"""Writes that arrive together are sent together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Any, Generic, TypeVar

import structlog

from shared.event_store.envelope import Commit
from shared.event_store.port import AlreadyCommitted, VersionConflict


def outcome_when_taken(
    offered: Commit, at_its_place: Commit | None, with_its_key: Commit | None
) -> Commit:
    """The stored commit when it is this very offer, made before by a caller that got no answer.

    Otherwise raises AlreadyCommitted when its idempotency key is in the store, VersionConflict when
    only its place is taken. Equal hashes mean one offer: they cover the whole content.
    """
    if at_its_place is not None and at_its_place.hash == offered.hash:
        return at_its_place
    if with_its_key is not None:
        raise AlreadyCommitted(with_its_key)
    raise VersionConflict(offered.child_id, offered.first_version - 1)


Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

Write = Callable[[Sequence[Item]], Awaitable[Sequence[Outcome | Exception]]]
"""Writes a group and says what became of each item, in the same order."""

log = structlog.get_logger(__name__)

_Waiting = tuple[Item, asyncio.Future[Outcome]]


class GroupCommitClosed(Exception):
    """The item was offered after the close."""


class GroupCommit(Generic[Item, Outcome]):
    """Lets at most `batchers` groups of at most `max_group` items be written at the same time.

    An item that finds a batcher idle is written at once; those that arrive meanwhile wait and share
    the next group, so groups grow with the load and nobody waits for a timer. A batcher lives only
    while something waits. At most `max_waiting` items wait; further callers wait for a place.
    """

    def __init__(
        self,
        write: Write[Item, Outcome],
        batchers: int = 2,
        max_group: int = 500,
        max_waiting: int = 10_000,
    ) -> None:
        self._write = write
        self._max_batchers = batchers
        self._max_group = max_group
        self._waiting: asyncio.Queue[_Waiting[Item, Outcome]] = asyncio.Queue(max_waiting)
        self._batchers: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def submit(self, item: Item) -> Outcome:
        """Write `item` with others; returns or raises its own outcome.

        A caller that gives up before its group is written takes its item back; later, the item may
        have been written or not. Raises GroupCommitClosed after the close.
        """
        if self._closed:
            raise GroupCommitClosed
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        await self._waiting.put((item, outcome))
        if len(self._batchers) < self._max_batchers:
            # Not in the caller's context: its log fields and deadlines are not the group's.
            batcher = asyncio.create_task(self._write_groups(), context=Context())
            self._batchers.add(batcher)
        return await outcome

    async def close(self) -> None:
        """Refuse new items and return once everything accepted before has its outcome."""
        self._closed = True
        while self._batchers:
            await asyncio.wait(self._batchers)

    async def _write_groups(self) -> None:
        try:
            while not self._waiting.empty():
                group = self._next_group()
                if group:
                    await self._write_group(group)
        finally:
            # In the same step as the look at the queue: an item that comes now finds no batcher
            # and starts its own. A done callback would run too late for it.
            self._batchers -= {asyncio.current_task()}

    def _next_group(self) -> list[_Waiting[Item, Outcome]]:
        group: list[_Waiting[Item, Outcome]] = []
        while len(group) < self._max_group and not self._waiting.empty():
            item, outcome = self._waiting.get_nowait()
            if not outcome.done():
                group.append((item, outcome))
        return group

    async def _write_group(self, group: list[_Waiting[Item, Outcome]]) -> None:
        outcomes = [outcome for _, outcome in group]
        try:
            results = await self._write([item for item, _ in group])
            pairs = list(zip(outcomes, results, strict=True))
        except asyncio.CancelledError:
            for outcome in outcomes:
                outcome.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - handed to the callers, whose failure it is
            log.warning("group_commit_failed", items=len(group), error=type(error).__name__)
            pairs = [(outcome, error) for outcome in outcomes]
        for outcome, result in pairs:
            if outcome.done():
                continue
            if isinstance(result, Exception):
                outcome.set_exception(result)
            else:
                outcome.set_result(result)
