"""What a caller may see. Part of every cache key, and a condition of every search."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.auth.access import ACCESS, Relation, Rule, refusal_of, rule_of
from shared.auth.principal import Principal, Role


class Forbidden(Exception):
    """The caller's role may not do this, whoever it concerns."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The view of one person or device. Two people never share one, not even with equal rights:
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
