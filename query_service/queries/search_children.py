"""SearchChildren: children by words of their name and by what is known of them."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from query_service.cache.entries import Tag, parent_tag
from query_service.queries.answers import AnswerModel, Instant, StaleSince
from query_service.queries.cursors import Cursors
from query_service.queries.query import Answer, Query, RequestRefused
from query_service.queries.visible_children import Scope, Unopened, VisibleChild, VisibleChildren
from query_service.read_store.port import ChildFilter, ReadModelDatabase
from shared.keyring.search_index import SearchIndex, is_of_no_spaces
from shared.read_models.documents import ChildStatus, EngagementLevel, SafetyStatus

LEAST_CHARACTERS = 2
"""Of a name, and so of what is asked for; one where a script writes words without spaces."""

VisibleStatus = Literal[ChildStatus.ACTIVE, ChildStatus.DEACTIVATED]


@dataclass(frozen=True, slots=True)
class SearchChildren(Query):
    """Every condition that is given must hold. `name`: a name, or the
    beginnings of its words in any order, as shared/keyring/search_index.py compares them."""

    name: str | None = None
    age_min: int | None = None
    age_max: int | None = None
    parent_id: str | None = None
    safety_status: SafetyStatus | None = None
    engagement_level: EngagementLevel | None = None
    status: VisibleStatus | None = None
    violations: Literal["open"] | None = None
    limit: int = 20
    cursor: str | None = None


class FoundChild(AnswerModel):
    child_id: str
    parent_id: str
    name: str | None
    age: int
    status: ChildStatus
    stale_since: StaleSince
    safety_status: SafetyStatus
    safety_score: float
    engagement_level: EngagementLevel
    last_interaction_at: Instant | None
    created_at: Instant
    updated_at: Instant


class FoundChildren(AnswerModel):
    """One page, the newest accounts first. `next_cursor` is null on the last page."""

    items: list[FoundChild]
    next_cursor: str | None
    unreadable: list[str] = Field(
        description="Ids of listed children whose `name` cannot be decrypted and is null; "
        "contact an operator."
    )


@dataclass(frozen=True, slots=True)
class SearchChildrenHandler:
    """New matches appear when the cached page has lived its TTL or the asker sends a consistency
    token; a child on the page that changes drops the page at once."""

    store: ReadModelDatabase
    children: VisibleChildren
    index: SearchIndex
    cursors: Cursors
    ttl: float

    def cache_key(self, query: SearchChildren) -> Hashable:
        return query

    def tags(self, query: SearchChildren) -> frozenset[Tag]:
        return _parents(query.parent_id)

    async def handle(self, query: SearchChildren, scope: Scope) -> Answer:
        wanted = self._filter(query, scope)
        after = self.cursors.read(query.cursor, wanted)
        found = await self.store.search(wanted, after, query.limit + 1)
        page, next_cursor = self.cursors.page(found, query.limit, "created_at", wanted)
        children = await self.children.open_all(page)
        unopened = Unopened()
        content = FoundChildren(
            items=[_found(child, unopened) for child in children],
            next_cursor=next_cursor,
            unreadable=unopened.places,
        )
        on_page = tuple(child.id for child in children)
        return Answer(content, on_page, mentions=_parents(scope.parent_id))

    def _filter(self, query: SearchChildren, scope: Scope) -> ChildFilter:
        oldest = query.age_max
        if query.age_min is not None and oldest is not None and query.age_min > oldest:
            raise RequestRefused("age_max", "must not be below age_min", ">= age_min")
        parents = (scope.parent_id, query.parent_id)
        return ChildFilter(
            name_tokens=self._name_tokens(query.name),
            age_min=query.age_min,
            age_max=query.age_max,
            parent_ids=tuple(parent_id for parent_id in parents if parent_id is not None),
            safety_status=query.safety_status,
            engagement_level=query.engagement_level,
            status=query.status,
            has_open_violations=query.violations == "open",
        )

    def _name_tokens(self, name: str | None) -> tuple[str, ...]:
        if name is None:
            return ()
        tokens = self.index.tokens_to_find(name)
        if not tokens or (len(name.strip()) < LEAST_CHARACTERS and not is_of_no_spaces(name)):
            limit = f"{LEAST_CHARACTERS} or more characters"
            raise RequestRefused("name", f"must have {limit}", limit)
        return tokens


def _parents(parent_id: str | None) -> frozenset[Tag]:
    return frozenset() if parent_id is None else frozenset({parent_tag(parent_id)})


def _found(child: VisibleChild, unopened: Unopened) -> FoundChild:
    document = child.document
    return FoundChild.model_validate(
        {
            **document,
            "child_id": document["_id"],
            "stale_since": child.stale_since,
            "safety_status": child.safety_status,
            "name": unopened.reveal(child, "name", place=child.id),
        }
    )
