"""GetChildrenByParent: a family at a glance."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from query_service.cache.entries import Tag, parent_tag
from query_service.queries.answers import TTL_WHILE_OPEN, AnswerModel, Instant, Minutes, StaleSince
from query_service.queries.cursors import Cursors
from query_service.queries.get_child_conversations import as_of, goes_on
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import (
    ParentNotFound,
    Scope,
    Unopened,
    VisibleChild,
    VisibleChildren,
)
from query_service.read_store.family_counts import FamilyCounts
from query_service.read_store.port import ChildFilter, ReadModelDatabase
from shared.clock import Clock
from shared.read_models.documents import (
    ChildStatus,
    ConversationDocument,
    EngagementLevel,
    SafetyStatus,
)

RECENT_CONVERSATIONS = 3


@dataclass(frozen=True, slots=True)
class GetChildrenByParent(Query):
    parent_id: str
    limit: int = 20
    cursor: str | None = None


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
    """One page, the newest accounts first. `next_cursor` is null on the last page."""

    parent_id: str
    totals: FamilyTotals | None = Field(
        description="Of all children of the parent, whatever the page; on the first page only, "
        "null on those behind it."
    )
    children: list[ChildAtAGlance] = Field(
        description="The newest first, deactivated ones included."
    )
    next_cursor: str | None
    unreadable: list[str] = Field(
        description="Ids of listed children whose `name` cannot be decrypted and is null; "
        "contact an operator."
    )


@dataclass(frozen=True, slots=True)
class GetChildrenByParentHandler:
    store: ReadModelDatabase
    children: VisibleChildren
    cursors: Cursors
    clock: Clock
    ttl: float

    def cache_key(self, query: GetChildrenByParent) -> Hashable:
        return query

    def tags(self, query: GetChildrenByParent) -> frozenset[Tag]:
        return frozenset({parent_tag(query.parent_id)})

    async def handle(self, query: GetChildrenByParent, scope: Scope) -> Answer:
        if not scope.may_see_parent(query.parent_id):
            raise ParentNotFound
        after = self.cursors.read(query.cursor, query.parent_id)
        of_parent = ChildFilter(parent_ids=(query.parent_id,))
        found = await self.store.search(of_parent, after, query.limit + 1)
        page, next_cursor = self.cursors.page(found, query.limit, "created_at", query.parent_id)
        children = await self.children.open_all(page)
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
            totals=await self._totals(query, children, unread, next_cursor),
            children=[_at_a_glance(child, recent, unread, unopened) for child in children],
            next_cursor=next_cursor,
            unreadable=unopened.places,
        )
        ttl = TTL_WHILE_OPEN if any(map(goes_on, recent.values())) else self.ttl
        return Answer(family, tuple(ids), ttl=ttl)

    async def _totals(
        self,
        query: GetChildrenByParent,
        children: Sequence[VisibleChild],
        unread: Mapping[str, int],
        next_cursor: str | None,
    ) -> FamilyTotals | None:
        """Nearly every family is one page, which holds all that is to be counted. On later pages
        they are not counted again: reading all pages would take the square of their number."""
        if query.cursor is not None:
            return None
        if next_cursor is None:
            documents = [child.document for child in children]
            return _totals(FamilyCounts.of(documents, sum(unread.values())))
        return _totals(await self.store.count_family(query.parent_id))


def _totals(counts: FamilyCounts) -> FamilyTotals:
    return FamilyTotals(
        children=counts.children,
        conversations=counts.conversation_count,
        messages=counts.total_messages,
        minutes=counts.total_minutes,
        violations=counts.safety_violations_count,
        open_violations=counts.open_violations_count,
        unread_alerts=counts.unread_alerts,
        flagged_content=counts.flagged_content_count,
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
