"""What the query API answers about consents."""

from typing import TypedDict


class ConsentChange(TypedDict):
    """`change`: given or withdrawn. `purpose`, `notice_version` and `method` are None where they
    cannot be read, the last two also of a withdrawal."""

    version: int
    at: str
    change: str
    purpose: str | None
    notice_version: str | None
    method: str | None
    by_role: str


class ChildConsents(TypedDict):
    """One page, the newest first. `unreadable`: versions of changes that cannot be read whole."""

    child_id: str
    items: list[ConsentChange]
    next_cursor: str | None
    unreadable: list[int]
