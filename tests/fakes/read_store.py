"""The read models in memory: the same answers as query_service/read_store gives from MongoDB."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from query_service.read_store.business_figures import BusinessFigures
from query_service.read_store.family_counts import FamilyCounts
from query_service.read_store.operations import Operations
from query_service.read_store.port import (
    TOO_OLD_FOR_A_QUEUE,
    VIOLATIONS_APART,
    VISIBLE_STATUSES,
    ChildFilter,
    PageEnd,
    ReadStoreUnavailable,
    Violations,
)
from query_service.read_store.violation_filter import QueueEnd, ViolationFilter
from query_service.read_store.violations import ListedViolations, listed_in
from query_service.read_store.whole_child import SORTED_BY, After, Document, GenerationGone, Part
from shared.read_models.deliveries import DeliveryDocument
from shared.read_models.documents import (
    ActivityDocument,
    AlertDocument,
    ChildDocument,
    ConversationDocument,
    Model,
    SafetyDocument,
    SystemDocument,
    ViolationDocument,
)
from shared.read_models.formulas import minutes_by_day
from shared.read_models.generations import (
    CONVERSATION_LIMIT_MINUTES,
    Catalog,
    Generation,
    KeptGeneration,
)
from shared.read_models.operation_states import OperationStanding
from tests.fakes.business_figures import figures_of
from tests.fakes.violation_queue import queue_of

T = TypeVar("T")
FIRST = Generation(1)

A_DAY = timedelta(days=1)


class MemoryReadModels:
    """Put documents into the dictionaries (by `_id`) and ask. `projections`: the version of those
    that made them; before 7 violations stand in the safety documents."""

    def __init__(self) -> None:
        self.children: dict[str, ChildDocument] = {}
        self.conversations: dict[str, ConversationDocument] = {}
        self.safety_documents: dict[str, SafetyDocument] = {}
        self.violations: dict[str, ViolationDocument] = {}
        self.projections = VIOLATIONS_APART
        self.limit = timedelta(minutes=CONVERSATION_LIMIT_MINUTES)
        self.activity_days: dict[str, ActivityDocument] = {}
        self.alerts: dict[str, AlertDocument] = {}
        self.deliveries: dict[str, DeliveryDocument] = {}
        self.system: dict[str, SystemDocument] = {}
        self.stale: dict[str, datetime] = {}
        self.through: datetime | None = None
        self.away_for: float | None = None
        self.started: list[OperationStanding] = []
        """Operations, the newest first."""
        self.known = Operations(Catalog(FIRST, (KeptGeneration(FIRST),)))

    @property
    def models(self) -> dict[Model, dict[str, Any]]:
        """Those that are of one child each."""
        of_children: Any = {
            Model.CHILDREN: self.children,
            Model.CONVERSATIONS: self.conversations,
            Model.SAFETY: self.safety_documents,
            Model.VIOLATIONS: self.violations,
            Model.ACTIVITY: self.activity_days,
            Model.ALERTS: self.alerts,
        }
        return dict(of_children)

    async def operations(self) -> Operations:
        return self.known

    async def started_operations(self, limit: int) -> Sequence[OperationStanding]:
        return self.started[:limit]

    async def ping(self) -> None:
        """Memory always answers."""

    def away_seconds(self) -> float | None:
        """As a test says with `away_for`; it answers all the same."""
        return self.away_for

    async def projected_through(self) -> datetime | None:
        return self.through

    async def projected_version(self, child_id: str) -> int:
        child = self.children.get(child_id)
        return child["version"] if child else 0

    async def parent_of(self, child_id: str) -> str | None:
        child = self.children.get(child_id)
        return child["parent_id"] if child else None

    async def child(self, child_id: str, parent_id: str | None) -> ChildDocument | None:
        found = (c for c in self._visible() if c["_id"] == child_id)
        return next((c for c in found if parent_id in (None, c["parent_id"])), None)

    async def children_by_id(self, child_ids: Collection[str]) -> Sequence[ChildDocument]:
        return [child for child in self._visible() if child["_id"] in child_ids]

    async def stale_since(self, child_ids: Collection[str]) -> Mapping[str, datetime]:
        return {child: self.stale[child] for child in child_ids if child in self.stale}

    async def count_family(self, parent_id: str) -> FamilyCounts:
        children = [one for one in self._visible() if one["parent_id"] == parent_id]
        alerts = (one for one in self.alerts.values() if one["parent_id"] == parent_id)
        unread = sum(1 for one in alerts if one.get("acknowledged_at") is None)
        return FamilyCounts.of(children, unread)

    async def recent_conversations(
        self, child_ids: Collection[str], per_child: int
    ) -> dict[str, list[ConversationDocument]]:
        newest_first = sorted(
            self.conversations.values(), key=lambda c: _newest_first(c["started_at"], c["_id"])
        )
        return {
            child_id: [c for c in newest_first if c["child_id"] == child_id][:per_child]
            for child_id in child_ids
        }

    async def safety(self, child_id: str) -> SafetyDocument | None:
        return self.safety_documents.get(child_id)

    async def violations_of(self, child_id: str) -> Violations:
        if self.projections < VIOLATIONS_APART:
            return ListedViolations(listed_in(self.safety_documents.get(child_id)))
        mine = (one for one in self.violations.values() if one["child_id"] == child_id)
        return ListedViolations(mine)

    async def violation_queue(
        self, wanted: ViolationFilter, after: QueueEnd | None, limit: int
    ) -> Sequence[ViolationDocument]:
        if self.projections < VIOLATIONS_APART:
            raise ReadStoreUnavailable(TOO_OLD_FOR_A_QUEUE)
        return queue_of(self.violations.values(), wanted, after, limit)

    async def activity(
        self, child_id: str, first_day: str, last_day: str
    ) -> list[ActivityDocument]:
        days = (d for d in self.activity_days.values() if d["child_id"] == child_id)
        wanted = (d for d in days if first_day <= d["day"] <= last_day)
        return sorted(wanted, key=lambda d: d["day"])

    async def open_minutes(
        self, child_id: str, since: datetime, now: datetime
    ) -> Mapping[str, float]:
        minutes: defaultdict[str, float] = defaultdict(float)
        for one in self.conversations.values():
            start = one["started_at"]
            is_open = one["child_id"] == child_id and one["ended_at"] is None
            if not is_open or not since - A_DAY <= start <= now:
                continue
            for day, lasted in minutes_by_day(start, now, self.limit).items():
                minutes[day] += lasted
        return minutes

    async def conversation_limit(self) -> timedelta:
        return self.limit

    async def search(
        self, wanted: ChildFilter, after: PageEnd | None, limit: int
    ) -> Sequence[ChildDocument]:
        found = (child for child in self._visible() if _meets(child, wanted))
        return _page(found, lambda c: PageEnd(c["created_at"], c["_id"]), after, limit)

    async def alerts_of(
        self, parent_id: str, after: PageEnd | None, limit: int
    ) -> Sequence[AlertDocument]:
        found = (alert for alert in self.alerts.values() if alert["parent_id"] == parent_id)
        return _page(found, lambda a: PageEnd(a["raised_at"], a["_id"]), after, limit)

    async def conversations_page(
        self, child_id: str, after: PageEnd | None, limit: int
    ) -> Sequence[ConversationDocument]:
        found = (one for one in self.conversations.values() if one["child_id"] == child_id)
        return _page(found, lambda c: PageEnd(c["started_at"], c["_id"]), after, limit)

    async def unread_alerts(self, child_ids: Collection[str]) -> Mapping[str, int]:
        unread = (a for a in self.alerts.values() if a.get("acknowledged_at") is None)
        return Counter(a["child_id"] for a in unread if a["child_id"] in child_ids)

    async def delivered_about(self, child_id: str) -> int:
        mine = (one for one in self.alerts.values() if one["child_id"] == child_id)
        return sum(len(one["delivered"]) for one in mine)

    async def deliveries_about(self, child_id: str) -> Mapping[str, int]:
        mine = (one for one in self.deliveries.values() if one["child_id"] == child_id)
        return Counter(one["state"] for one in mine)

    async def system_counters(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for shard in self.system.values():
            total.update(shard["counters"])
        return dict(total)

    async def figures(self, now: datetime) -> BusinessFigures:
        knows = self.projections >= VIOLATIONS_APART
        return figures_of(
            self._visible(),
            self.activity_days.values(),
            self.violations.values() if knows else None,
            self.deliveries.values(),
            now,
        )

    def _visible(self) -> Iterable[ChildDocument]:
        return (child for child in self.children.values() if child["status"] in VISIBLE_STATUSES)


def _meets(child: ChildDocument, wanted: ChildFilter) -> bool:
    return (
        set(wanted.name_tokens) <= set(child["name_tokens"])
        and (wanted.age_min is None or child["age"] >= wanted.age_min)
        and (wanted.age_max is None or child["age"] <= wanted.age_max)
        and all(child["parent_id"] == parent_id for parent_id in wanted.parent_ids)
        and wanted.safety_status in (None, child["safety_status"])
        and wanted.engagement_level in (None, child["engagement_level"])
        and wanted.status in (None, child["status"])
        and (not wanted.has_open_violations or child["open_violations_count"] > 0)
    )


def _page(
    found: Iterable[T], place_of: Callable[[T], PageEnd], after: PageEnd | None, limit: int
) -> list[T]:
    def rank(place: PageEnd) -> tuple[float, str]:
        return _newest_first(place.at, place.id)

    items = sorted(found, key=lambda item: rank(place_of(item)))
    if after is not None:
        items = [item for item in items if rank(place_of(item)) > rank(after)]
    return items[:limit]


def _newest_first(at: datetime, identity: str) -> tuple[float, str]:
    return -at.timestamp(), identity


class MemoryWholeChild:
    """`generations` by their number; take one away, and it is not kept any more."""

    def __init__(self, models: MemoryReadModels) -> None:
        self.generations = {1: models}
        self.live_number = 1

    async def live(self) -> int:
        return self.live_number

    async def is_kept(self, generation: int) -> bool:
        return generation in self.generations

    async def page(
        self, generation: int, child_id: str, part: Part, after: After | None, limit: int
    ) -> Sequence[Document]:
        if generation not in self.generations:
            raise GenerationGone
        found = list(_all_of(self.generations[generation], child_id, part))
        if part not in SORTED_BY:
            return found
        found.sort(key=lambda one: str(one["_id"]), reverse=True)
        found.sort(key=lambda one: After.of(part, one).key)
        following = (one for one in found if after is None or _is_beyond(part, one, after))
        return [one for _, one in zip(range(limit), following, strict=False)]


def _all_of(models: MemoryReadModels, child_id: str, part: Part) -> Iterable[Document]:
    documents: Mapping[Part, Mapping[str, Any]] = {
        Part.CONVERSATION: models.conversations,
        Part.ACTIVITY: models.activity_days,
        Part.ALERT: models.alerts,
    }
    safety: Mapping[str, Any] | None = models.safety_documents.get(child_id)
    match part:
        case Part.PROFILE:
            return [models.children[child_id]] if child_id in models.children else []
        case Part.SAFETY:
            without_list = {k: v for k, v in (safety or {}).items() if k != "violations"}
            return [without_list] if safety is not None else []
        case Part.VIOLATION if safety is not None and "violations" in safety:
            return [{**one, "_id": f"{child_id}/{one['id']}"} for one in safety["violations"]]
        case Part.VIOLATION:
            return [one for one in models.violations.values() if one["child_id"] == child_id]
        case _:
            return [one for one in documents[part].values() if one["child_id"] == child_id]


def _is_beyond(part: Part, document: Document, after: After) -> bool:
    own: Any = After.of(part, document)
    return bool(own.key > after.key or (own.key == after.key and own.id < after.id))
