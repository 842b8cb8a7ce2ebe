"""Snapshots of the release before, which forgot nothing: read, so that no long stream is folded
again, and written no more."""

from dataclasses import replace
from typing import Any

import orjson
from rpds import HashTrieMap

from command_service.aggregates.snapshot_layout import from_head
from command_service.child.state import NO_CONVERSATIONS, NO_VIOLATIONS, Child, Violation
from shared.clock import parse_iso
from shared.events.child import Severity

SCHEMA = "child/3"


def from_json(text: bytes) -> Child:
    """All that is closed, whose order is not in there, is kept until as much again was closed.
    Raises ValueError, KeyError, TypeError or AttributeError for anything else."""
    content = orjson.loads(text)
    head = from_head(text)
    started = content["open_conversations"]
    ended = ((talk, None) for talk in content["used_conversation_ids"] if talk not in started)
    still_open: dict[str, Violation] = {}
    resolved: dict[str, Violation] = {}
    for violation_id, entry in content["violations"].items():
        violation, is_resolved = _violation(entry)
        (resolved if is_resolved else still_open)[violation_id] = violation
    return Child(
        status=head.status,
        parent_id=head.parent_id,
        profile=head.profile,
        consents=head.consents,
        alert_policy=head.alert_policy,
        open_conversations=HashTrieMap((talk, parse_iso(at)) for talk, at in started.items()),
        ended_conversations=replace(NO_CONVERSATIONS, older=HashTrieMap(ended)),
        open_violations=HashTrieMap(still_open),
        resolved_violations=replace(NO_VIOLATIONS, older=HashTrieMap(resolved)),
    )


def _violation(entry: list[Any]) -> tuple[Violation, bool]:
    violation_type, severity, is_resolved, acknowledged = entry
    return Violation(violation_type, Severity(severity), acknowledged), is_resolved
