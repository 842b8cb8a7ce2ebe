"""Pieces that several answers share, and what their fields mean: a name means the same wherever it
stands. A field that says more has a description of its own."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from shared.clock import iso

FIELDS: Mapping[str, str] = {
    # who
    "child_id": "The child, as the registration answered it.",
    "parent_id": "The parent's subject.",
    "name": "The child's; null where it does not open.",
    "age": "In years, as last told.",
    "device_id": "The subject of the bear's token, by which the bear may act for the child.",
    "preferences": "As the parent gave them; null: none.",
    "learning_style": "As the parent gave it; null: none.",
    "interests": "As the parent gave them; null: none.",
    "status": "Of the account.",
    "profile_completeness": "0 to 100: 80 for name, age, parent and bear, 20 for preferences, "
    "learning style and interests.",
    "notice_version": "Which privacy notice the parent was shown.",
    "method": "How it was made sure that it was the parent.",
    # when
    "created_at": "When the child was registered.",
    "updated_at": "When the last of what is shown here happened.",
    "last_interaction_at": "When a conversation last began, had a message or ended; null: never.",
    "last_safety_check": "When a violation was last reported or resolved; null: never.",
    "last_violation_at": "When the newest of them happened; null: there is none.",
    "started_at": "When it began.",
    "ended_at": "When it ended, or was over because one lasts no longer; null: it goes on.",
    "raised_at": "When the violation happened that raised it.",
    "given_at": "When the consent was given.",
    "withdrawn_at": "When the consent was withdrawn; null: it holds.",
    "resolved_at": "When it was said whether it was one; null: it is open.",
    "exported_at": "When this was put together.",
    "erased_at": "When the child was erased.",
    "issued_at": "When this was signed.",
    "at": "When it happened.",
    "day": "A UTC day.",
    "first_day": "The first UTC day of the period.",
    "last_day": "Its last UTC day: today.",
    "period_days": "How many days the period has.",
    "version": "How many events of the child are in this answer.",
    # how much the bear is used
    "conversations": "How many were begun.",
    "messages": "How many, of child and bear.",
    "minutes": "Length of the conversations that have ended.",
    "flagged": "Messages with a flagged category.",
    "conversation_count": "Conversations ever begun.",
    "conversation_id": "The conversation; null: none is named.",
    "message_count": "Messages of child and bear.",
    "total_messages": "Messages ever, of child and bear.",
    "total_minutes": "Length of all conversations that have ended.",
    "duration_minutes": "From the first moment to the end; while it goes on, until this was read.",
    "topic": "What it was about; null: not told.",
    "count": "How often.",
    "engagement_level": "By conversations ever: new (0), learning (1 to 4), engaged (5 to 19), "
    "active (20 or more).",
    "engagement_score": "0 to 100: 5 a message and 2 a minute.",
    "learning_metrics": "Skill to how often it was practised.",
    "messages_per_conversation": "Messages by conversations.",
    "minutes_per_conversation": "Minutes by conversations.",
    "minutes_per_active_day": "Minutes by days on which the child talked with the bear.",
    "conversations_per_child": "Conversations by accounts.",
    "violations_per_child": "Violations by accounts.",
    "totals": "Sums.",
    "averages": "Of the totals.",
    # safety
    "safety_score": "0 to 100: 100 less what each violation costs, by its severity and outcome.",
    "safety_status": "By the score: excellent (90 or more, and no open violation), good (75), fair "
    "(60), needs_attention; also needs_attention where stale_since is set. A search goes by the "
    "score.",
    "safety_violations_count": "Violations ever reported.",
    "open_violations_count": "Violations of which nobody said yet whether they were one.",
    "violation_categories": "Category to how many violations of it were ever reported.",
    "flagged_content_count": "Messages ever with a flagged category.",
    "flagged_content": "Messages with a flagged category.",
    "safety_violations": "Violations reported in it.",
    "violations": "How many were reported.",
    "open_violations": "Of them, those of which nobody said yet whether they were one.",
    "unread_alerts": "Of violations that the parent did not acknowledge yet.",
    "total_violations": "How many were reported.",
    "violations_by_severity": "Severity to how many were reported.",
    "violations_by_category": "Category to how many were reported.",
    "safety_trend": "What the violations of the last 30 days cost against the 30 days before.",
    "recommendations": "What to do, the most urgent first; never empty.",
    "violation_id": "The violation, as its report was answered.",
    "violation_type": "Its category, as the report named it.",
    "severity": "As the report told it.",
    "details": "As the report told them; null: none, or they do not open.",
    "resolved": "Whether somebody said whether it was one.",
    "outcome": "Whether it was one; null: it is open.",
    "alert_id": "The alert.",
    "channels": "By which channels the parent wished to be notified.",
    "code": "Stable, for programs.",
    "text": "For people.",
    # lists and records
    "items": "What was found.",
    "next_cursor": "To be sent as `cursor` for the next page; null: this is the last one.",
    "queries": "Every query that is answered.",
    "children": "How many accounts are of which status.",
    "removed": "What was removed, step by step.",
    "outstanding": "Steps that are not done yet.",
    "remains": "All that stays of the child, and why.",
    "step": "Its name in the erasure.",
    "what": "In words.",
    "why": "In words.",
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


def _to_one_decimal(value: float) -> float:
    return round(value, 1)


TTL_WHILE_OPEN = 60.0
"""Seconds that an answer is kept at most which counts a conversation until now."""

Minutes = Annotated[float, AfterValidator(_to_one_decimal)]
"""Documents keep them unrounded."""

StaleSince = Annotated[
    Instant | None,
    Field(
        description="Since when the read models of this child stand still, because what happened "
        "later could not be processed yet; null: they do not."
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

    Fields without a description of their own have that of FIELDS.
    """

    model_config = ConfigDict(hide_input_in_errors=True, json_schema_extra=describe)


def average(total: float, count: int) -> float:
    """Rounded to two decimals; of nothing it is 0."""
    return round(total / count, 2) if count else 0.0
