"""The read models as queries see them; mongo.py reads them, tests/fakes/read_store.py in memory.

Whoever may see only part of them passes `parent_id`: it is a condition of the search itself, so
what is not theirs is never read. Erased children are never found."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from query_service.read_store.business_figures import BusinessFigures
from query_service.read_store.family_counts import FamilyCounts
from query_service.read_store.operations import Operations
from query_service.read_store.violation_filter import QueueEnd, ViolationFilter
from shared.event_store.port import StoreUnavailable
from shared.events.child import Severity
from shared.read_models.documents import (
    ActivityDocument,
    AlertDocument,
    ChildDocument,
    ChildStatus,
    ConversationDocument,
    EngagementLevel,
    SafetyDocument,
    SafetyStatus,
    ViolationDocument,
)
from shared.read_models.operation_states import OperationStanding

VISIBLE_STATUSES = (ChildStatus.ACTIVE, ChildStatus.DEACTIVATED)

SEVERE = frozenset(s.value for s in Severity if s.rank >= Severity.HIGH.rank)
AT_ONCE = "threshold"
"""The rule of alerts by which a parent is notified of the violation itself."""


class ReadStoreUnavailable(StoreUnavailable):
    """The read models could not be read in time."""


VIOLATIONS_APART = 7
"""The first projections that give each violation a document of its own."""

TOO_OLD_FOR_A_QUEUE = f"projections before {VIOLATIONS_APART} have no list of all violations"


@dataclass(frozen=True, slots=True)
class PageEnd:
    """Where a page ended: lists are sorted by time, the newest first, and then by id."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` (included) to `until` (excluded); None: no limit."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_unlimited(self) -> bool:
        return self.since is None and self.until is None

    def includes(self, moment: datetime) -> bool:
        return (self.since is None or self.since <= moment) and (
            self.until is None or moment < self.until
        )


@dataclass(frozen=True, slots=True)
class ViolationCounts:
    """How many, by severity and by category; those of which nobody said yet whether they were one
    (`still_open`); and the severe ones whose report alerted nobody at once (`told_late`)."""

    by_severity: Mapping[str, int] = field(default_factory=dict)
    by_category: Mapping[str, int] = field(default_factory=dict)
    still_open: int = 0
    told_late: int = 0

    @property
    def total(self) -> int:
        return sum(self.by_severity.values())

    @property
    def severe(self) -> int:
        return sum(count for name, count in self.by_severity.items() if name in SEVERE)


class Violations(Protocol):
    """Those of one child. Every coroutine may raise ReadStoreUnavailable."""

    async def page(
        self, period: Period, after: PageEnd | None, limit: int
    ) -> Sequence[ViolationDocument]:
        """At most `limit` of the period after `after`, by `at`."""

    async def count(self, period: Period, categories: Collection[str]) -> ViolationCounts:
        """Those of the period; of other categories than these as OTHER."""

    async def by_day(self, period: Period) -> Mapping[str, Mapping[str, int]]:
        """How many were reported on each UTC day (ISO) of the period, by severity; without the
        days and severities of which there are none."""

    async def cost(self, after: datetime, up_to: datetime) -> float:
        """Penalty points of those that happened after `after` and not after `up_to`."""


@dataclass(frozen=True, slots=True)
class ChildFilter:
    """Children that meet every condition given: they carry all `name_tokens` and belong to each
    of `parent_ids` (who asks and who is asked for: two that differ find nothing)."""

    name_tokens: tuple[str, ...] = ()
    age_min: int | None = None
    age_max: int | None = None
    parent_ids: tuple[str, ...] = ()
    safety_status: SafetyStatus | None = None
    engagement_level: EngagementLevel | None = None
    status: ChildStatus | None = None
    has_open_violations: bool = False
    """Only those that have; else any."""


