"""GetChildConversations: a child's conversations, page by page; those that nobody ended, too."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from pydantic import Field

from query_service.queries.answers import TTL_WHILE_OPEN, AnswerModel, Instant, Minutes, StaleSince
from query_service.queries.cursors import Cursors
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import AboutOneChild, Scope, VisibleChildren
from query_service.read_store.port import ReadModelDatabase
from shared.clock import Clock
from shared.read_models.documents import ConversationDocument
from shared.read_models.formulas import conversation_engagement, minutes_between, over_at


@dataclass(frozen=True, slots=True)
class GetChildConversations(Query):
    child_id: str
    limit: int = 50
    cursor: str | None = None


class Conversation(AnswerModel):
    conversation_id: str = Field(description="The conversation.")
    started_at: Instant
    ended_at: Instant | None
    duration_minutes: Minutes
    message_count: int
    topic: str | None
    topics: list[str] = Field(description="All topics, in order of appearance.")
    engagement_score: float
    flagged: int
    safety_violations: int


class Conversations(AnswerModel):
    """One page, the newest first. `next_cursor` is null on the last page."""

    child_id: str
    version: int
    stale_since: StaleSince
    items: list[Conversation]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class GetChildConversationsHandler(AboutOneChild):
    store: ReadModelDatabase
    children: VisibleChildren
    cursors: Cursors
    clock: Clock
    ttl: float

    async def handle(self, query: GetChildConversations, scope: Scope) -> Answer:
        after = self.cursors.read(query.cursor, query.child_id)
        child = await self.children.find(query.child_id, scope)
        found = await self.store.conversations_page(query.child_id, after, query.limit + 1)
        limit = await self.store.conversation_limit()
        now = self.clock()
        page, next_cursor = self.cursors.page(found, query.limit, "started_at", query.child_id)
        shown = [as_of(one, now, limit) for one in page]
        content = Conversations(
            child_id=child.id,
            version=child.document["version"],
            stale_since=child.stale_since,
            items=[Conversation.model_validate(one) for one in shown],
            next_cursor=next_cursor,
        )
        ttl = TTL_WHILE_OPEN if goes_on(shown) else self.ttl
        return Answer(content, (child.id,), content.version, ttl=ttl)


def as_of(document: ConversationDocument, now: datetime, limit: timedelta) -> ConversationDocument:
    """One that nobody ended as lasting until `now`; ended `limit` after its start, if that is
    over."""
    if document["ended_at"] is not None:
        return document
    started_at = document["started_at"]
    over = over_at(started_at, now, limit)
    minutes = minutes_between(started_at, over)
    shown = cast(ConversationDocument, {**document})
    shown["ended_at"] = None if now - started_at < limit else over
    shown["duration_minutes"] = minutes
    shown["engagement_score"] = conversation_engagement(document["message_count"], minutes)
    return shown


def goes_on(shown: Iterable[ConversationDocument]) -> bool:
    """Whether any of them does: an answer that shows it is soon too old."""
    return any(one["ended_at"] is None for one in shown)
