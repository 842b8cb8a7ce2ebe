"""What a caller may see. Part of every cache key, and a condition of every search."""

from dataclasses import dataclass

from shared.auth.principal import Principal, Role

STAFF = frozenset({Role.SAFETY_OFFICER, Role.ADMIN})
"""May see every child."""

FAMILY = STAFF | {Role.PARENT}
AROUND_THE_CHILD = FAMILY | {Role.DEVICE}
NUMBERS = STAFF | {Role.ANALYST}
"""The roles that may ask about a family, about one child, for numbers without persons."""


class Forbidden(Exception):
    """The caller's role may not do this, whoever it concerns."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The view of one person or device. Two people never share one, not even with equal rights:
    what is cached for one is never served to another."""

    role: Role
    subject: str

    @staticmethod
    def of(principal: Principal) -> "Scope":
        return Scope(principal.role, principal.subject)

    @property
    def parent_id(self) -> str | None:
        """Only this parent's children are to be seen; None: no such limit."""
        return self.subject if self.role is Role.PARENT else None

    @property
    def device_id(self) -> str | None:
        """Only the child that has this bear is to be seen; None: no such limit."""
        return self.subject if self.role is Role.DEVICE else None

    def may_see_parent(self, parent_id: str) -> bool:
        return self.role in STAFF or self.parent_id == parent_id
