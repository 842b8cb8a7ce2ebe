"""The kinds of requests that `teddy load` sends, and in which proportions.

Each command that the API accepts is one, and some more that must be refused or answered as before.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args
from uuid import UUID

from command_service.child.commands import ChildCommand, RegisterChild
from deploy.load.model import CONSENT_PURPOSES, ModelChild, Request

NAMES = ("Mia", "Noah", "Emma", "Elias", "Zoë", "Jürgen", "Łucja", "Søren", "Amélie", "Taro", "Aya")
TOPICS = ("dinosaurs", "space", "animals", "music", "bedtime", "numbers", "friendship")
SKILLS = ("vocabulary", "counting", "empathy", "memory", "rhythm")
CATEGORIES = ("rude_words", "personal_information", "violence", "scary_content")
NOTICE_VERSION = "2026-11"
CONSENT_METHODS = ("payment_card", "video_call", "signed_form")


@dataclass(frozen=True, slots=True)
class Kind:
    """`share`: how often it is chosen, against the shares of all others that are possible then."""

    share: float
    request: Callable[[ModelChild, random.Random, str], Request]
    is_possible: Callable[[ModelChild], bool]


def _start(child: ModelChild, chance: random.Random, key: str) -> Request:
    body = {"topic": chance.choice(TOPICS)}
    return child.request("device", "POST", "/conversations", body, key, 201, made="conversation")


def _message(child: ModelChild, chance: random.Random, key: str) -> Request:
    body: dict[str, Any] = {
        "role": chance.choice(("child", "bear")),
        "word_count": chance.randint(1, 40),
    }
    if chance.random() < 0.3:
        body["topic"] = chance.choice(TOPICS)
    if chance.random() < 0.25:
        body["learning_skills"] = chance.sample(SKILLS, chance.randint(1, 2))
    if chance.random() < 0.04:
        body["flagged_categories"] = [chance.choice(CATEGORIES)]
    path = f"/conversations/{child.conversation_id}/messages"
    return child.request("device", "POST", path, body, key, 201)


def _end(child: ModelChild, _chance: random.Random, key: str) -> Request:
    path = f"/conversations/{child.conversation_id}/end"
    return child.request("device", "POST", path, None, key, made="ended")


def _update(child: ModelChild, chance: random.Random, key: str) -> Request:
    changes: dict[str, Any] = {"age": chance.randint(3, 12)}
    if chance.random() < 0.4:
        changes["interests"] = chance.choice((None, chance.sample(TOPICS, 3)))
    if chance.random() < 0.3:
        changes["name"] = chance.choice(NAMES)
    if chance.random() < 0.2:
        changes["preferences"] = {"volume": chance.randint(1, 10), "night": {"light": True}}
    if "personalization" not in child.consents:
        changes = {name: changes[name] for name in ("age", "name") if name in changes}
    return child.request("parent", "PATCH", "/profile", changes, key)


def _report(child: ModelChild, chance: random.Random, key: str) -> Request:
    severity = chance.choices(("low", "medium", "high", "critical"), (4, 4, 2, 1))[0]
    body = {"type": chance.choice(CATEGORIES), "severity": severity, "details": "Heard it."}
    if child.conversation_id is not None and chance.random() < 0.5:
        body["conversation_id"] = child.conversation_id
    return _violation(child, body, key)


def _violation(
    child: ModelChild, body: dict[str, Any], key: str, ignored: tuple[str, ...] = ()
) -> Request:
    """The bear reports on its child; of one that is deactivated only the parent still does."""
    who, path = "device" if child.is_active else "parent", "/safety-violations"
    return child.request(who, "POST", path, body, key, 201, made="violation", ignored=ignored)


def _resolve(child: ModelChild, chance: random.Random, key: str) -> Request:
    body = {"outcome": chance.choice(("confirmed", "false_positive"))}
    if chance.random() < 0.3:
        body["note"] = "Listened to the recording."
    path = f"/safety-violations/{child.open_violations[0]}/resolution"
    return child.request("safety_officer", "POST", path, body, key, made="resolved")


def _reopen(child: ModelChild, _chance: random.Random, key: str) -> Request:
    body, path = {"reason": "Seen again."}, f"/safety-violations/{child.last_resolved}/reopening"
    return child.request("safety_officer", "POST", path, body, key, made="reopened")


def _assign(child: ModelChild, chance: random.Random, key: str) -> Request:
    body: dict[str, Any] = chance.choice(({}, {"assignee": None}, {"assignee": "load-officer-2"}))
    path = f"/safety-violations/{child.open_violations[0]}/assignee"
    return child.request("safety_officer", "PUT", path, body, key)


def _acknowledge(child: ModelChild, chance: random.Random, key: str) -> Request:
    path = f"/safety-violations/{chance.choice(child.open_violations)}/acknowledgement"
    return child.request("parent", "POST", path, None, key)


def _alerts(child: ModelChild, chance: random.Random, key: str) -> Request:
    body = {
        "threshold": chance.choice(("medium", "high", "critical")),
        "count": chance.randint(2, 4),
        "window_hours": chance.choice((1, 24, 168)),
        "channels": ["in_app"],
    }
    return child.request("parent", "PUT", "/alert-policy", body, key)


def _consent(child: ModelChild, chance: random.Random, key: str) -> Request:
    """A missing consent first, beginning with `account`: the others depend on it."""
    missing = [purpose for purpose in CONSENT_PURPOSES if purpose not in child.consents]
    purpose = missing[0] if missing else chance.choice(CONSENT_PURPOSES)
    body = {"notice_version": NOTICE_VERSION, "method": chance.choice(CONSENT_METHODS)}
    return child.request("parent", "PUT", f"/consents/{purpose}", body, key, made="consent")


def _withdrawal(child: ModelChild, chance: random.Random, key: str) -> Request:
    path = f"/consents/{chance.choice(sorted(child.consents))}"
    return child.request("parent", "DELETE", path, None, key, made="withdrawal")


def _deactivate(child: ModelChild, _chance: random.Random, key: str) -> Request:
    body = {"reason": "On holiday."}
    return child.request("parent", "POST", "/deactivation", body, key, made="deactivated")


def _reactivate(child: ModelChild, _chance: random.Random, key: str) -> Request:
    return child.request("parent", "POST", "/reactivation", None, key, made="reactivated")


def _erase(child: ModelChild, _chance: random.Random, key: str) -> Request:
    return child.request("parent", "DELETE", "/personal-data", None, key, made="erased")


def _after_erasure(child: ModelChild, chance: random.Random, key: str) -> Request:
    body = {"age": chance.randint(3, 12)}
    return child.request("parent", "PATCH", "/profile", body, key, 410, "child-erased")


def _repeated(child: ModelChild, _chance: random.Random, _key: str) -> Request:
    assert child.repeatable is not None
    return child.repeatable


def _refused(child: ModelChild, chance: random.Random, key: str) -> Request:
    """What is refused whatever the child's state."""
    violations = ("parent", "POST", "/safety-violations")
    profile, invalid = ("parent", "PATCH", "/profile"), (422, "invalid-request")
    by_parent = child.request(*profile, {"age": 5}, key, 404, "child-not-found")
    requests = [
        replace(by_parent, subject=f"{child.parent_id}-stranger"),
        child.request(*profile, {"age": 2}, key, *invalid),
        child.request(*profile, {"age": "7"}, key, *invalid),
        child.request(*profile, {"nickname": "M"}, key, *invalid),
        child.request(*violations, {"type": "rude_words", "severity": "awful"}, key, *invalid),
        child.request(*violations, {"type": "", "severity": "low"}, key, *invalid),
    ]
    return chance.choice(requests)


