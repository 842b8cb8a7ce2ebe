"""The JSON that the APIs answer with, as types. Instants are RFC 3339 texts in UTC.

`stale_since` is not None while what happened to the child later could not be processed yet.
"""

from typing import Any, NotRequired, TypedDict


class CommandAnswer(TypedDict):
    """What a command came to: the child's version afterwards and the names of the new events.
    `ignored`: what the request named and does not exist, e.g. a report's conversation."""

    child_id: str
    version: int
    events: list[str]
    violation_id: NotRequired[str]
    conversation_id: NotRequired[str]
    ignored: NotRequired[list[str]]


class SqlColumn(TypedDict):
    """`type`: DuckDB's."""

    name: str
    type: str


class SqlRows(TypedDict):
    """`rows`: the values of each in the order of `columns`. `truncated`: there are more.
    `as_of`: everything stored until then is in it; None: unknown."""

    columns: list[SqlColumn]
    rows: list[list[Any]]
    truncated: bool
    as_of: str | None


class ErasureReceipt(TypedDict):
    """`receipt` is the rest as a signed statement; `outstanding` names steps not yet done."""

    child_id: str
    erased_at: str
    by_role: str
    version: int
    hash: str
    complete: bool
    removed: list[dict[str, Any]]
    outstanding: list[str]
    remains: list[dict[str, str]]
    issued_at: str
    receipt: str


class ChildProfile(TypedDict):
    child_id: str
    parent_id: str
    name: str | None
    age: int
    udid: str | None
    device_id: str | None
    preferences: dict[str, Any] | None
    learning_style: str | None
    interests: list[str] | None
    status: str
    created_at: str
    updated_at: str
    version: int
    stale_since: str | None
    profile_completeness: float
    conversation_count: int
    total_messages: int
    total_minutes: float
    last_interaction_at: str | None
    engagement_level: str
    learning_metrics: dict[str, int]
    flagged_content_count: int
    safety_violations_count: int
    open_violations_count: int
    violation_categories: dict[str, int]
    safety_score: float
    safety_status: str
    last_safety_check: str | None
    consents: dict[str, dict[str, str | None]]


class ChildAtAGlance(TypedDict):
    child_id: str
    name: str | None
    age: int
    status: str
    stale_since: str | None
    safety_status: str
    safety_score: float
    open_violations_count: int
    unread_alerts: int
    engagement_level: str
    conversation_count: int
    last_interaction_at: str | None
    recent_conversations: list[dict[str, Any]]


class Family(TypedDict):
    parent_id: str
    totals: dict[str, float] | None
    children: list[ChildAtAGlance]
    next_cursor: str | None
    unreadable: list[str]


class AlertPolicyInForce(TypedDict):
    """`is_default`: it is the policy that is in force where nobody configured another."""

    child_id: str
    version: int
    stale_since: str | None
    is_default: bool
    threshold: str
    count: int
    window_hours: int
    channels: list[str]


class ChildSeries(TypedDict):
    """`days`: every UTC day from `first_day` to `last_day`, each with `day`, `conversations`,
    `messages`, `minutes` and `violations_by_severity`."""

    child_id: str
    version: int
    stale_since: str | None
    first_day: str
    last_day: str
    days: list[dict[str, Any]]


class Recommendation(TypedDict):
    code: str
    text: str


class SafetyReport(TypedDict):
    child_id: str
    version: int
    stale_since: str | None
    safety_score: float
    safety_status: str
    safety_trend: str
    flagged_content_count: int
    parent_notifications_sent: int
    parent_notifications_pending: int
    parent_notifications_failed: int
    total_violations: int
    open_violations: int
    high_severity_violations: int
    violations_by_severity: dict[str, int]
    violations_by_category: dict[str, int]
    last_violation_at: str | None
    recommendations: list[Recommendation]
    violations: list[dict[str, Any]]
    next_cursor: str | None
    unreadable: list[str]


class Conversation(TypedDict):
    """`ended_at` None: it goes on, and `duration_minutes` is 0 until it ends."""

    conversation_id: str
    started_at: str
    ended_at: str | None
    duration_minutes: float
    message_count: int
    topic: str | None
    topics: list[str]
    engagement_score: float
    flagged: int
    safety_violations: int


class Conversations(TypedDict):
    """One page, the newest first; `next_cursor` is None on the last."""

    child_id: str
    version: int
    stale_since: str | None
    items: list[Conversation]
    next_cursor: str | None


class ChildAnalytics(TypedDict):
    child_id: str
    version: int
    stale_since: str | None
    period_days: int
    first_day: str
    last_day: str
    totals: dict[str, float]
    averages: dict[str, float]
    engagement_level: str
    learning_metrics: dict[str, int]
    topics: list[dict[str, Any]]
    days: list[dict[str, Any]]


class FoundChild(TypedDict):
    child_id: str
    parent_id: str
    name: str | None
    age: int
    status: str
    stale_since: str | None
    safety_status: str
    safety_score: float
    engagement_level: str
    last_interaction_at: str | None
    created_at: str
    updated_at: str


class FoundChildren(TypedDict):
    items: list[FoundChild]
    next_cursor: str | None
    unreadable: list[str]


class Alerts(TypedDict):
    items: list[dict[str, Any]]
    next_cursor: str | None


class SafetyViolations(TypedDict):
    items: list[dict[str, Any]]
    next_cursor: str | None
    unreadable: list[str]


class Health(TypedDict):
    """`ready` when both APIs are; each API's own report beside it."""

    status: str
    command: dict[str, Any]
    query: dict[str, Any]


class LiveUpdate(TypedDict):
    """One server-sent event: `event` is `alert` or `change`."""

    event: str
    data: dict[str, Any]
