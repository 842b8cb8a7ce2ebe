"""The gate: what of a batch is to be applied to one child, in order, and what is not."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from projection_worker.dead_letter import BehindParked, Parked, park
from projection_worker.delivery import Delivered
from shared.envelope import RecordedEvent
from shared.erasures.notice import ERASED
from shared.event_store.port import EventStore


class HoleInStream(Exception):
    """Events are missing before this one, and the event store does not have them either."""


@dataclass(slots=True)
class ChildSequence:
    """One child's part of a batch.

    `fresh`: versions gate+1, gate+2, ... without a hole. `skipped`: at or below the gate.
    `sources`: the records that brought the fresh versions; refilled ones have none.
    `failure`: at which version folding stopped, and why. `unopened`: why something sealed that was
    folded does not open.
    """

    child_id: str
    shard: str
    fresh: list[RecordedEvent] = field(default_factory=list)
    skipped: list[RecordedEvent] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)
    sources: dict[int, Delivered] = field(default_factory=dict)
    failure: tuple[int, Exception] | None = None
    unopened: Exception | None = None

    def park_from(self, version: int, error: Exception) -> None:
        """Give up on `version` and everything behind it."""
        self.failure = (version, error)
        self.fresh = [event for event in self.fresh if event.version < version]
        given_up = [self.sources[v] for v in sorted(self.sources) if v >= version]
        behind = BehindParked("an earlier record of this child is parked")
        self.parked[:0] = [
            park(delivered, error if number == 0 else behind)
            for number, delivered in enumerate(given_up)
        ]


async def sequence(
    child_id: str,
    records: Sequence[Delivered],
    gate: int,
    store: EventStore,
    *,
    behind_parked: bool = False,
) -> ChildSequence:
    """Sort `records` of one child by what the gate says; refill holes from `store`.

    `behind_parked`: an earlier record of the child is parked, so everything fresh is parked too,
    but not an erasure: of what came before it nothing has to be folded.
    """
    erasure = next((one for one in records if _erases(one.event, gate)), None)
    if erasure is not None:
        return await _ended(erasure, records, gate, store)
    found = ChildSequence(child_id, records[0].shard)
    fresh: dict[int, RecordedEvent] = {}
    for delivered in records:
        event = delivered.event
        if event is not None and event.version <= gate:
            found.skipped.append(event)
        elif event is None or found.parked or behind_parked:
            behind = BehindParked("an earlier record of this child is parked")
            found.parked.append(park(delivered, delivered.problem or behind))
        else:
            fresh[event.version] = event
            found.sources[event.version] = delivered
    if fresh and max(fresh) - gate != len(fresh):
        fresh = await _refilled(fresh, child_id, gate, store)
    found.fresh = [fresh[version] for version in sorted(fresh)]
    for version, event in enumerate(found.fresh, gate + 1):
        if event.version != version:
            found.park_from(event.version, HoleInStream(f"version {version} is nowhere"))
            break
    return found


def all_that_counts(events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """Of a child that is erased: how its stream begins, and that it ended. Of others: all."""
    if not events or events[-1].type != ERASED:
        return list(events)
    return [event for event in events if event.version == 1 or event is events[-1]]


def _erases(event: RecordedEvent | None, gate: int) -> bool:
    return event is not None and event.type == ERASED and event.version > gate


async def _ended(
    erasure: Delivered, records: Sequence[Delivered], gate: int, store: EventStore
) -> ChildSequence:
    """What can no longer be folded, or never could, keeps nobody from being erased."""
    assert erasure.event is not None
    found = ChildSequence(erasure.child_id, erasure.shard)
    found.sources[erasure.event.version] = erasure
    known = [one.event for one in records if one.event is not None and one.event.version == 1]
    if gate == 0 and not known:
        commits = await store.load(erasure.child_id)
        known = [event for commit in commits[:1] for event in commit.recorded_events()]
    found.fresh = all_that_counts([*(known if gate == 0 else []), erasure.event])
    if gate == 0 and found.fresh[0].version != 1:
        found.park_from(erasure.event.version, HoleInStream("version 1 is nowhere"))
    return found


async def _refilled(
    fresh: dict[int, RecordedEvent], child_id: str, gate: int, store: EventStore
) -> dict[int, RecordedEvent]:
    last = max(fresh)
    stored = {
        event.version: event
        for commit in await store.load(child_id, gate)
        for event in commit.recorded_events()
        if gate < event.version <= last
    }
    return {**stored, **fresh}
