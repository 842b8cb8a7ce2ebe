"""The audit trail as those see it who read it."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple, Protocol

from shared.audit.chain import Block, Tail
from shared.event_store.port import StoreUnavailable


class BlockPlace(NamedTuple):
    """Where a block stands among those about a child, by the index: `since`, then `id`."""

    since: datetime
    id: str


class TrailUnreadable(StoreUnavailable):
    """The trail's store did not answer in time."""


class WatchedTrail(Protocol):
    """What is looked at often, and so is little. Raises StoreUnavailable."""

    async def recent_segments(self) -> list[str]:
        """The newest of those that have not ended, and those that ended last."""

    async def newest_heads(
        self, segment: str, before: int | None, limit: int
    ) -> list[tuple[int, str]]:
        """As a ReadableTrail's."""

    async def purges(self) -> list[str]:
        """As a ReadableTrail's."""

    async def end_of(self, segment: str) -> Tail:
        """Where it ends, by its newest block."""

    async def time_of(self, segment: str, first: int) -> datetime | None:
        """When the block began that has record `first`, or the next one; None: there is none."""

    def with_operation(self, operation: str, since: datetime) -> AsyncIterator[Block]:
        """The blocks that have a record of `operation`, by the index, and none older than
        `since`."""


class ReadableTrail(Protocol):
    """Raises StoreUnavailable."""

    async def heads(self) -> list[str]:
        """Every signed head, by segment and in order."""

    async def segments_of_heads(self) -> list[str]:
        """Those that have a signed head."""

    async def newest_heads(
        self, segment: str, before: int | None, limit: int
    ) -> list[tuple[int, str]]:
        """At most `limit` heads that stand in the segment's places before number `before` (None:
        all), the newest first, each with the number of its place."""

    async def purges(self) -> list[str]:
        """Of each purged segment the newest signed statement."""

    async def segments(self) -> list[str]:
        """Those that have a block."""

    def segment(self, segment: str, first: int = 0) -> AsyncIterator[Block]:
        """The segment's blocks from record `first` on, in order."""

    async def newest_about(
        self, child_id: str, up_to: BlockPlace | None, limit: int
    ) -> list[Block]:
        """At most `limit` blocks that the index has under the child, the newest first, from the one
        at `up_to` on, which is included; None: from the newest on."""
