"""The text of a folded child in a snapshot. Change SCHEMA with it: others are then ignored.

JSON in lines: a head with what every child has, then the ids that it keeps, some hundreds in each
line, so that a large child is written and read with pauses. Personal values stand there in
plaintext: all of it is sealed before it is stored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import islice
from typing import Any, TypeVar

import orjson
from rpds import HashTrieMap

from command_service.child.account import AccountStatus, GivenConsent, Profile
from command_service.child.state import Child, Newest, Violation
from shared.clock import iso, parse_iso
from shared.events.child import (
    AlertChannel,
    AlertPolicy,
    ConsentMethod,
    ConsentPurpose,
    Outcome,
    Severity,
)
from shared.events.personal import Personal

SCHEMA = "child/5"

IDS_A_LINE = 500
"""Written, or read, in about a millisecond."""

OPEN_CONVERSATIONS, OPEN_VIOLATIONS = "open_conversations", "open_violations"
ENDED = ("ended_conversations", "ended_conversations_before")
RESOLVED = ("resolved_violations", "resolved_violations_before")
"""The recent ones and the older ones of each."""

V = TypeVar("V")

Entry = list[Any]


def to_lines(child: Child) -> Iterator[bytes]:
    policy = child.alert_policy
    yield _line(
        {
            "status": child.status,
            "parent_id": child.parent_id,
            "profile": {
                field.name: _plain(getattr(child.profile, field.name)) for field in fields(Profile)
            },
            "consents": {
                purpose.value: [given.notice_version, given.method]
                for purpose, given in child.consents.items()
            },
            "alert_policy": [policy.threshold, policy.count, policy.window_hours, policy.channels],
        }
    )
    for kind, entries in _ids_of(child):
        while some := list(islice(entries, IDS_A_LINE)):
            yield _line([kind, some])


def _ids_of(child: Child) -> Iterator[tuple[str, Iterator[Entry]]]:
    started = ([talk, iso(at)] for talk, at in child.open_conversations.items())
    yield OPEN_CONVERSATIONS, started
    yield OPEN_VIOLATIONS, _violations(child.open_violations)
    ended, resolved = child.ended_conversations, child.resolved_violations
    for kind, talks in zip(ENDED, (ended.recent, ended.older), strict=True):
        yield kind, ([talk] for talk in talks)
    for kind, violations in zip(RESOLVED, (resolved.recent, resolved.older), strict=True):
        yield kind, _violations(violations)


def _violations(violations: "HashTrieMap[str, Violation]") -> Iterator[Entry]:
    return (
        [
            name,
            each.violation_type,
            each.severity,
            each.acknowledged,
            each.outcome,
            each.assignee,
        ]
        for name, each in violations.items()
    )


def from_head(line: bytes) -> Child:
    """The child without its ids. Raises ValueError, KeyError, TypeError or AttributeError for
    anything else than the first of `to_lines`."""
    content = orjson.loads(line)
    threshold, count, window_hours, channels = content["alert_policy"]
    return Child(
        status=AccountStatus(content["status"]),
        parent_id=content["parent_id"],
        profile=_profile(content["profile"]),
        consents=HashTrieMap(
            (ConsentPurpose(purpose), GivenConsent(notice_version, ConsentMethod(method)))
            for purpose, (notice_version, method) in content["consents"].items()
        ),
        alert_policy=AlertPolicy(
            Severity(threshold), count, window_hours, tuple(map(AlertChannel, channels))
        ),
    )


def with_line(child: Child, line: bytes) -> Child:
    """`child` with the ids of a line. Raises ValueError or TypeError for any other."""
    kind, entries = orjson.loads(line)
    if kind == OPEN_CONVERSATIONS:
        started = [(talk, parse_iso(at)) for talk, at in entries]
        return replace(child, open_conversations=child.open_conversations.update(started))
    if kind == OPEN_VIOLATIONS:
        violations = child.open_violations.update(map(_violation, entries))
        return replace(child, open_violations=violations)
    if kind in ENDED:
        talks = _known(child.ended_conversations, kind == ENDED[0], [(t, None) for (t,) in entries])
        return replace(child, ended_conversations=talks)
    if kind in RESOLVED:
        resolved = child.resolved_violations
        known = _known(resolved, kind == RESOLVED[0], list(map(_violation, entries)))
        return replace(child, resolved_violations=known)
    raise ValueError(f"no line of {SCHEMA} is of the kind {kind!r}")


def _known(newest: Newest[V], recent: bool, entries: Sequence[tuple[str, V]]) -> Newest[V]:
    """`newest` with entries that it had when it was written."""
    if recent:
        return replace(newest, recent=newest.recent.update(entries))
    return replace(newest, older=newest.older.update(entries))


def _violation(entry: Entry) -> tuple[str, Violation]:
    name, violation_type, severity, acknowledged, said, assignee = entry
    outcome = None if said is None else Outcome(said)
    return name, Violation(violation_type, Severity(severity), acknowledged, outcome, assignee)


def _profile(content: dict[str, Any]) -> Profile:
    age = content.pop("age")
    personal = {name: None if value is None else Personal(value) for name, value in content.items()}
    return Profile(age=age, **personal)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Personal) else value


def _line(content: object) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
