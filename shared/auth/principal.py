"""Who is asking. A principal travels with every command and query."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    PARENT = "parent"
    DEVICE = "device"
    SAFETY_OFFICER = "safety_officer"
    ANALYST = "analyst"
    ADMIN = "admin"


UNNAMED_BEAR = "bear"


@dataclass(frozen=True, slots=True)
class Principal:
    """The subject and role of a verified token. For a parent the subject is the parent id, for a
    device the bear's device id. Whose child it is comes from the data, never from the token.
    `alias`: a bear's other name, see shared/auth/aliases.py."""

    subject: str
    role: Role
    alias: str = UNNAMED_BEAR

    @property
    def on_record(self) -> str:
        """The subject as whatever is kept may name it: a bear's id is its child's own."""
        return self.alias if self.role is Role.DEVICE else self.subject
