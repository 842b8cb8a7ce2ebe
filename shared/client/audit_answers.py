"""What the query API answers about the audit trail."""

from typing import Any, TypedDict


class ChildAuditRecords(TypedDict):
    """One page, the newest first. `items`: each with `at`, `subject`, `role`, `operation`,
    `outcome` and `address`, which is None for the family. `findings`: what was altered in the part
    of the trail that was read."""

    child_id: str
    items: list[dict[str, Any]]
    next_cursor: str | None
    findings: list[str]
