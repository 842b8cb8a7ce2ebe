"""Takes what an administrator asks the workers to do. It is no command of a child: there is no
stream, and so nothing to decide about; the store itself refuses a second one."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from command_service.bus.command_bus import CommandContext
from command_service.bus.errors import IdempotencyKeyReused, OperationRunning
from shared.audit.record import AuditTrail, AuditUnavailable, children_of, record_of, under_way
from shared.clock import Clock
from shared.operations import OperationKind, OperationRequest, OperationRequests

NAMES: Mapping[OperationKind, str] = {
    OperationKind.REBUILD: "RebuildReadModels",
    OperationKind.REDRIVE_CHILDREN: "RedriveChildren",
    OperationKind.REDRIVE_NOTIFICATIONS: "RedriveNotifications",
    OperationKind.CLEAR_CACHES: "ClearCaches",
}
"""As the audit trail calls them."""


@dataclass(frozen=True, slots=True)
class OperationStarter:
    requests: OperationRequests
    trail: AuditTrail
    clock: Clock

    async def start(self, wanted: OperationRequest, context: CommandContext) -> bool:
        """Whether it was there already, under the same idempotency key.

        Raises OperationRunning, IdempotencyKeyReused, StoreUnavailable or AuditUnavailable."""
        _named(wanted)
        self.trail.require_room()
        standing = await self.requests.take(wanted)
        if standing is not None and standing.id != wanted.id:
            raise OperationRunning(standing.id)
        if standing is not None and not standing.is_repeated_by(wanted):
            raise IdempotencyKeyReused
        self._note(wanted, context, "accepted" if standing is None else "replayed")
        return standing is not None

    def _note(self, wanted: OperationRequest, context: CommandContext, outcome: str) -> None:
        request = under_way.get()
        if request is not None:
            request.recorded = True
        entry = record_of(
            context.principal,
            NAMES[wanted.kind],
            outcome,
            self.clock(),
            context.correlation_id,
            wanted.child_ids or (),
        )
        with suppress(AuditUnavailable):  # it is kept, with who asked; the trail counts its misses
            self.trail.note(entry)


def _named(wanted: OperationRequest) -> None:
    """A refusal is recorded by the edge, as one of this operation."""
    request = under_way.get()
    if request is not None:
        request.operation = NAMES[wanted.kind]
        request.children = children_of(wanted.child_ids or ())
