"""GetChildConsents: when a parent consented to what, and when that was withdrawn.

Read from the event store: the profile keeps the latest consent to each purpose alone, and who did
it is said by commits, not by events, which is all that projections see."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, cast

import structlog
from pydantic import Field

from query_service.queries.answers import AnswerModel, Instant
from query_service.queries.consent_reads import ConsentReads
from query_service.queries.cursors import Cursors
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import Scope, VisibleChild, VisibleChildren
from query_service.read_store.port import PageEnd
from shared.event_store.envelope import Commit, RecordedEvent
from shared.events.child import (
    CONSENTING,
    ConsentMethod,
    ConsentPurpose,
    ParentalConsentGiven,
    ParentalConsentWithdrawn,
)
from shared.serialization.events import decode_what_opens
from shared.serialization.schema import UndecodableEvent

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GetChildConsents(Query):
    child_id: str
    limit: int = 50
    cursor: str | None = None


class ConsentChange(AnswerModel):
    """A consent that was given or withdrawn."""

    version: int = Field(description="Its version in the child's stream, from 1.")
    at: Instant
    change: Literal["given", "withdrawn"] = Field(description="What happened.")
    purpose: ConsentPurpose | None = Field(
        description="The purpose; null: this release cannot read it."
    )
    notice_version: str | None = Field(
        description="Version of the privacy notice that the parent was shown; null: withdrawn, or "
        "it cannot be read."
    )
    method: ConsentMethod | None = Field(
        description="How the parent's identity was verified; null: withdrawn, or this release "
        "cannot read it."
    )
    by_role: str = Field(description="Role of who did it.")


class ChildConsents(AnswerModel):
    """One page, the newest first. Also what the read models do not show yet."""

    child_id: str
    items: list[ConsentChange]
    next_cursor: str | None
    unreadable: list[int] = Field(
        description="Versions of listed changes of which something cannot be read and is null; "
        "contact an operator."
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """A consent event, and the role of who caused it."""

    event: RecordedEvent
    by_role: str


@dataclass(frozen=True, slots=True)
class GetChildConsentsHandler:
    """Never cached: it is seldom asked, and reads only the commits that it shows."""

    reads: ConsentReads
    children: VisibleChildren
    cursors: Cursors

    async def handle(self, query: GetChildConsents, scope: Scope) -> Answer:
        """Raises RequestRefused, ChildNotFound, ChildDeadLettered, StoreUnavailable."""
        end = self.cursors.read(query.cursor, query.child_id)
        child = await self.children.find(query.child_id, scope)
        before = None if end is None else int(end.id)
        commits = await self.reads.read(child.id, before, query.limit + 1)
        found = list(_newest_first(commits, before))
        page, is_last = found[: query.limit], len(found) <= query.limit
        shown = [_shown(child, one) for one in page]
        content = ChildConsents(
            child_id=child.id,
            items=[one for one, _ in shown],
            next_cursor=None if is_last else self.cursors.write(_end(page[-1].event), child.id),
            unreadable=[one.version for one, is_whole in shown if not is_whole],
        )
        return Answer(content, (child.id,))


def _end(last: RecordedEvent) -> PageEnd:
    return PageEnd(last.occurred_at, str(last.version))


def _newest_first(commits: Iterable[Commit], before: int | None) -> Iterator[Recorded]:
    """At least one of each commit, so that of `limit` + 1 commits there are enough."""
    for commit in commits:
        for event in reversed(tuple(commit.recorded_events())):
            if event.type in CONSENTING and (before is None or event.version < before):
                yield Recorded(event, commit.actor.role)


def _shown(child: VisibleChild, recorded: Recorded) -> tuple[ConsentChange, bool]:
    """With null for what cannot be read, and whether all could."""
    event, error = _read(child, recorded.event)
    given = event if isinstance(event, ParentalConsentGiven) else None
    shown = ConsentChange(
        version=recorded.event.version,
        at=recorded.event.occurred_at,
        change="given" if recorded.event.type == ParentalConsentGiven.__name__ else "withdrawn",
        purpose=None if event is None else event.purpose,
        notice_version=given.notice_version if given and error is None else None,
        method=None if given is None else given.method,
        by_role=recorded.by_role,
    )
    return shown, error is None


def _read(
    child: VisibleChild, recorded: RecordedEvent
) -> tuple[ParentalConsentGiven | ParentalConsentWithdrawn | None, Exception | None]:
    """None where this release cannot read the event; and why, also where its labels do not open."""
    error: Exception | None
    try:
        event, error = decode_what_opens(recorded, child.cipher)
    except UndecodableEvent as undecodable:
        event, error = None, undecodable
    if error is not None:
        place = f"event {recorded.version}"
        log.error("value_not_decrypted", child_id=child.id, place=place, reason=str(error))
    return cast(ParentalConsentGiven | ParentalConsentWithdrawn | None, event), error
