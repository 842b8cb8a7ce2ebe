"""A query, who asks it, what answers it, and why there may be no answer."""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import BaseModel

from query_service.cache.entries import Tag
from shared.auth.access import ACCESS, Principal, Relation, Role, Rule, refusal_of, rule_of


@dataclass(frozen=True, slots=True)
class Query:
    """A question. Subclasses are frozen dataclasses of plain, hashable values."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a caller may see: part of every cache key, and a condition of every search.

    The view of one person or device. Two people never share one, not even with equal rights:
    what is cached for one is never served to another."""

    role: Role
    subject: str
    relation: Relation

    @staticmethod
    def of(principal: Principal, operation: str, access: Mapping[str, Rule] = ACCESS) -> "Scope":
        """Raises Forbidden where the caller's role may not do the operation at all,
        UnlistedOperation where nobody said who may."""
        relation = rule_of(operation, access).of(principal.role)
        if relation is Relation.NONE:
            raise Forbidden(refusal_of(principal.role, operation))
        return Scope(principal.role, principal.subject, relation)

    @property
    def parent_id(self) -> str | None:
        """Only this parent's children are to be seen; None: no such limit."""
        return self.subject if self._of_persons() is Relation.OWN_FAMILY else None

    @property
    def device_id(self) -> str | None:
        """Only the child that has this bear is to be seen; None: no such limit."""
        return self.subject if self._of_persons() is Relation.OWN_BEAR else None

    def may_see_parent(self, parent_id: str) -> bool:
        relation = self._of_persons()
        return relation is Relation.ALL or (
            relation is Relation.OWN_FAMILY and self.subject == parent_id
        )

    def _of_persons(self) -> Relation:
        """Raises Forbidden for who may see numbers only: no limit is not what that means."""
        if self.relation in (Relation.NUMBERS, Relation.NONE):
            raise Forbidden(f"the role {self.role.value} may see numbers only")
        return self.relation


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler found. `children`: whose data it holds, for the audit trail and for the cache;
    no default, so that no handler can forget them. `version` is the child's, where the answer is
    about one child; `mentions` are tags that only the answer reveals: it is dropped when they
    change, too. `ttl`: seconds that it is kept at most, where it grows old sooner than others of
    its handler."""

    content: BaseModel
    children: tuple[str, ...]
    version: int | None = None
    mentions: frozenset[Tag] = frozenset()
    ttl: float = math.inf


Q_contra = TypeVar("Q_contra", bound=Query, contravariant=True)


class QueryHandler(Protocol[Q_contra]):
    """Answers one kind of query, to the roles that shared/auth/access.py names."""

    async def handle(self, query: Q_contra, scope: Scope, /) -> Answer:
        """Raises the errors below."""


class CachedQueryHandler(QueryHandler[Q_contra], Protocol[Q_contra]):
    """One whose answers are kept for `ttl` seconds."""

    @property
    def ttl(self) -> float: ...

    def cache_key(self, query: Q_contra, /) -> Hashable:
        """What distinguishes this answer from others of the same query; the bus adds who asks."""

    def tags(self, query: Q_contra, /) -> frozenset[Tag]:
        """The children and parents whose changes make the answer stale."""


class Forbidden(Exception):
    """The caller's role may not do this, whoever it concerns."""


class ChildNotFound(Exception):
    """There is no such child, it is erased, or it is not the caller's: never said which."""


class ChildDeadLettered(Exception):
    """The child's first event could not be projected, so that there is nothing to show of it. Said
    to staff alone: whose child it is, is not known either."""


class ParentNotFound(Exception):
    """The caller may not see this parent."""


class RequestRefused(Exception):
    """A parameter breaks a rule that its type cannot express. Never carries its value."""

    def __init__(self, field: str, message: str, limit: str | None = None) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
        self.limit = limit
