"""Documents of the read models for tests: plausible by default, any field can be given."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any, cast, get_args, get_origin, get_type_hints

import orjson

from shared.event_store.envelope import event_id
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


def _document(kind: type[Any], fields: dict[str, Any]) -> Any:
    """One of this kind with `fields`; of what else it must have zeros, nothing, or NOON."""
    hints = get_type_hints(kind)
    others = kind.__required_keys__ - fields.keys()
    return {name: _nothing(hints[name]) for name in hints if name in others} | fields


def _nothing(hint: Any) -> Any:
    if type(None) in get_args(hint):
        return None
    return NOON if hint is datetime else (get_origin(hint) or hint)()


def child_document(child_id: str, **fields: Any) -> ChildDocument:
    """Personal fields are given sealed."""
    usual: dict[str, Any] = {"_id": child_id, "parent_id": "parent-1", "age": 7, "version": 1}
    usual |= {"status": "active", "profile_completeness": 60.0, "engagement_level": "new"}
    usual |= {"safety_score": 100.0, "safety_status": "excellent"}
    return cast(ChildDocument, _document(ChildDocument, usual | fields))


def conversation_document(
    child_id: str, conversation_id: str, **fields: Any
) -> ConversationDocument:
    ids = {"_id": f"{child_id}/{conversation_id}", "child_id": child_id}
    ids["conversation_id"] = conversation_id
    return cast(ConversationDocument, _document(ConversationDocument, ids | fields))


def violation(violation_id: str, **fields: Any) -> ViolationEntry:
    usual: dict[str, Any] = {"id": violation_id, "type": "bullying", "severity": "low"}
    usual |= dict.fromkeys(("alerted", "acknowledged_at"))
    return cast(ViolationEntry, _document(ViolationEntry, usual | fields))


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
    policy = {"threshold": "high", "count": 3, "window_hours": 24, "channels": ["in_app"]}
    usual: dict[str, Any] = {
        "_id": child_id,
        "alert_policy": policy,
        "total_violations": len(violations),
        "last_violation_at": violations[-1]["at"] if violations else None,
        "violations": list(violations),
    }
    return cast(SafetyDocument, _document(SafetyDocument, usual | fields))


def activity_document(child_id: str, day: str, **fields: Any) -> ActivityDocument:
    ids = {"_id": f"{child_id}@{day}", "child_id": child_id, "day": day}
    return cast(ActivityDocument, _document(ActivityDocument, ids | fields))


def alert_document(alert_id: str, **fields: Any) -> AlertDocument:
    usual: dict[str, Any] = {"_id": alert_id, "child_id": "child-1", "parent_id": "parent-1"}
    usual |= {"event_id": "child-1@2", "violation_id": "violation-1", "rule": "threshold"}
    usual |= {"violation_type": "bullying", "severity": "high", "channels": ["in_app"]}
    usual |= {"acknowledged_at": None, "rebuilt": False}
    return cast(AlertDocument, _document(AlertDocument, usual | fields))


def system_document(shard: str, **counters: int) -> SystemDocument:
    return {"_id": shard, "counters": counters}