class ReadModelDatabase(Protocol):
    """Every coroutine may raise ReadStoreUnavailable."""

    def away_seconds(self) -> float | None:
        """How long ago it answered last, while it does not; None while it does."""

    async def ping(self) -> None:
        """Returns when the read models can be read."""

    async def projected_through(self) -> datetime | None:
        """All that was stored until then is in what is read from now on; None: nobody knows."""

    async def operations(self) -> Operations:
        """Who keeps the read models up to date, and what stands in the way."""

    async def started_operations(self, limit: int) -> Sequence[OperationStanding]:
        """What administrators asked for, the newest first, at most `limit`."""

    async def projected_version(self, child_id: str) -> int:
        """The version that the child's read models have reached, also of an erased child; 0
        when there are none."""

    async def parent_of(self, child_id: str) -> str | None:
        """Whose child it is, also of an erased child."""

    async def child(self, child_id: str, parent_id: str | None) -> ChildDocument | None:
        """The child, if it is `parent_id`'s (None: whoever's)."""

    async def children_by_id(self, child_ids: Collection[str]) -> Sequence[ChildDocument]:
        """Those of the children that are to be seen, in any order."""

    async def stale_since(self, child_ids: Collection[str]) -> Mapping[str, datetime]:
        """Those of the children that are dead-lettered: since when their read models stand still.
        Also of children that there is no document of."""

    async def count_family(self, parent_id: str) -> FamilyCounts:
        """Of all children of the parent, however many: takes time in proportion to them."""

    async def recent_conversations(
        self, child_ids: Collection[str], per_child: int
    ) -> dict[str, list[ConversationDocument]]:
        """The latest conversations of each child, the newest first."""

    async def safety(self, child_id: str) -> SafetyDocument | None:
        """None until the child's first safety event."""

    async def violations_of(self, child_id: str) -> Violations:
        """The child's violations; there may be none."""

    async def violation_queue(
        self, wanted: ViolationFilter, after: QueueEnd | None, limit: int
    ) -> Sequence[ViolationDocument]:
        """At most `limit` violations of all children after `after`, in the order that is wanted,
        ties by `_id`. Raises ReadStoreUnavailable also while the read models are of projections
        before VIOLATIONS_APART."""

    async def activity(
        self, child_id: str, first_day: str, last_day: str
    ) -> list[ActivityDocument]:
        """The child's days from `first_day` to `last_day` (ISO, both included) that have any
        activity, in order."""

    async def open_minutes(
        self, child_id: str, since: datetime, now: datetime
    ) -> Mapping[str, float]:
        """Minutes of the conversations that nobody ended, by UTC day (ISO): each from its start
        until `now`, at most for as long as one may last. Those that began over a day before `since`
        are left out."""

    async def conversation_limit(self) -> timedelta:
        """How long after its start a conversation is over at the latest."""

    async def search(
        self, wanted: ChildFilter, after: PageEnd | None, limit: int
    ) -> Sequence[ChildDocument]:
        """At most `limit` children after `after`, by `created_at`."""

    async def alerts_of(
        self, parent_id: str, after: PageEnd | None, limit: int
    ) -> Sequence[AlertDocument]:
        """At most `limit` alerts after `after`, by `raised_at`."""

    async def conversations_page(
        self, child_id: str, after: PageEnd | None, limit: int
    ) -> Sequence[ConversationDocument]:
        """At most `limit` of the child's conversations after `after`, by `started_at`."""

    async def unread_alerts(self, child_ids: Collection[str]) -> Mapping[str, int]:
        """How many alerts about each child its parent did not acknowledge; without those of whom
        there are none."""

    async def delivered_about(self, child_id: str) -> int:
        """How often an alert about the child was delivered: each by each channel."""

    async def deliveries_about(self, child_id: str) -> Mapping[str, int]:
        """How many deliveries of the child's alerts are in which state (DeliveryState)."""

    async def system_counters(self) -> dict[str, int]:
        """The counters of SystemDocument, summed over all shards."""

    async def figures(self, now: datetime) -> BusinessFigures:
        """What is counted of the whole system by day, severity and channel."""
