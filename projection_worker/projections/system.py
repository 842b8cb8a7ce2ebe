"""Read model `system`: what each child adds to the counters of the whole system."""

from collections import Counter
from collections.abc import Mapping

from shared.read_models.documents import ChildDocument, ChildStatus


def contribution(document: ChildDocument | None) -> Counter[str]:
    """What one child counts for. The system's counters are the sum over all children."""
    if document is None:
        return Counter()
    status = document["status"]
    counts = Counter({f"children_{status}": 1})
    if status == ChildStatus.ERASED:
        return counts
    counts["conversations"] = document["conversation_count"]
    counts["messages"] = document["total_messages"]
    counts["violations"] = document["safety_violations_count"]
    counts["open_violations"] = document["open_violations_count"]
    counts["flagged"] = document["flagged_content_count"]
    if status == ChildStatus.ACTIVE:
        counts[f"safety_{document['safety_status']}"] = 1
        counts[f"engagement_{document['engagement_level']}"] = 1
    return counts


def change(before: ChildDocument | None, after: ChildDocument) -> Mapping[str, int]:
    """How the counters move when a child's document goes from `before` to `after`."""
    moved = contribution(after)
    moved.subtract(contribution(before))
    return {name: count for name, count in moved.items() if count}
