"""Events sealed and offered to the event store, once and for all."""

from collections.abc import Sequence
from dataclasses import dataclass

from command_service.backoff import Backoff
from command_service.command_bus import Command, CommandContext
from command_service.domain.child.commands import (
    EraseChild,
    ReportSafetyViolation,
    StartConversation,
)
from command_service.handlers.errors import KeyUnavailable
from command_service.sent_request import SentRequest
from shared.clock import Clock
from shared.codec import encode
from shared.envelope import (
    Actor,
    Causality,
    Commit,
    Idempotency,
    NewCommit,
    StreamPosition,
)
from shared.event_store.port import EventStore, StoreUnavailable
from shared.events.child import ChildEvent, SafetyViolationReported
from shared.keyring.cipher import ChildCipher

IGNORED = "ignored"
"""In a stored result: the request's field that was left out."""


ERASURE = "erasure"
"""The print of every request to erase a child: its path says it all, and the child's key, under
which others have theirs, goes with it."""


class AppendUnconfirmed(StoreUnavailable):
    """The same offer was made again and again, and never answered: it may have landed or not."""


@dataclass(frozen=True, slots=True)
class Appender:
    store: EventStore
    clock: Clock
    backoff: Backoff

    async def append(
        self,
        command: Command,
        context: CommandContext,
        expected: StreamPosition,
        events: Sequence[ChildEvent],
        cipher: ChildCipher | None,
    ) -> Commit:
        """Without events only the idempotency key is kept. An erasure alone needs no `cipher`.
        Raises VersionConflict (never without events), AlreadyCommitted or AppendUnconfirmed."""
        offer = NewCommit(
            child_id=command.child_id,
            expected=expected,
            events=tuple(
                encode(event, version, cipher)
                for version, event in enumerate(events, expected.version + 1)
            ),
            recorded_at=self.clock(),
            actor=Actor(context.principal.on_record, context.principal.role.value),
            causality=Causality(context.correlation_id, context.causation_id, context.traceparent),
            idempotency=_kept_of(context.request, command, cipher),
            result=_result_of(command, events),
        )
        try:
            # one offer, repeated as it is: the store recognises it if it landed the first time
            return await self.backoff.run(lambda: self.store.append(offer))
        except StoreUnavailable as error:
            raise AppendUnconfirmed from error


def _kept_of(
    request: SentRequest | None, command: Command, cipher: ChildCipher | None
) -> Idempotency | None:
    """For ever, so that nobody can tell what the request was once the child is erased."""
    if request is None:
        return None
    if isinstance(command, EraseChild):
        return Idempotency(request.key, ERASURE)
    if cipher is None:
        raise KeyUnavailable
    return Idempotency(request.key, cipher.print_of(request.content))


def _result_of(command: Command, events: Sequence[ChildEvent]) -> dict[str, str]:
    """What the answer says beside the events; a repetition gets it again."""
    match command:
        case _ if not events:
            return {}
        case ReportSafetyViolation():
            made = {"violation_id": command.violation_id}
            linked = any(
                isinstance(event, SafetyViolationReported) and event.conversation_id is not None
                for event in events
            )
            if command.conversation_id is not None and not linked:
                made[IGNORED] = "conversation_id"
            return made
        case StartConversation():
            return {"conversation_id": command.conversation_id}
        case _:
            return {}
