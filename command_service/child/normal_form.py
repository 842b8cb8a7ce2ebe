"""Commands with their values checked and normalised. Needs no state: it can run before any I/O."""

from dataclasses import replace
from typing import Any, TypeVar, assert_never

from command_service.child import limits
from command_service.child.commands import (
    UNCHANGED,
    AcknowledgeSafetyViolation,
    ChildCommand,
    ConfigureAlerts,
    Consent,
    DeactivateChild,
    EndConversation,
    EraseChild,
    GiveConsent,
    ReactivateChild,
    RecordMessage,
    RegisterChild,
    ReportSafetyViolation,
    ResolveSafetyViolation,
    StartConversation,
    UpdateChildProfile,
    WithdrawConsent,
)
from command_service.child.errors import NoChangeGiven
from command_service.child.field_checks import FieldChecks

C = TypeVar("C", bound=ChildCommand)

PROFILE_FIELDS = ("name", "age", "device_id", "preferences", "learning_style", "interests")


def in_normal_form(command: C) -> C:
    """The command with normalised values; raises InvalidCommand with every field that is wrong.

    What is in normal form stays as it is. An empty list or object is the same as none.
    """
    checks = FieldChecks()
    values = _values(command, checks)
    checks.raise_errors()
    return replace(command, **values) if values else command


def _values(command: ChildCommand, checks: FieldChecks) -> dict[str, Any]:
    match command:
        case RegisterChild():
            return {
                "parent_id": checks.subject("parent_id", command.parent_id),
                "udid": checks.udid("udid", command.udid),
                "consents": _consents(command, checks),
                **_profile_values(command, checks),
            }
        case UpdateChildProfile():
            values = _profile_values(command, checks)
            if not values:
                raise NoChangeGiven
            return values
        case ReportSafetyViolation():
            return _report_values(command, checks)
        case ConfigureAlerts():
            return _alert_values(command, checks)
        case StartConversation():
            return _start_values(command, checks)
        case RecordMessage():
            return _message_values(command, checks)
        case EndConversation():
            return {"conversation_id": command.conversation_id.lower()}
        case DeactivateChild():
            return {"reason": checks.text("reason", command.reason, limits.REASON)}
        case GiveConsent():
            return {"notice_version": _notice(checks, command.notice_version)}
        case (
            ResolveSafetyViolation()
            | AcknowledgeSafetyViolation()
            | ReactivateChild()
            | WithdrawConsent()
            | EraseChild()
        ):
            return {}
        case _:
            assert_never(command)


def _profile_values(
    command: RegisterChild | UpdateChildProfile, checks: FieldChecks
) -> dict[str, Any]:
    """The profile fields that the command mentions."""
    given = {field: getattr(command, field) for field in PROFILE_FIELDS}
    return {
        field: None if value is None else _profile_value(field, value, checks)
        for field, value in given.items()
        if value is not UNCHANGED
    }


def _profile_value(field: str, value: Any, checks: FieldChecks) -> Any:
    match field:
        case "name":
            return checks.name(field, value, limits.NAME)
        case "age":
            return checks.number(field, value, limits.AGE)
        case "device_id":
            return checks.subject(field, value)
        case "preferences":
            return checks.preferences(field, value) or None
        case "learning_style":
            return checks.label(field, value)
        case _:
            return checks.labels(field, value) or None


def _consents(command: RegisterChild, checks: FieldChecks) -> tuple[Consent, ...]:
    purposes = [consent.purpose for consent in command.consents]
    if len(set(purposes)) != len(purposes):
        checks.refuse("consents", "must contain each purpose at most once", "one entry per purpose")
    return tuple(
        replace(each, notice_version=_notice(checks, each.notice_version, f"consents.{place}."))
        for place, each in enumerate(command.consents)
    )


def _notice(checks: FieldChecks, value: str, path: str = "") -> str:
    return checks.label(f"{path}notice_version", value, limits.NOTICE_VERSION)


def _report_values(command: ReportSafetyViolation, checks: FieldChecks) -> dict[str, Any]:
    details = (command.details or "").strip()
    conversation_id = command.conversation_id
    return {
        "violation_type": checks.label("type", command.violation_type),
        "details": checks.text("details", details, limits.DETAILS) if details else None,
        "conversation_id": (
            None if conversation_id is None else checks.uuid("conversation_id", conversation_id)
        ),
    }


def _alert_values(command: ConfigureAlerts, checks: FieldChecks) -> dict[str, Any]:
    channels = command.channels
    if not limits.ALERT_CHANNELS.allows(len(channels)) or len(set(channels)) != len(channels):
        message = "must contain 1 to 3 channels, each at most once"
        checks.refuse("channels", message, f"{limits.ALERT_CHANNELS} entries")
    return {
        "count": checks.number("count", command.count, limits.ALERT_COUNT),
        "window_hours": checks.number(
            "window_hours", command.window_hours, limits.ALERT_WINDOW_HOURS
        ),
    }


def _start_values(command: StartConversation, checks: FieldChecks) -> dict[str, Any]:
    return {
        "conversation_id": checks.uuid("conversation_id", command.conversation_id),
        "topic": checks.optional_label("topic", command.topic),
    }


def _message_values(command: RecordMessage, checks: FieldChecks) -> dict[str, Any]:
    return {
        "conversation_id": command.conversation_id.lower(),
        "word_count": checks.number("word_count", command.word_count, limits.WORD_COUNT),
        "topic": checks.optional_label("topic", command.topic),
        "flagged_categories": checks.labels("flagged_categories", command.flagged_categories),
        "learning_skills": checks.labels("learning_skills", command.learning_skills),
    }
