"""What administrators have the workers do, as TeddyClient asks for it and follows it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypedDict, cast

from shared.client.calls import path_of
from shared.client.commands import Commands

POLL_SECONDS = 1.0
MOST_LOOKS_UNSEEN = 120
"""At the list, a second apart. A worker puts an operation there within two seconds."""

ENDED = ("done", "failed")


class OperationNotListed(Exception):
    """What became of the operation cannot be told: it is not on the list. It may go on."""


class StartedOperation(TypedDict):
    operation_id: str
    kind: str
    state: str


class Operation(TypedDict):
    """`state`: requested, running, done or failed, or what a newer release calls it. `done` of
    `total`: of a rebuild events, each folded once and verified once; of a redrive children, or
    notifications; else None."""

    operation_id: str
    kind: str
    requested_by: str
    requested_at: str
    state: str
    started_at: str | None
    ended_at: str | None
    done: int | None
    total: int | None
    outcome: str | None


Watcher = Callable[[Operation], None]


class Operations(Commands):
    """For the role admin. One operation of each kind at a time: another is TeddyProblem
    `operation-running`, whose body names the one under way. Whoever stops waiting changes nothing:
    the operation goes on."""

    async def rebuild_read_models(
        self, models: Sequence[str] | None = None, watch: Watcher | None = None
    ) -> Operation:
        """Have them built anew beside the live ones, verified and made live; `models`: fold only
        these, copy the others. Returns once it has ended: see `state` and `outcome`. `watch` gets
        it each time that it has changed."""
        options = {} if models is None else {"models": list(models)}
        return await self._whole("rebuild", watch, **options)

    async def redrive_dead_letters(
        self,
        child_ids: Sequence[str] | None = None,
        watch: Watcher | None = None,
        *,
        from_store: bool = False,
    ) -> Operation:
        """Publish the records of dead-lettered children again: of these (at most 100), or of all.
        `from_store`: the event store's events instead of the records, which may be damaged. Returns
        and watches as `rebuild_read_models`."""
        options: dict[str, Any] = {"from_store": True} if from_store else {}
        if child_ids is not None:
            options["child_ids"] = list(child_ids)
        return await self._whole("redrive-children", watch, **options)

    async def redrive_notifications(self, watch: Watcher | None = None) -> Operation:
        """Let failed notifications be tried again. Returns and watches as `rebuild_read_models`."""
        return await self._whole("redrive-notifications", watch)

    async def clear_all_caches(self, watch: Watcher | None = None) -> Operation:
        """Have every query process forget all that it keeps: answers, also those that processes
        share, and keys. Returns, once they are notified, and watches as `rebuild_read_models`;
        processes forget within moments, and one without Kafka as soon as it is connected again.
        How many answers were dropped nobody counts."""
        return await self._whole("clear-caches", watch)

    async def operations(self) -> list[Operation]:
        """The last 20, the newest first."""
        # without a consistency token: it would wait for a child that is dead-lettered
        response = await self._query.request("GET", path_of("system", "operations"))
        return cast(list[Operation], response.json()["operations"])

    async def start_operation(
        self, kind: str, idempotency_key: str | None = None, **options: Any
    ) -> StartedOperation:
        """`kind`: rebuild, redrive-children, redrive-notifications or clear-caches. Answers once it
        is sure to be done or reported as failed, whichever process dies."""
        key = idempotency_key or self._new_id()
        response = await self._command.request(
            "POST",
            path_of("operations"),
            {"kind": kind, **options},
            headers={"Idempotency-Key": key},
        )
        return cast(StartedOperation, response.json())

    async def follow_operation(self, operation_id: str) -> AsyncIterator[Operation]:
        """The operation each time that it has changed, at last as it ended.

        Raises OperationNotListed once others have taken its place on the list, or when it has not
        been there for two minutes: no worker runs, or others took its place before."""
        seen: Operation | None = None
        looks = 0
        while True:
            listed = await self.operations()
            looks += 1
            found = next((one for one in listed if one["operation_id"] == operation_id), None)
            if found is None:
                _require_listed(operation_id, seen, looks)
            elif found != seen:
                seen = found
                yield found
            if found is not None and _has_ended(found):
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _whole(self, kind: str, watch: Watcher | None, **options: Any) -> Operation:
        started = await self.start_operation(kind, **options)
        last: Operation | None = None
        async for last in self.follow_operation(started["operation_id"]):
            if watch is not None:
                watch(last)
        assert last is not None  # it ends with one that has ended
        return last


def _has_ended(operation: Operation) -> bool:
    """Also in a state that only a newer release knows."""
    return operation["state"] in ENDED or operation.get("ended_at") is not None


def _require_listed(operation_id: str, seen: Operation | None, looks: int) -> None:
    """Raises OperationNotListed where there is nothing to wait for any more."""
    if seen is not None:
        raise OperationNotListed(
            f"operation {operation_id} was {seen['state']} when it was last seen, and is no longer "
            "among the newest ones that are listed"
        )
    if looks >= MOST_LOOKS_UNSEEN:
        raise OperationNotListed(
            f"operation {operation_id} is not listed: no worker runs that could have seen it, or "
            "newer ones have taken its place"
        )
