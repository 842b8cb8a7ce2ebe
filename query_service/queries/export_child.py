"""ExportChild: all that is stored about a child, for its family."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from query_service.queries.answers import AnswerModel, Fields, Instant, StaleSince
from query_service.queries.visible_children import Unopened, VisibleChild, VisibleChildren
from query_service.query_bus import Answer, Query
from query_service.read_store.port import ReadModelDatabase
from query_service.scope import Scope
from shared.clock import Clock
from shared.codec import decode_what_opens
from shared.envelope import Commit
from shared.event_store.port import EventStore
from shared.events.child import ChildEvent
from shared.personal import Personal

FIRST_DAY, LAST_DAY = "0001-01-01", "9999-12-31"

SEALED_IN_PROFILE = ("name", "udid", "device_id", "preferences", "learning_style", "interests")
SEALED_IN_VIOLATION = ("details",)
NOT_OF_THE_CHILD = frozenset({"_id", "child_id", "name_tokens"})
"""Said once for all, or made from the name for the search alone."""


@dataclass(frozen=True, slots=True)
class ExportChild(Query):
    child_id: str


class ExportedEvent(AnswerModel):
    """One fact. `data` are its fields in today's schema, personal ones in clear."""

    version: int = Field(description="Its place among the child's events, from 1 on.")
    type: str = Field(description="What happened, as `ChildRegistered`.")
    at: Instant = Field(description="When it happened.")
    recorded_at: Instant = Field(description="When it was stored.")
    by_role: str = Field(description="Role of who brought it about.")
    data: Fields


class ChildExport(AnswerModel):
    """The facts, and what was made of them. The read models may be some events behind `events`."""

    child_id: str
    exported_at: Instant
    version: int = Field(description="What the read models have seen of the events.")
    stale_since: StaleSince
    profile: Fields = Field(description="The account, its consents and its numbers.")
    safety: Fields | None = Field(description="Alert policy and violations; null: none.")
    conversations: list[Fields] = Field(description="The oldest first.")
    activity: list[Fields] = Field(description="One entry a UTC day.")
    alerts: list[Fields] = Field(description="The oldest first.")
    events: list[ExportedEvent] = Field(description="All facts, version by version.")
    unreadable: list[str] = Field(
        description="Places of personal values that do not open, as `profile.name` or `events.3`: "
        "there stands null."
    )


class ExportChildHandler:
    """Never cached. In memory it is as large as the child's history."""

    def __init__(
        self, store: ReadModelDatabase, children: VisibleChildren, events: EventStore, clock: Clock
    ) -> None:
        self._store = store
        self._children = children
        self._events = events
        self._clock = clock

    async def handle(self, query: ExportChild, scope: Scope) -> Answer:
        """Raises ChildNotFound, also for an erased child."""
        child = await self._children.find(query.child_id, scope)
        safety = await self._store.safety(query.child_id)
        conversations = await self._store.conversations_of(query.child_id)
        activity = await self._store.activity(query.child_id, FIRST_DAY, LAST_DAY)
        alerts = await self._store.alerts_about(query.child_id)
        history = await self._events.load(query.child_id)
        unopened = Unopened()
        export = ChildExport(
            child_id=query.child_id,
            exported_at=self._clock(),
            version=child.document["version"],
            stale_since=child.stale_since,
            profile=_opened(child, child.document, SEALED_IN_PROFILE, "profile", unopened),
            safety=_safety(child, safety, unopened) if safety else None,
            conversations=[_own(one) for one in conversations],
            activity=[_own(one) for one in activity],
            alerts=[_own(one) for one in alerts],
            events=list(_events(child, history, unopened)),
            unreadable=unopened.places,
        )
        return Answer(export, export.version)


def exported(event: ChildEvent) -> dict[str, Any]:
    """Every field of an event but the child's id and its time, personal ones in clear."""
    return {
        name: value.value if isinstance(value, Personal) else value
        for name, value in ((f.name, getattr(event, f.name)) for f in dataclasses.fields(event))
        if name not in ("child_id", "at")
    }


def _events(
    child: VisibleChild, history: Iterable[Commit], unopened: Unopened
) -> Iterable[ExportedEvent]:
    for commit in history:
        for recorded in commit.recorded_events():
            event, broken = decode_what_opens(recorded, child.cipher)
            if broken is not None:
                unopened.note(child, f"events.{recorded.version}", broken)
            yield ExportedEvent(
                version=recorded.version,
                type=type(event).__name__,
                at=event.at,
                recorded_at=commit.recorded_at,
                by_role=commit.actor.role,
                data=exported(event),
            )


def _safety(child: VisibleChild, document: Mapping[str, Any], unopened: Unopened) -> dict[str, Any]:
    violations = [
        _opened(child, one, SEALED_IN_VIOLATION, f"safety.violations.{number}", unopened)
        for number, one in enumerate(document["violations"])
    ]
    return {**_own(document), "violations": violations}


def _opened(
    child: VisibleChild,
    document: Mapping[str, Any],
    sealed: tuple[str, ...],
    place: str,
    unopened: Unopened,
) -> dict[str, Any]:
    return {
        name: unopened.reveal(child, value, f"{place}.{name}") if name in sealed else value
        for name, value in _own(document).items()
    }


def _own(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in NOT_OF_THE_CHILD}
