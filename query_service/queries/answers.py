"""Pieces that several answers share, and what their fields mean: a name means the same wherever it
stands. A field that says more has a description of its own."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from shared.clock import iso

FIELDS: Mapping[str, str] = {
    # who
    "child_id": "The child, as returned by the registration.",
    "parent_id": "The parent's subject.",
    "name": "The child's name; null if it cannot be decrypted.",
    "age": "In years, as last updated.",
    "device_id": "The subject of the bear's token, with which the bear may act for the child.",
    "preferences": "As the parent gave them; null: none.",
    "learning_style": "As the parent gave it; null: none.",
    "interests": "As the parent gave them; null: none.",
    "status": "Status of the account.",
    "profile_completeness": "0 to 100: 80 for name, age, parent and bear, 20 for preferences, "
    "learning style and interests.",
    "notice_version": "Version of the privacy notice that the parent was shown.",
    "method": "How the parent's identity was verified.",
    # when
    "created_at": "When the child was registered.",
    "updated_at": "Time of the newest event shown here.",
    "last_interaction_at": "Time of the last start, message or end of a conversation; null: never.",
    "last_safety_check": "Time of the last report, resolution or reopening of a violation; "
    "null: never.",
    "last_violation_at": "Time of the newest of them; null: none.",
    "started_at": "When it started.",
    "ended_at": "When it ended, or reached the longest allowed duration; null: in progress.",
    "raised_at": "Time of the violation that raised it.",
    "given_at": "When the consent was given.",
    "withdrawn_at": "When the consent was withdrawn; null: it is valid.",
    "resolved_at": "When it was resolved; null: open.",
    "exported_at": "When this was compiled.",
    "erased_at": "When the child was erased.",
    "issued_at": "When this was signed.",
    "at": "When it happened.",
    "day": "A UTC day.",
    "first_day": "The first UTC day of the period.",
    "last_day": "Its last UTC day: today.",
    "period_days": "How many days the period has.",
    "version": "How many events of the child are in this answer.",
    # how much the bear is used
    "conversations": "Number of started conversations.",
    "messages": "Number of messages of child and bear.",
    "minutes": "Length of the conversations that have ended.",
    "flagged": "Messages with a flagged category.",
    "conversation_count": "All conversations ever started.",
    "conversation_id": "The conversation; null: none.",
    "message_count": "Messages of child and bear.",
    "total_messages": "All messages of child and bear.",
    "total_minutes": "Length of all conversations that have ended.",
    "duration_minutes": "Duration; of one in progress, until this was read.",
    "topic": "Its topic; null: none given.",
    "count": "Count.",
    "engagement_level": "By number of all conversations: new (0), learning (1 to 4), engaged "
    "(5 to 19), active (20 or more).",
    "engagement_score": "0 to 100: 5 per message and 2 per minute.",
    "learning_metrics": "Skill to how often it was practised.",
    "messages_per_conversation": "Messages per conversation.",
    "minutes_per_conversation": "Minutes per conversation.",
    "minutes_per_active_day": "Minutes per day with a conversation.",
    "conversations_per_child": "Conversations per account.",
    "violations_per_child": "Violations per account.",
    "totals": "Sums.",
    "averages": "Of the totals.",
    # safety
    "safety_score": "0 to 100: 100 minus a deduction per violation, by its severity and outcome.",
    "safety_status": "By the score: excellent (90 or more, and no open violation), good "
    "(75), fair (60), needs_attention; also needs_attention if stale_since "
    "is set. A search uses the score only.",
    "safety_violations_count": "All reported violations.",
    "open_violations_count": "Unresolved violations.",
    "violation_categories": "Category to number of reported violations.",
    "flagged_content_count": "All messages with a flagged category.",
    "flagged_content": "Messages with a flagged category.",
    "safety_violations": "Violations reported in it.",
    "violations": "Number of reported violations.",
    "open_violations": "Of these, the unresolved ones.",
    "unread_alerts": "Alerts of violations that the parent has not acknowledged.",
    "total_violations": "Number of reported violations.",
    "violations_by_severity": "Severity to number of reported violations.",
    "violations_by_category": "Category to number of reported violations.",
    "safety_trend": "Deductions of the last 30 days compared with the 30 days before.",
    "recommendations": "Recommended actions, the most urgent first; never empty.",
    "violation_id": "The violation, as returned by its report.",
    "violation_type": "Its category, as reported.",
    "severity": "As reported.",
    "details": "As reported; null: none, or they cannot be decrypted.",
    "resolved": "Whether it is resolved.",
    "outcome": "Whether it was a violation; null: open.",
    "alert_id": "The alert.",
    "channels": "Channels by which the parent is notified.",
    "code": "Stable, for programs.",
    "text": "For people.",
    # lists and records
    "items": "The results.",
    "next_cursor": "Send it as `cursor` for the next page; null: this is the last page.",
    "queries": "All queries.",
    "children": "Number of accounts by status.",
    "removed": "What was removed, step by step.",
    "outstanding": "Steps not completed yet.",
    "remains": "Remaining data of the child, and why.",
    "step": "The name of the step.",
    "what": "Description.",
    "why": "Description.",
}


def describe(schema: dict[str, Any]) -> None:
    """Give each field of an answer's JSON schema that says nothing itself what its name means."""
    for name, field in schema.get("properties", {}).items():
        if name in FIELDS:
            field.setdefault("description", FIELDS[name])


Instant = Annotated[
    datetime,
    PlainSerializer(iso, return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-11-23T06:00:00.000Z"]},
        mode="serialization",
    ),
]
"""RFC 3339 in UTC with milliseconds."""


TTL_WHILE_OPEN = 60.0
"""Seconds that an answer is kept at most which counts a conversation until now."""

Minutes = Annotated[float, AfterValidator(partial(round, ndigits=1))]
"""Documents keep them unrounded."""

StaleSince = Annotated[
    Instant | None,
    Field(
        description="Since when this child's read models are no longer updated, because "
        "later events could not be projected; null: they are up to date."
    ),
]


def _with_instants(value: Any) -> Any:
    """Times within, however deep, in the form of an Instant."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict):
        return {name: _with_instants(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_with_instants(one) for one in value]
    return value


Fields = Annotated[dict[str, Any], PlainSerializer(_with_instants, when_used="json")]
"""Fields as they are stored, by name."""


class AnswerModel(BaseModel):
    """A document that does not fit its answer is a defect, logged without its values.

    Fields without a description of their own have that of FIELDS."""

    model_config = ConfigDict(hide_input_in_errors=True, json_schema_extra=describe)


def average(total: float, count: int) -> float:
    """Rounded to two decimals; of nothing it is 0."""
    return round(total / count, 2) if count else 0.0
