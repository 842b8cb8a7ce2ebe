"""The JSON of a folded child in a snapshot. Change SCHEMA with it: old snapshots are then ignored.

Personal values stand there in plaintext: the whole text is sealed before it is stored.
"""

from dataclasses import fields
from typing import Any

import orjson
from rpds import HashTrieMap, HashTrieSet

from command_service.domain.child.state import (
    AccountStatus,
    Child,
    GivenConsent,
    Profile,
    Violation,
)
from shared.clock import iso, parse_iso
from shared.events.child import AlertChannel, AlertPolicy, ConsentMethod, ConsentPurpose, Severity
from shared.personal import Personal

SCHEMA = "child/3"


def to_json(child: Child) -> bytes:
    """The same text for the same child, whatever the order in which it came about."""
    policy = child.alert_policy
    return orjson.dumps(
        {
            "status": child.status,
            "parent_id": child.parent_id,
            "profile": {
                field.name: _plain(getattr(child.profile, field.name)) for field in fields(Profile)
            },
            "open_conversations": {
                conversation_id: iso(started_at)
                for conversation_id, started_at in sorted(child.open_conversations.items())
            },
            "used_conversation_ids": sorted(child.used_conversation_ids),
            "violations": {
                violation_id: [each.violation_type, each.severity, each.resolved, each.acknowledged]
                for violation_id, each in sorted(child.violations.items(), key=_name)
            },
            "consents": {
                purpose.value: [given.notice_version, given.method]
                for purpose, given in sorted(child.consents.items(), key=_name)
            },
            "alert_policy": [policy.threshold, policy.count, policy.window_hours, policy.channels],
        }
    )


def from_json(text: bytes) -> Child:
    """Raises ValueError, KeyError, TypeError or AttributeError for anything else than `to_json`."""
    content = orjson.loads(text)
    threshold, count, window_hours, channels = content["alert_policy"]
    return Child(
        status=AccountStatus(content["status"]),
        parent_id=content["parent_id"],
        profile=_profile(content["profile"]),
        open_conversations=HashTrieMap(
            (conversation_id, parse_iso(started_at))
            for conversation_id, started_at in content["open_conversations"].items()
        ),
        used_conversation_ids=HashTrieSet(content["used_conversation_ids"]),
        violations=HashTrieMap(
            (violation_id, Violation(violation_type, Severity(severity), *marks))
            for violation_id, (violation_type, severity, *marks) in content["violations"].items()
        ),
        consents=HashTrieMap(
            (ConsentPurpose(purpose), GivenConsent(notice_version, ConsentMethod(method)))
            for purpose, (notice_version, method) in content["consents"].items()
        ),
        alert_policy=AlertPolicy(
            Severity(threshold), count, window_hours, tuple(map(AlertChannel, channels))
        ),
    )


def _profile(content: dict[str, Any]) -> Profile:
    age = content.pop("age")
    personal = {name: None if value is None else Personal(value) for name, value in content.items()}
    return Profile(age=age, **personal)


def _name(entry: tuple[str, Any]) -> str:
    return entry[0]


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Personal) else value
