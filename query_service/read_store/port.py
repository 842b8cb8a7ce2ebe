"""The read models as queries see them. Twins: memory.py, mongo.py.

Whoever may see only part of them passes `parent_id`: it is a condition of the search itself, so
what is not theirs is never read. Erased children are never found.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.event_store.port import StoreUnavailable
from shared.read_models.documents import (
    ActivityDocument,
    AlertDocument,
    ChildDocument,
    ChildStatus,
    ConversationDocument,
    EngagementLevel,
    SafetyDocument,
    SafetyStatus,
)

VISIBLE_STATUSES = (ChildStatus.ACTIVE, ChildStatus.DEACTIVATED)


class ReadStoreUnavailable(StoreUnavailable):
    """The read models could not be read in time."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: lists are sorted by time, the newest first, and then by id."""

    at: datetime
    id: str


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


class ReadModelDatabase(Protocol):
    """Every coroutine may raise ReadStoreUnavailable."""

    def away_seconds(self) -> float | None:
        """How long ago it answered last, while it does not; None while it does."""

    async def ping(self) -> None:
        """Returns when the read models can be read."""

    async def projected_through(self) -> datetime | None:
        """All that was stored until then is in what is read from now on; None: nobody knows."""

    async def gate(self, child_id: str) -> int:
        """The version that the child's read models have reached, also of an erased child; 0
        when there are none."""

    async def parent_of(self, child_id: str) -> str | None:
        """Whose child it is, also of an erased child."""

    async def child(self, child_id: str, parent_id: str | None) -> ChildDocument | None:
        """The child, if it is `parent_id`'s (None: whoever's)."""

    async def stale_since(self, child_ids: Collection[str]) -> Mapping[str, datetime]:
        """Those of the children that are dead-lettered: since when their read models stand still.
        Also of children that there is no document of."""

    async def children_of(self, parent_id: str, limit: int) -> list[ChildDocument]:
        """The parent's children, the newest first."""

    async def recent_conversations(
        self, child_ids: Collection[str], per_child: int
    ) -> dict[str, list[ConversationDocument]]:
        """The latest conversations of each child, the newest first."""

    async def safety(self, child_id: str) -> SafetyDocument | None:
        """None until the child's first safety event."""

    async def activity(
        self, child_id: str, first_day: str, last_day: str
    ) -> list[ActivityDocument]:
        """The child's days from `first_day` to `last_day` (ISO, both included) that have any
        activity, in order."""

    async def search(
        self, wanted: ChildFilter, after: Place | None, limit: int
    ) -> Sequence[ChildDocument]:
        """At most `limit` children after `after`, by `created_at`."""

    async def alerts_of(
        self, parent_id: str, after: Place | None, limit: int
    ) -> Sequence[AlertDocument]:
        """At most `limit` alerts after `after`, by `raised_at`."""

    async def conversations_of(self, child_id: str) -> list[ConversationDocument]:
        """All of them, the oldest first."""

    async def alerts_about(self, child_id: str) -> list[AlertDocument]:
        """All alerts that the child gave rise to, the oldest first."""

    async def unread_alerts(self, child_ids: Collection[str]) -> Mapping[str, int]:
        """How many alerts about each child its parent did not acknowledge; without those of whom
        there are none."""

    async def deliveries_about(self, child_id: str) -> Mapping[str, int]:
        """How many deliveries of the child's alerts are in which state (DeliveryState)."""

    async def system_counters(self) -> dict[str, int]:
        """The counters of SystemDocument, summed over all shards."""
