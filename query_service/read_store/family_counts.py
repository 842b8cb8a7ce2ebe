"""What is counted over all children of a parent."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.read_models.documents import ChildDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyCounts:
    """The sums over all children of a parent that may be seen, under the names that the fields
    have in their documents; and their unread alerts."""

    children: int = 0
    conversation_count: int = 0
    total_messages: int = 0
    total_minutes: float = 0.0
    safety_violations_count: int = 0
    open_violations_count: int = 0
    flagged_content_count: int = 0
    unread_alerts: int = 0

    @staticmethod
    def of(children: Sequence[ChildDocument], unread_alerts: int) -> "FamilyCounts":
        return FamilyCounts(
            children=len(children),
            conversation_count=sum(one["conversation_count"] for one in children),
            total_messages=sum(one["total_messages"] for one in children),
            total_minutes=sum(one["total_minutes"] for one in children),
            safety_violations_count=sum(one["safety_violations_count"] for one in children),
            open_violations_count=sum(one["open_violations_count"] for one in children),
            flagged_content_count=sum(one["flagged_content_count"] for one in children),
            unread_alerts=unread_alerts,
        )
