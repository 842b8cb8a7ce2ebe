"""What a caller may see: how much of the system, and children with their sealed values open."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, cast

import structlog

from query_service.cache.entries import Tag, child_tag
from query_service.read_store.port import ReadModelDatabase
from shared.auth.access import ACCESS, Principal, Relation, Role, Rule, refusal_of, rule_of
from shared.events.personal import IS_SEALED, fields_marked
from shared.keyring.keyring import ChildCipher, ClosedCipher, Keyring, SealBroken, UnknownKek
from shared.read_models.documents import ChildDocument, ChildStatus, SafetyStatus
from shared.serialization.schema import SealedField, open_sealed

log = structlog.get_logger(__name__)


class Forbidden(Exception):
    """The caller's role may not do this, whoever it concerns."""


class ChildNotFound(Exception):
    """There is no such child, it is erased, or it is not the caller's: never said which."""


class ChildDeadLettered(Exception):
    """The child's first event could not be projected, so that there is nothing to show of it. Said
    to staff alone: whose child it is, is not known either."""


class ParentNotFound(Exception):
    """The caller may not see this parent."""


class Scope(NamedTuple):
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


OWN_FIELDS = fields_marked(ChildDocument, IS_SEALED)
"""The sealed fields of a child's document."""


def opened(child_id: str, sealed: str, cipher: ChildCipher, expected: SealedField) -> Any:
    """The plain value of what stands sealed in `expected`. Raises what is wrong with the key, or
    SealBroken, also for a value that was moved there."""
    if isinstance(cipher, ClosedCipher):
        raise cipher.error
    return open_sealed(child_id, sealed, cipher, expected)


@dataclass(frozen=True, slots=True, repr=False)
class VisibleChild:
    """`stale_since`: the child is dead-lettered, so that its documents miss what happened later."""

    document: ChildDocument
    cipher: ChildCipher
    stale_since: datetime | None = None

    @property
    def id(self) -> str:
        return self.document["_id"]

    @property
    def safety_status(self) -> SafetyStatus:
        """By the score; where the documents miss something, never that all is well."""
        if self.stale_since is not None:
            return SafetyStatus.NEEDS_ATTENTION
        return SafetyStatus(self.document["safety_status"])

    def reveal(self, name: str) -> Any:
        """The plain value of one of OWN_FIELDS. Raises as `open` does, and KeyError for another."""
        return self.open(self.sealed(name), SealedField(name, None))

    def sealed(self, name: str) -> str | None:
        """None also where the document is older than the field. Raises KeyError for one that is
        none of OWN_FIELDS."""
        if name not in OWN_FIELDS:
            raise KeyError(name)
        return cast(str | None, self.document.get(name))

    def open(self, sealed: str | None, expected: SealedField) -> Any:
        """The plain value of what stands sealed in `expected`. Raises what is wrong with the key,
        or SealBroken, also for a value that was moved there."""
        return None if sealed is None else opened(self.id, sealed, self.cipher, expected)


@dataclass(slots=True)
class Unopened:
    """The places of an answer whose values do not open: null stands there, all else is shown."""

    places: list[str] = field(default_factory=list)

    def reveal(self, child: VisibleChild, name: str, place: str) -> Any:
        """As `child.reveal`; None, noted under `place`, for what does not open."""
        return self.open(child, child.sealed(name), SealedField(name, None), place)

    def open(
        self, child: VisibleChild, sealed: str | None, expected: SealedField, place: str
    ) -> Any:
        """As `child.open`; None, noted under `place`, for what does not open."""
        try:
            return child.open(sealed, expected)
        except (SealBroken, UnknownKek) as error:
            self._note(child.id, place, str(error))
            return None

    def _note(self, child_id: str, place: str, reason: str) -> None:
        log.error("value_not_decrypted", child_id=child_id, place=place, reason=reason)
        self.places.append(place)


@dataclass(frozen=True, slots=True)
class VisibleChildren:
    store: ReadModelDatabase
    keyring: Keyring

    async def find(self, child_id: str, scope: Scope) -> VisibleChild:
        """Raises ChildNotFound, also when the child's key is destroyed, or ChildDeadLettered. One
        whose key does not open is found: not all that is shown of it is sealed."""
        document = await self.store.child(child_id, scope.parent_id)
        if document is None:
            raise await self._missing(child_id, scope)
        cipher = (await self.keyring.ciphers([child_id])).get(child_id)
        if cipher is None:
            raise ChildNotFound
        # asked behind the document: what was dead-lettered meanwhile is shown
        stale = await self.store.stale_since([child_id])
        child = VisibleChild(document, cipher, stale.get(child_id))
        if scope.device_id is not None and not _has_bear(child, scope.device_id):
            raise ChildNotFound
        return child

    async def open_all(self, documents: Iterable[ChildDocument]) -> list[VisibleChild]:
        """In the same order, without those whose key is destroyed; with those whose key does not
        open."""
        by_id = {document["_id"]: document for document in documents}
        ciphers = await self.keyring.ciphers(list(by_id))
        stale = await self.store.stale_since(list(by_id)) if by_id else {}
        return [
            VisibleChild(document, ciphers[child_id], stale.get(child_id))
            for child_id, document in by_id.items()
            if child_id in ciphers
        ]

    async def _missing(self, child_id: str, scope: Scope) -> Exception:
        is_staff = scope.parent_id is None and scope.device_id is None
        if not is_staff or child_id not in await self.store.stale_since([child_id]):
            return ChildNotFound()
        is_erased = await self.store.parent_of(child_id) is not None
        return ChildNotFound() if is_erased else ChildDeadLettered()


def _has_bear(child: VisibleChild, device_id: str) -> bool:
    """Decided only here, for the device id is sealed. Of a deactivated child no bear is known: it
    may be another family's by now."""
    active = child.document["status"] == ChildStatus.ACTIVE
    return active and child.reveal("device_id") == device_id


class OfOneChild(Protocol):
    @property
    def child_id(self) -> str: ...


class AboutOneChild:
    """Of a handler: what it answers is dropped when something happens to the query's child."""

    def cache_key(self, query: Hashable) -> Hashable:
        return query

    def tags(self, query: OfOneChild) -> frozenset[Tag]:
        return frozenset({child_tag(query.child_id)})
