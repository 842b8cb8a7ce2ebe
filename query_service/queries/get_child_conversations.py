"""GetChildConversations: a child's conversations, page by page."""

from collections.abc import Hashable
from dataclasses import dataclass

from pydantic import Field

from query_service.cache.tags import Tag, child_tag
from query_service.queries.answers import (
    TTL_WHILE_OPEN,
    AnswerModel,
    Instant,
    Minutes,
    StaleSince,
)
from query_service.queries.cursors import Cursors
from query_service.queries.shown_conversations import as_of, goes_on
from query_service.queries.visible_children import VisibleChildren
from query_service.query_bus import Answer, Query
from query_service.read_store.port import Place, ReadModelDatabase
from query_service.scope import Scope
from shared.clock import Clock
from shared.read_models.documents import ConversationDocument


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
    topics: list[str] = Field(description="All of them, in the order in which they came up.")
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


class GetChildConversationsHandler:
    def __init__(
        self,
        store: ReadModelDatabase,
        children: VisibleChildren,
        cursors: Cursors,
        clock: Clock,
        ttl: float,
    ) -> None:
        self._store = store
        self._children = children
        self._cursors = cursors
        self._clock = clock
        self.ttl = ttl

    def cache_key(self, query: GetChildConversations) -> Hashable:
        return query

    def tags(self, query: GetChildConversations) -> frozenset[Tag]:
        return frozenset({child_tag(query.child_id)})

    async def handle(self, query: GetChildConversations, scope: Scope) -> Answer:
        after = self._cursors.read(query.cursor, query.child_id)
        child = await self._children.find(query.child_id, scope)
        found = await self._store.conversations_page(query.child_id, after, query.limit + 1)
        limit = await self._store.conversation_limit()
        now = self._clock()
        page = [as_of(one, now, limit) for one in found[: query.limit]]
        last = _place(page[-1]) if len(found) > query.limit else None
        content = Conversations(
            child_id=child.id,
            version=child.document["version"],
            stale_since=child.stale_since,
            items=[Conversation.model_validate(one) for one in page],
            next_cursor=self._cursors.write(last, query.child_id) if last else None,
        )
        ttl = TTL_WHILE_OPEN if goes_on(page) else self.ttl
        return Answer(content, (child.id,), content.version, ttl=ttl)


def _place(document: ConversationDocument) -> Place:
    return Place(document["started_at"], document["_id"])