def _unknown(child: ModelChild, chance: random.Random, key: str) -> Request:
    """A report counts without the conversation that it names; everything else is not found."""
    unknown = str(UUID(int=chance.getrandbits(128), version=4))
    report = {"type": "rude_words", "severity": "medium", "conversation_id": unknown}
    conversation, missing = f"/conversations/{unknown}", (404, "conversation-not-found")
    violation, no_violation = f"/safety-violations/{unknown}", (404, "violation-not-found")
    outcome, message = {"outcome": "confirmed"}, {"role": "child", "word_count": 3}
    requests = [
        child.request(
            "safety_officer", "POST", f"{violation}/resolution", outcome, key, *no_violation
        ),
        child.request("parent", "POST", f"{violation}/acknowledgement", None, key, *no_violation),
        _violation(child, report, key, ignored=("conversation_id",)),
    ]
    if child.is_active:
        requests.append(child.request("device", "POST", f"{conversation}/end", None, key, *missing))
    if child.may_talk:
        requests.append(
            child.request("device", "POST", f"{conversation}/messages", message, key, *missing)
        )
    return chance.choice(requests)


KIND_OF: Mapping[str, Kind] = {
    "RecordMessage": Kind(46, _message, lambda c: c.may_talk and c.conversation_id is not None),
    "StartConversation": Kind(14, _start, lambda c: c.may_talk and c.conversation_id is None),
    "EndConversation": Kind(12, _end, lambda c: c.is_active and c.conversation_id is not None),
    "UpdateChildProfile": Kind(8, _update, lambda c: c.is_active and "account" in c.consents),
    "ReportSafetyViolation": Kind(7, _report, lambda c: c.is_known),
    "ResolveSafetyViolation": Kind(5, _resolve, lambda c: c.is_known and bool(c.open_violations)),
    "ReopenSafetyViolation": Kind(1, _reopen, lambda c: c.is_known and c.last_resolved is not None),
    "AssignSafetyViolation": Kind(2, _assign, lambda c: c.is_known and bool(c.open_violations)),
    "AcknowledgeSafetyViolation": Kind(
        3, _acknowledge, lambda c: c.is_known and bool(c.open_violations)
    ),
    "GiveConsent": Kind(3, _consent, lambda c: c.is_known),
    "ReactivateChild": Kind(
        3, _reactivate, lambda c: c.status == "deactivated" and "account" in c.consents
    ),
    "ConfigureAlerts": Kind(2, _alerts, lambda c: c.is_active),
    "DeactivateChild": Kind(1.5, _deactivate, lambda c: c.is_active),
    "WithdrawConsent": Kind(1, _withdrawal, lambda c: c.is_known and bool(c.consents)),
    "EraseChild": Kind(0.4, _erase, lambda c: c.is_active),
}
BESIDE_COMMANDS: Mapping[str, Kind] = {
    "a repeated request": Kind(2, _repeated, lambda c: c.is_known and c.repeatable is not None),
    "a refused request": Kind(2, _refused, lambda c: c.is_known),
    "an unknown id": Kind(2, _unknown, lambda c: c.is_known),
    "an update after erasure": Kind(1, _after_erasure, lambda c: c.status == "erased"),
}
KINDS = (
    # a command that is missing above fails here; each child is registered once, first
    *(
        KIND_OF[command.__name__]
        for command in get_args(ChildCommand)
        if command is not RegisterChild
    ),
    *BESIDE_COMMANDS.values(),
)
