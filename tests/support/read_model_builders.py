"""Documents of the read models for tests: plausible by default, any field can be given."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any, cast

import orjson

from shared.event_store.envelope import event_id
from shared.events.personal import IS_SEALED, fields_marked
from shared.keyring.keyring import ChildCipher, field_place
from shared.read_models.documents import (
    ActivityDocument,
    AlertDocument,
    ChildDocument,
    ConversationDocument,
    SafetyDocument,
    SystemDocument,
    ViolationDocument,
    ViolationEntry,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def sealed(
    cipher: ChildCipher,
    child_id: str,
    field: str,
    value: Any,
    version: int = 1,
    of: str | None = None,
) -> str:
    """`Personal.sealed` of a value that the event at `version` carried; `of`: a violation's id."""
    place = field_place(event_id(child_id, version), field, of)
    return f"{version}.{field}.{cipher.seal(orjson.dumps(value), place)}"


def child_document(child_id: str, **fields: Any) -> ChildDocument:
    """Personal fields are given sealed."""
    document: dict[str, Any] = {
        "_id": child_id,
        "parent_id": "parent-1",
        **dict.fromkeys(fields_marked(ChildDocument, IS_SEALED)),
        "name_tokens": [],
        "age": 7,
        "status": "active",
        "created_at": NOON,
        "updated_at": NOON,
        "version": 1,
        "profile_completeness": 60.0,
        "conversation_count": 0,
        "total_messages": 0,
        "total_minutes": 0.0,
        "last_interaction_at": None,
        "engagement_level": "new",
        "learning_metrics": {},
        "flagged_content_count": 0,
        "safety_violations_count": 0,
        "open_violations_count": 0,
        "penalty_points": 0.0,
        "safety_score": 100.0,
        "safety_status": "excellent",
        "last_safety_check": None,
        "violation_categories": {},
        "consents": {},
    }
    return cast(ChildDocument, document | fields)


def conversation_document(
    child_id: str, conversation_id: str, **fields: Any
) -> ConversationDocument:
    document: dict[str, Any] = {
        "_id": f"{child_id}/{conversation_id}",
        "child_id": child_id,
        "conversation_id": conversation_id,
        "started_at": NOON,
        "ended_at": None,
        "duration_minutes": 0.0,
        "message_count": 0,
        "topic": None,
        "topics": [],
        "engagement_score": 0.0,
        "flagged": 0,
        "safety_violations": 0,
    }
    return cast(ConversationDocument, document | fields)


def violation(violation_id: str, **fields: Any) -> ViolationEntry:
    entry: dict[str, Any] = {
        "id": violation_id,
        "type": "bullying",
        "severity": "low",
        "at": NOON,
        "conversation_id": None,
        "details": None,
        "resolved_at": None,
        "outcome": None,
        "alerted": None,
        "acknowledged_at": None,
    }
    return cast(ViolationEntry, entry | fields)


def violation_document(child_id: str, violation_id: str, **fields: Any) -> ViolationDocument:
    entry: dict[str, Any] = {**violation(violation_id, **fields)}
    ids = {"_id": f"{child_id}/{violation_id}", "child_id": child_id}
    return cast(ViolationDocument, ids | entry)


def safety_counters(child_id: str, *violations: ViolationEntry, **fields: Any) -> SafetyDocument:
    """The safety document as projections make it of these, each a document of its own."""
    document: dict[str, Any] = {**safety_document(child_id, *violations)}
    del document["violations"]
    severe = [one for one in violations if one["severity"] in ("high", "critical")]
    document |= {
        "violations_by_severity": dict(Counter(one["severity"] for one in violations)),
        "violations_by_category": dict(Counter(one["type"] for one in violations)),
        "high_severity_violations": len(severe),
        "told_late": sum(1 for one in severe if one.get("alerted") != "threshold"),
    }
    return cast(SafetyDocument, document | fields)


def safety_document(child_id: str, *violations: ViolationEntry, **fields: Any) -> SafetyDocument:
    """As projections before 7 made it, with a list of all violations."""
    document: dict[str, Any] = {
        "_id": child_id,
        "alert_policy": {
            "threshold": "high",
            "count": 3,
            "window_hours": 24,
            "channels": ["in_app"],
        },
        "total_violations": len(violations),
        "violations_by_severity": {},
        "violations_by_category": {},
        "high_severity_violations": 0,
        "last_violation_at": violations[-1]["at"] if violations else None,
        "violations": list(violations),
        "counting": [],
        "parent_notifications_sent": 0,
    }
    return cast(SafetyDocument, document | fields)


def activity_document(child_id: str, day: str, **fields: Any) -> ActivityDocument:
    document: dict[str, Any] = {
        "_id": f"{child_id}@{day}",
        "child_id": child_id,
        "day": day,
        "conversations": 0,
        "messages": 0,
        "minutes": 0.0,
        "topics": {},
        "flagged": 0,
        "violations": 0,
    }
    return cast(ActivityDocument, document | fields)


def alert_document(alert_id: str, **fields: Any) -> AlertDocument:
    document: dict[str, Any] = {
        "_id": alert_id,
        "child_id": "child-1",
        "parent_id": "parent-1",
        "rule": "threshold",
        "event_id": "child-1@2",
        "violation_id": "violation-1",
        "violation_type": "bullying",
        "severity": "high",
        "channels": ["in_app"],
        "raised_at": NOON,
        "acknowledged_at": None,
        "delivered": {},
        "rebuilt": False,
    }
    return cast(AlertDocument, document | fields)


def system_document(shard: str, **counters: int) -> SystemDocument:
    return {"_id": shard, "counters": counters}
