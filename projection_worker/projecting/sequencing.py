"""What of a batch is to be applied to one child, in order, and what its checkpoint has seen."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from projection_worker.records import BehindDeadLettered, DeadLettered, Delivered, dead_letter
from shared.event_store.envelope import RecordedEvent
from shared.event_store.port import EventStore
from shared.events.child import ERASED


class GapInStream(Exception):
    """Events are missing before this one, and the event store does not have them either."""

    def __init__(self, missing: int) -> None:
        super().__init__(f"version {missing} is missing in the event store")


BEHIND = BehindDeadLettered("an earlier record of this child is dead-lettered")
REFILL_COMMITS = 2_000
"""Most that are read and folded at once of what a child lacks: who has more to catch up does so
part by part, and nobody else waits for more than one."""


@dataclass(slots=True)
class ChildSequence:
    """One child's part of a batch.

    `fresh`: versions checkpoint+1, checkpoint+2, ... without a gap. `skipped`: at or below the
    checkpoint. `sources`: the records that brought the fresh versions; refilled ones have none.
    `waiting`: the records that are to come again when `fresh` is folded: more is missing before
    them. `failure`: at which version folding stopped, and why. `unopened`: why something sealed
    that was folded does not open."""

    child_id: str
    shard: str
    fresh: list[RecordedEvent] = field(default_factory=list)
    skipped: list[RecordedEvent] = field(default_factory=list)
    dead_lettered: list[DeadLettered] = field(default_factory=list)
    sources: dict[int, Delivered] = field(default_factory=dict)
    waiting: list[Delivered] = field(default_factory=list)
    failure: tuple[int, Exception] | None = None
    unopened: Exception | None = None

    def ends_after(self, event: RecordedEvent) -> bool:
        """Whether the child is erased by a fresh event behind `event`."""
        return any(one.type == ERASED and one.version > event.version for one in self.fresh)

    def dead_letter_from(self, version: int, error: Exception) -> None:
        """Give up on `version` and everything behind it."""
        self.failure = (version, error)
        self.fresh = [event for event in self.fresh if event.version < version]
        given_up = [self.sources[v] for v in sorted(self.sources) if v >= version] + self.waiting
        self.waiting = []
        self.dead_lettered[:0] = [
            dead_letter(delivered, error if number == 0 else delivered.problem or BEHIND)
            for number, delivered in enumerate(given_up)
        ]


async def sequence(
    child_id: str,
    records: Sequence[Delivered],
    checkpoint: int,
    store: EventStore,
    *,
    behind_dead_lettered: bool = False,
) -> ChildSequence:
    """Sort `records` of one child by what the checkpoint says; refill gaps from `store`.

    `behind_dead_lettered`: an earlier record of the child is dead-lettered, so everything fresh is,
    too, but not an erasure: of what came before it nothing has to be folded."""
    newer = [one.event for one in records if one.event and one.event.version > checkpoint]
    erasures = [event for event in newer if event.type == ERASED]
    if erasures:
        erasure = max(erasures, key=lambda event: event.version)
        return await _ended(erasure, records, checkpoint, store)
    found = ChildSequence(child_id, records[0].shard)
    fresh: dict[int, RecordedEvent] = {}
    for delivered in records:
        event = delivered.event
        if event is not None and event.version <= checkpoint:
            found.skipped.append(event)
        elif event is None or found.dead_lettered or behind_dead_lettered:
            found.dead_lettered.append(dead_letter(delivered, delivered.problem or BEHIND))
        else:
            fresh[event.version] = event
            found.sources[event.version] = delivered
    if fresh and max(fresh) - checkpoint != len(fresh):
        stored, there_is_more = await _stored(
            child_id, checkpoint, max(fresh), store, REFILL_COMMITS
        )
        if there_is_more and stored[-1].version - checkpoint == len(stored):
            return _first_part(found, stored, records)
        fresh = {event.version: event for event in stored} | fresh
    found.fresh = [fresh[version] for version in sorted(fresh)]
    _dead_letter_behind_a_gap(found, checkpoint)
    return found


def all_that_counts(events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """Of an erased child: how its stream begins, and everything from its end on. Of others: all."""
    ends = [event.version for event in events if event.type == ERASED]
    if not ends:
        return list(events)
    return [event for event in events if event.version == 1 or event.version >= ends[-1]]


async def _ended(
    erasure: RecordedEvent, records: Sequence[Delivered], checkpoint: int, store: EventStore
) -> ChildSequence:
    """What can no longer be folded, or never could, keeps nobody from being erased."""
    child_id = erasure.child_id
    found = ChildSequence(child_id, records[0].shard)
    known: dict[int, RecordedEvent] = {}
    for delivered in records:
        if delivered.event is not None and delivered.event.version > checkpoint:
            known[delivered.event.version] = delivered.event
            found.sources[delivered.event.version] = delivered
    if checkpoint == 0 and 1 not in known:
        commits = await store.load(child_id, limit=1)
        known |= {event.version: event for one in commits for event in one.recorded_events()}
    later = {version: event for version, event in known.items() if version > erasure.version}
    if later and max(later) - erasure.version != len(later):
        # no command is taken behind an erasure, so this is next to nothing
        stored, _ = await _stored(child_id, erasure.version, max(later), store)
        known = {event.version: event for event in stored} | known
    found.fresh = all_that_counts([known[version] for version in sorted(known)])
    if checkpoint == 0 and found.fresh[0].version != 1:
        found.dead_letter_from(erasure.version, GapInStream(1))
    _dead_letter_behind_a_gap(found, erasure.version)
    return found


def _dead_letter_behind_a_gap(found: ChildSequence, checkpoint: int) -> None:
    """What is fresh above `checkpoint` is to follow it without a gap."""
    above = (event.version for event in found.fresh if event.version > checkpoint)
    for version, there in enumerate(above, checkpoint + 1):
        if there != version:
            found.dead_letter_from(there, GapInStream(version))
            return


async def _stored(
    child_id: str, checkpoint: int, last: int, store: EventStore, limit: int | None = None
) -> tuple[list[RecordedEvent], bool]:
    """What the store has behind `checkpoint` and up to `last`, of at most `limit` commits; whether
    it may have more."""
    commits = await store.load(child_id, checkpoint, limit)
    events = [event for commit in commits for event in commit.recorded_events()]
    there_is_more = len(commits) == limit and commits[-1].last_version < last
    return [event for event in events if checkpoint < event.version <= last], there_is_more


def _first_part(
    found: ChildSequence, stored: list[RecordedEvent], records: Sequence[Delivered]
) -> ChildSequence:
    """What was read, and every record behind it again later: also those to be dead-lettered,
    which must not overtake what comes before them."""
    through = stored[-1].version
    brought = {version: source.event for version, source in found.sources.items()}
    found.fresh = [brought.get(event.version) or event for event in stored]
    found.sources = {v: source for v, source in found.sources.items() if v <= through}
    found.dead_lettered = []
    found.waiting = [one for one in records if one.event is None or one.event.version > through]
    return found
