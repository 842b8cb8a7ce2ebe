"""ExportChild: all that is stored about a child, for its family, personal values in clear. Its
records are written by exporter.py, one a line."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import orjson
import structlog
from pydantic import ConfigDict, Field, RootModel

from query_service.queries.answers import AnswerModel, Fields, Instant, StaleSince
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import OWN_FIELDS, Scope, VisibleChildren, opened
from query_service.read_store.whole_child import Document, Part
from shared.clock import Clock, iso
from shared.event_store.envelope import Commit, RecordedEvent
from shared.event_store.port import EventStore
from shared.events.child import ChildEvent
from shared.events.personal import (
    IS_SEALED,
    IS_SEARCH_TOKENS,
    IS_STAFF,
    Personal,
    fields_marked,
)
from shared.keyring.keyring import ChildCipher, SealBroken, UnknownKek
from shared.read_models.documents import ChildDocument, ViolationDocument
from shared.serialization.events import decode_what_opens
from shared.serialization.schema import STAFF, SealedField, UndecodableEvent

SEALED: Mapping[Part, tuple[str, ...]] = {
    Part.PROFILE: OWN_FIELDS,
    Part.VIOLATION: fields_marked(ViolationDocument, IS_SEALED),
}
NOT_OF_THE_CHILD = {"_id", "child_id", "awaits_live", "removed"}.union(
    fields_marked(ChildDocument, IS_SEARCH_TOKENS), fields_marked(ViolationDocument, IS_STAFF)
)
"""Said once for all, a note of the worker's, made from the name for the search alone, or who of the
staff it was."""

Record = dict[str, Any]

UNREADABLE: Any = Field(
    [], description="Fields that cannot be decrypted and are null. Omitted if there are none."
)

log = structlog.get_logger(__name__)


class ExportHeader(AnswerModel):
    """The first line. The read models may be some events behind the events."""

    kind: Literal["export"] = Field("export", description="The kind of this record.")
    child_id: str
    exported_at: Instant
    version: int = Field(description="The last event projected into the read models.")
    stale_since: StaleSince


class ExportedDocument(AnswerModel):
    """One document of the read models: the account with its consents and numbers, alert policy and
    counters, a violation, a conversation, a UTC day, an alert. It has all fields that are kept."""

    model_config = ConfigDict(extra="allow")
    kind: Literal["profile", "safety", "violation", "conversation", "activity", "alert"] = Field(
        description="The kind of this record."
    )
    unreadable: list[str] = UNREADABLE


class ExportedEvent(AnswerModel):
    """One fact, in today's schema."""

    kind: Literal["event"] = Field(description="The kind of this record.")
    version: int = Field(description="Its version in the child's stream, from 1.")
    type: str = Field(description="The event type, as `ChildRegistered`.")
    at: Instant = Field(description="When it happened.")
    recorded_at: Instant = Field(description="When it was stored.")
    by_role: str = Field(description="Role of the actor.")
    data: Fields | None = Field(
        description="Its fields, personal ones decrypted; null: this release cannot read it."
    )
    unreadable: list[str] = UNREADABLE


class ExportProgress(AnswerModel):
    """All lines before it are whole: a download that breaks off goes on behind it."""

    kind: Literal["progress"] = Field(description="The kind of this record.")
    cursor: str = Field(description="Send it as `cursor` to continue after this line.")


class ExportEnd(AnswerModel):
    """The last line. Without it something is missing."""

    kind: Literal["end"] = Field(description="The kind of this record.")
    counts: dict[str, int] = Field(description="Number of records by kind.")
    unreadable: int = Field(description="Number of records with a value that cannot be decrypted.")


class ExportLine(
    RootModel[
        Annotated[
            ExportHeader | ExportedDocument | ExportedEvent | ExportProgress | ExportEnd,
            Field(discriminator="kind"),
        ]
    ]
):
    """One line of an export; `kind` says what it is."""


@dataclass(frozen=True, slots=True)
class ExportChild(Query):
    child_id: str


@dataclass(frozen=True, slots=True)
class ExportChildHandler:
    """Answers the first line. It is not begun where the events, which come last, cannot be read."""

    children: VisibleChildren
    events: EventStore
    clock: Clock

    async def handle(self, query: ExportChild, scope: Scope) -> Answer:
        """Raises ChildNotFound, also for an erased child."""
        child = await self.children.find(query.child_id, scope)
        await self.events.load(query.child_id, 0, 1)
        header = ExportHeader(
            child_id=query.child_id,
            exported_at=self.clock(),
            version=child.document["version"],
            stale_since=child.stale_since,
        )
        return Answer(header, (child.id,), header.version)


@dataclass(slots=True, repr=False)
class Opening:
    """Opens what is sealed in the records of one child. `unreadable` counts the records that hold
    what does not open; the first is logged."""

    child_id: str
    cipher: ChildCipher
    unreadable: int = 0

    def document(self, part: Part, stored: Document) -> Record:
        """With null for what does not open."""
        shown = {name: value for name, value in stored.items() if name not in NOT_OF_THE_CHILD}
        record: Record = {"kind": part.value, **shown}
        closed = []
        of = stored["id"] if part is Part.VIOLATION else None
        for name in (one for one in SEALED.get(part, ()) if shown.get(one) is not None):
            expected = SealedField(name, of)
            try:
                record[name] = opened(self.child_id, shown[name], self.cipher, expected)
            except (SealBroken, UnknownKek) as error:
                record[name] = None
                closed.append(name)
                self._note(part.value, error)
        return self._counted(record, closed)

    def event(self, commit: Commit, recorded: RecordedEvent) -> Record:
        """`data` is null where this release cannot read the event at all."""
        record: Record = {
            "kind": "event",
            "version": recorded.version,
            "type": recorded.type,
            "at": recorded.occurred_at,
            "recorded_at": commit.recorded_at,
            "by_role": commit.actor.role,
            "data": None,
        }
        try:
            event, broken = decode_what_opens(recorded, self.cipher)
        except UndecodableEvent as error:
            self._note(f"event {recorded.version}", error)
            return self._counted(record, ["data"])
        record |= {"type": type(event).__name__, "at": event.at, "data": fields_of(event)}
        if broken is not None:
            self._note(f"event {recorded.version}", broken)
        return self._counted(record, [] if broken is None else ["data"])

    def _counted(self, record: Record, closed: list[str]) -> Record:
        if closed:
            self.unreadable += 1
            record["unreadable"] = closed
        return record

    def _note(self, place: str, error: Exception) -> None:
        if not self.unreadable:  # a history of which nothing opens is one defect, not 100,000
            reason = str(error)
            log.error("value_not_decrypted", child_id=self.child_id, place=place, reason=reason)


def fields_of(event: ChildEvent) -> dict[str, Any]:
    """Every field of an event but the child's id, its time and who of the staff it names; personal
    ones in clear."""
    return {
        name: value.value if isinstance(value, Personal) else value
        for name, value in ((f.name, getattr(event, f.name)) for f in fields(event))
        if name not in ("child_id", "at") and name not in STAFF
    }


def line_of(record: Record) -> bytes:
    options = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(record, default=iso, option=options)
