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

    def ends_after(self, event: RecordedEvent) -> bool:
        """Whether the child is erased by a fresh event behind `event`."""
        return any(one.type == ERASED and one.version > event.version for one in self.fresh)

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
    erasures = [one.event for one in records if one.event and _erases(one.event, gate)]
    if erasures:
        return await _ended(max(erasures, key=_version), records, gate, store)
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
    _park_behind_a_hole(found, gate)
    return found


def all_that_counts(events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """Of an erased child: how its stream begins, and everything from its end on. Of others: all."""
    ends = [event.version for event in events if event.type == ERASED]
    if not ends:
        return list(events)
    return [event for event in events if event.version == 1 or event.version >= ends[-1]]


def _erases(event: RecordedEvent, gate: int) -> bool:
    return event.type == ERASED and event.version > gate


def _version(event: RecordedEvent) -> int:
    return event.version


async def _ended(
    erasure: RecordedEvent,
    records: Sequence[Delivered],
    gate: int,
    store: EventStore,
) -> ChildSequence:
    """What can no longer be folded, or never could, keeps nobody from being erased."""
    child_id = erasure.child_id
    found = ChildSequence(child_id, records[0].shard)
    known: dict[int, RecordedEvent] = {}
    for delivered in records:
        if delivered.event is not None and delivered.event.version > gate:
            known[delivered.event.version] = delivered.event
            found.sources[delivered.event.version] = delivered
    if gate == 0 and 1 not in known:
        commits = await store.load(child_id)
        known |= {event.version: event for one in commits[:1] for event in one.recorded_events()}
    later = {version: event for version, event in known.items() if version > erasure.version}
    if later and max(later) - erasure.version != len(later):
        known |= await _refilled(later, child_id, erasure.version, store)
    found.fresh = all_that_counts([known[version] for version in sorted(known)])
    if gate == 0 and found.fresh[0].version != 1:
        found.park_from(erasure.version, HoleInStream("version 1 is nowhere"))
    _park_behind_a_hole(found, erasure.version)
    return found


def _park_behind_a_hole(found: ChildSequence, gate: int) -> None:
    """What is fresh above `gate` is to follow it without a hole."""
    above = (event.version for event in found.fresh if event.version > gate)
    for version, there in enumerate(above, gate + 1):
        if there != version:
            found.park_from(there, HoleInStream(f"version {version} is nowhere"))
            return


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
