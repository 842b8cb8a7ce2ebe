"""GetChildrenByParent: a family at a glance."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from query_service.cache.entries import Tag, parent_tag
from query_service.queries.answers import TTL_WHILE_OPEN, AnswerModel, Instant, Minutes, StaleSince
from query_service.queries.get_child_conversations import as_of, goes_on
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import (
    ParentNotFound,
    Scope,
    Unopened,
    VisibleChild,
    VisibleChildren,
)
from query_service.read_store.port import ReadModelDatabase
from shared.clock import Clock
from shared.read_models.documents import (
    ChildStatus,
    ConversationDocument,
    EngagementLevel,
    SafetyStatus,
)

MOST_CHILDREN = 100
RECENT_CONVERSATIONS = 3


@dataclass(frozen=True, slots=True)
class GetChildrenByParent(Query):
    parent_id: str


class RecentConversation(AnswerModel):
    conversation_id: str
    started_at: Instant
    ended_at: Instant | None
    duration_minutes: Minutes
    message_count: int
    topic: str | None
    engagement_score: float
    flagged: int
    safety_violations: int


class ChildAtAGlance(AnswerModel):
    child_id: str
    name: str | None
    age: int
    status: ChildStatus
    stale_since: StaleSince
    safety_status: SafetyStatus
    safety_score: float
    open_violations_count: int
    unread_alerts: int
    engagement_level: EngagementLevel
    conversation_count: int
    last_interaction_at: Instant | None
    recent_conversations: list[RecentConversation] = Field(
        description=f"The last {RECENT_CONVERSATIONS}, the newest first."
    )


class FamilyTotals(AnswerModel):
    children: int
    conversations: int
    messages: int
    minutes: Minutes
    violations: int
    open_violations: int
    unread_alerts: int
    flagged_content: int


class Family(AnswerModel):
    parent_id: str
    totals: FamilyTotals = Field(description="Of the listed children.")
    children: list[ChildAtAGlance] = Field(
        description=f"Newest first, at most {MOST_CHILDREN}, deactivated ones included."
    )
    truncated: bool = Field(description=f"True when the parent has over {MOST_CHILDREN}.")
    unreadable: list[str] = Field(
        description="Ids of listed children whose `name` cannot be decrypted and is null; "
        "contact an operator."
    )


@dataclass(frozen=True, slots=True)
class GetChildrenByParentHandler:
    store: ReadModelDatabase
    children: VisibleChildren
    clock: Clock
    ttl: float

    def cache_key(self, query: GetChildrenByParent) -> Hashable:
        return query

    def tags(self, query: GetChildrenByParent) -> frozenset[Tag]:
        return frozenset({parent_tag(query.parent_id)})

    async def handle(self, query: GetChildrenByParent, scope: Scope) -> Answer:
        if not scope.may_see_parent(query.parent_id):
            raise ParentNotFound
        found = await self.store.children_of(query.parent_id, MOST_CHILDREN + 1)
        children = await self.children.open_all(found[:MOST_CHILDREN])
        ids = [child.id for child in children]
        found_recent = await self.store.recent_conversations(ids, RECENT_CONVERSATIONS)
        limit, now = await self.store.conversation_limit(), self.clock()
        recent = {
            child: [as_of(one, now, limit) for one in talks]
            for child, talks in found_recent.items()
        }
        unread = await self.store.unread_alerts(ids)
        unopened = Unopened()
        family = Family(
            parent_id=query.parent_id,
            totals=_totals(children, unread),
            children=[_at_a_glance(child, recent, unread, unopened) for child in children],
            truncated=len(found) > MOST_CHILDREN,
            unreadable=unopened.places,
        )
        ttl = TTL_WHILE_OPEN if any(map(goes_on, recent.values())) else self.ttl
        return Answer(family, tuple(ids), ttl=ttl)


def _totals(children: Sequence[VisibleChild], unread: Mapping[str, int]) -> FamilyTotals:
    documents = [child.document for child in children]
    return FamilyTotals(
        children=len(documents),
        conversations=sum(d["conversation_count"] for d in documents),
        messages=sum(d["total_messages"] for d in documents),
        minutes=sum(d["total_minutes"] for d in documents),
        violations=sum(d["safety_violations_count"] for d in documents),
        open_violations=sum(d["open_violations_count"] for d in documents),
        unread_alerts=sum(unread.values()),
        flagged_content=sum(d["flagged_content_count"] for d in documents),
    )


def _at_a_glance(
    child: VisibleChild,
    recent: Mapping[str, Sequence[ConversationDocument]],
    unread: Mapping[str, int],
    unopened: Unopened,
) -> ChildAtAGlance:
    document = child.document
    return ChildAtAGlance.model_validate(
        {
            **document,
            "child_id": document["_id"],
            "stale_since": child.stale_since,
            "safety_status": child.safety_status,
            "name": unopened.reveal(child, "name", place=child.id),
            "unread_alerts": unread.get(child.id, 0),
            "recent_conversations": recent[child.id],
        }
    )
