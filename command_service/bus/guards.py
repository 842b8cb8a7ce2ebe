"""What a command has to pass on its way to its handler, in one order."""

from typing import assert_never

from command_service.bus.child_queues import ChildQueues
from command_service.bus.command_bus import Command, CommandContext, CommandResult, Next
from command_service.bus.errors import AppendUnconfirmed, Forbidden, ParentNotFound
from command_service.bus.resilience import Backoff, CircuitBreaker, deadline
from command_service.child.commands import RegisterChild
from command_service.child.normal_form import in_normal_form
from command_service.child.state import AccountStatus, Child
from shared.auth.access import Principal, Relation, refusal_of, relation_of


class Guards:
    """Refuses what needs no I/O to be refused, waits for the child's turn, and bounds what a store
    that is away may cost."""

    steps = ("authorization", "validation", "ChildQueues", "CircuitBreaker", "Deadline", "Retry")

    def __init__(
        self,
        queues: ChildQueues,
        breaker: CircuitBreaker,
        timeout_seconds: float,
        backoff: Backoff,
    ) -> None:
        self._queues = queues
        self._breaker = breaker
        self._timeout_seconds = timeout_seconds
        self._backoff = backoff

    async def __call__(
        self, command: Command, context: CommandContext, call: Next
    ) -> CommandResult:
        authorize(command, context.principal)
        normal = in_normal_form(command)
        async with self._queues.turn(command.child_id, context.principal):
            with self._breaker.watching():
                async with deadline(self._timeout_seconds):
                    # what was offered may have landed: decided anew, it could become a second fact
                    return await self._backoff.run(
                        lambda: call(normal, context),
                        is_final=lambda error: isinstance(error, AppendUnconfirmed),
                    )


def allowed(principal: Principal, operation: str) -> Relation:
    """What the caller must be to the child; raises Forbidden where its role may not at all."""
    relation = relation_of(principal, operation)
    if relation is Relation.NONE:
        raise Forbidden(refusal_of(principal.role, operation))
    return relation


def authorize(command: Command, principal: Principal) -> None:
    """Whether the caller may send the command at all. Whose child it is, the handler checks."""
    relation = allowed(principal, type(command).__name__)
    if (
        isinstance(command, RegisterChild)
        and relation is Relation.OWN_FAMILY
        and command.parent_id != principal.subject
    ):
        raise ParentNotFound


def may_act_on(child: Child, subject: str, relation: Relation) -> bool:
    """Whether `subject` is to the child what `relation` asks for: known from the child itself,
    never from a claim in a token."""
    match relation:
        case Relation.OWN_FAMILY:
            return child.parent_id == subject
        case Relation.OWN_BEAR:
            # of a deactivated child no bear is known: it may be another family's by now
            device_id = child.profile.device_id if child.status is AccountStatus.ACTIVE else None
            return device_id is not None and device_id.value == subject
        case Relation.ALL:
            return True
        case Relation.NUMBERS | Relation.NONE:
            return False
        case _:
            assert_never(relation)
