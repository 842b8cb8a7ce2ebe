"""Snapshots of the two releases before, in which no violation says how it was resolved: read of a
child of which none was, so that no long stream is folded again, and written no more."""

from dataclasses import replace
from typing import Any

import orjson
from rpds import HashTrieMap

from command_service.aggregates.snapshot_layout import OPEN_VIOLATIONS, RESOLVED, from_head
from command_service.aggregates.snapshot_layout import with_line as with_newer_line
from command_service.child.state import NO_CONVERSATIONS, Child, Violation
from shared.clock import parse_iso
from shared.events.child import Severity

IN_ONE_TEXT = "child/3"
IN_LINES = "child/4"
SCHEMAS = (IN_ONE_TEXT, IN_LINES)

NO_OUTCOME = "a violation was resolved, and it is not said how: the child is to be folded again"


def from_json(text: bytes) -> Child:
    """Of IN_ONE_TEXT, which forgot nothing: all conversations that ended, whose order is not in
    there, are kept until as many again have ended. Raises ValueError, KeyError, TypeError or
    AttributeError for anything else."""
    content = orjson.loads(text)
    head = from_head(text)
    started = content["open_conversations"]
    ended = ((talk, None) for talk in content["used_conversation_ids"] if talk not in started)
    still_open = (_violation(one, entry) for one, entry in content["violations"].items())
    return Child(
        status=head.status,
        parent_id=head.parent_id,
        profile=head.profile,
        consents=head.consents,
        alert_policy=head.alert_policy,
        open_conversations=HashTrieMap((talk, parse_iso(at)) for talk, at in started.items()),
        ended_conversations=replace(NO_CONVERSATIONS, older=HashTrieMap(ended)),
        open_violations=HashTrieMap(still_open),
    )


def _violation(violation_id: str, entry: list[Any]) -> tuple[str, Violation]:
    violation_type, severity, is_resolved, acknowledged = entry
    if is_resolved:
        raise ValueError(NO_OUTCOME)
    return violation_id, Violation(violation_type, Severity(severity), acknowledged)


def with_line(child: Child, line: bytes) -> Child:
    """`child` with the ids of a line of IN_LINES. Raises ValueError or TypeError for any other."""
    kind, entries = orjson.loads(line)
    if kind in RESOLVED:
        raise ValueError(NO_OUTCOME)
    if kind == OPEN_VIOLATIONS:
        line = orjson.dumps([kind, [[*entry, None, None] for entry in entries]])
    return with_newer_line(child, line)
