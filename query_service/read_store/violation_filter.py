"""What is asked of the queue of all children's violations."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.events.child import Severity


class ViolationStatus(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"
    ALL = "all"


class ViolationOrder(StrEnum):
    """`severity`: the most severe first, and of one severity the oldest."""

    SEVERITY = "severity"
    OLDEST = "oldest"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class ViolationFilter:
    """Violations of all children, or of one, that meet every condition given, in an order."""

    status: ViolationStatus = ViolationStatus.OPEN
    severity: Severity | None = None
    assignee: str | None = None
    order: ViolationOrder = ViolationOrder.SEVERITY
    child_id: str | None = None


@dataclass(frozen=True, slots=True)
class QueueEnd:
    """The last violation of a page. Its severity and time never change, whatever happens to it."""

    severity: Severity
    at: datetime
    id: str
