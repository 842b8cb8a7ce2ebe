"""The documents of the read models, as the worker writes and queries read them."""

from datetime import datetime
from enum import StrEnum
from typing import NotRequired, TypedDict

from shared.events.personal import FromOpened, Sealed, SearchTokens, StaffName


class Model(StrEnum):
    CHILDREN = "children"
    CONVERSATIONS = "conversations"
    SAFETY = "safety"
    VIOLATIONS = "violations"
    ACTIVITY = "activity"
    SYSTEM = "system"
    ALERTS = "alerts"


ALL_MODELS = frozenset(Model)

OTHER = "other"
"""What counts every label that came when there was no room for it any more in its document."""


class ChildStatus(StrEnum):
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    ERASED = "erased"


class SafetyStatus(StrEnum):
    EXCELLENT = "excellent"
    GOOD = "good"
    FAIR = "fair"
    NEEDS_ATTENTION = "needs_attention"


class EngagementLevel(StrEnum):
    NEW = "new"
    LEARNING = "learning"
    ENGAGED = "engaged"
    ACTIVE = "active"


class ConsentEntry(TypedDict):
    """A parent's latest consent to one purpose; `withdrawn_at` None: it holds."""

    notice_version: FromOpened[str]
    method: str
    given_at: datetime
    withdrawn_at: datetime | None


class ChildDocument(TypedDict):
    """Model `children`, `_id` the child's id. `version` is the projected version.

    Of an erased child only `_id`, `parent_id`, `status`, `created_at`, `updated_at` and `version`
    say anything; the rest is empty or zero.
    """

    _id: str
    parent_id: str
    name: Sealed
    name_tokens: SearchTokens
    age: FromOpened[int]
    udid: Sealed
    device_id: Sealed
    preferences: Sealed
    learning_style: Sealed
    interests: Sealed
    status: str
    created_at: datetime
    updated_at: datetime
    version: int
    profile_completeness: FromOpened[float]
    conversation_count: int
    total_messages: int
    total_minutes: float
    last_interaction_at: datetime | None
    engagement_level: str
    learning_metrics: FromOpened[dict[str, int]]
    flagged_content_count: FromOpened[int]
    safety_violations_count: int
    open_violations_count: int
    penalty_points: float
    safety_score: float
    safety_status: str
    last_safety_check: datetime | None
    violation_categories: FromOpened[dict[str, int]]
    consents: dict[str, ConsentEntry]


class ConversationDocument(TypedDict):
    """Model `conversations`, `_id` is `<child_id>/<conversation_id>`."""

    _id: str
    child_id: str
    conversation_id: str
    started_at: datetime
    ended_at: datetime | None
    duration_minutes: float
    message_count: int
    topic: FromOpened[str | None]
    topics: FromOpened[list[str]]
    engagement_score: float
    flagged: FromOpened[int]
    safety_violations: int


class ViolationDocument(TypedDict):
    """Model `violations`, `_id` is `<child_id>/<violation_id>`; made by its first report.

    `alerted`: the rule by which its report alerted the parent, None where none did.
    `acknowledged_at`: when the parent had seen it. `note`: of its last resolution, also once it was
    reopened; `reason`: why it was, the last time; `reopenings`: how often. What is missing is None,
    or 0.
    """

    _id: str
    child_id: str
    id: str
    type: FromOpened[str]
    severity: str
    at: datetime
    conversation_id: str | None
    details: Sealed
    resolved_at: datetime | None
    outcome: str | None
    alerted: str | None
    acknowledged_at: datetime | None
    note: NotRequired[Sealed]
    resolved_by: NotRequired[StaffName]
    reason: NotRequired[Sealed]
    reopenings: NotRequired[int]
    assignee: NotRequired[StaffName]


class ViolationEntry(TypedDict):
    """A violation as read models of projections before 7 hold it, in the child's `safety` document.
    Those before 4 have no `alerted`, those before 6 no `acknowledged_at`."""

    id: str
    type: FromOpened[str]
    severity: str
    at: datetime
    conversation_id: str | None
    details: Sealed
    resolved_at: datetime | None
    outcome: str | None
    alerted: NotRequired[str | None]
    acknowledged_at: NotRequired[datetime | None]


class CountedViolation(TypedDict):
    """A violation that no alert reported yet, as the rule that counts them needs it."""

    at: datetime
    severity: str


class AlertPolicyEntry(TypedDict):
    threshold: str
    count: int
    window_hours: int
    channels: list[str]


class SafetyDocument(TypedDict):
    """Model `safety`, `_id` the child's id; made by the child's first report or policy.

    `counting`: the newest violations that count for the next alert of the rule `count`, in the
    order in which they were reported; at most 99. `told_late`: how many severe ones alerted nobody
    at once. `violations`: only in read models of projections before 7, which have no `told_late`.
    """

    _id: str
    alert_policy: AlertPolicyEntry
    total_violations: int
    violations_by_severity: dict[str, int]
    violations_by_category: FromOpened[dict[str, int]]
    high_severity_violations: int
    told_late: NotRequired[int]
    last_violation_at: datetime | None
    violations: NotRequired[list[ViolationEntry]]
    counting: list[CountedViolation]
    parent_notifications_sent: int


class ActivityDocument(TypedDict):
    """Model `activity`, `_id` is `<child_id>@<UTC day, ISO>`."""

    _id: str
    child_id: str
    day: str
    conversations: int
    messages: int
    minutes: float
    topics: FromOpened[dict[str, int]]
    flagged: FromOpened[int]
    violations: int


class AlertDocument(TypedDict):
    """Collection `alerts`, `_id` derived from (rule, triggering event): raised once, ever.

    `rule` is `threshold` or `count`. `acknowledged_at`: when the parent had seen it. `delivered`
    maps a channel to when it was notified. `rebuilt`: a rebuild found it in the past, and the
    generation that was live then did not know it; nobody is notified of it any more.
    `awaits_live`: it was raised while its generation was not live, and is to be looked at once that
    is.
    """

    _id: str
    child_id: str
    parent_id: str
    rule: str
    event_id: str
    violation_id: str
    violation_type: FromOpened[str]
    severity: str
    channels: list[str]
    raised_at: datetime
    acknowledged_at: NotRequired[datetime | None]
    delivered: dict[str, datetime]
    rebuilt: NotRequired[bool]
    awaits_live: NotRequired[bool]


class SystemDocument(TypedDict):
    """Model `system`: counters of one shard (a Kafka partition); the system's are their sum.

    Counter names: `children_<status>`; over active and deactivated children `conversations`,
    `messages`, `violations`, `open_violations`, `flagged`; over active children
    `safety_<status>` and `engagement_<level>`.
    """

    _id: str
    counters: dict[str, int]
