"""What was acknowledged, against the event store and the topic."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.local import plans
from deploy.local.state import StackState
from shared.event_store.mongo import MongoEventStore
from shared.kafka import CHILD_EVENTS
from shared.mongo import Mongo
from shared.serialization.cloud_events import from_record
from tests.support.kafka import read_all_records

WRITE_DATABASE = "teddy_write"

Streams = Mapping[str, Mapping[int, str]]
"""The types of events, by child and version."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """`missing_*` name events, `<child>@<version>`. `repeated` counts records that the topic holds
    once more, which consumers drop by version."""

    commands: int
    events: int
    missing_in_store: list[str]
    unexplained_in_store: list[str]
    missing_on_topic: list[str]
    out_of_order: list[str]
    repeated: int

    @property
    def lost(self) -> int:
        return len(self.missing_in_store) + len(self.missing_on_topic)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.unexplained_in_store or self.out_of_order)


async def account(state: StackState, acknowledged: Sequence[Mapping[str, Any]]) -> Ledger:
    """Every command that was sent has been acknowledged: what the store has beside is a fault."""
    answered = streams_of(acknowledged)
    stored = await _stored(state, answered)
    bootstrap = state.environment[plans.KAFKA_BOOTSTRAP]
    records = await read_all_records(bootstrap, CHILD_EVENTS.name)
    events = [from_record(record.value, record.headers) for record in records]
    published = [(event.child_id, event.version) for event in events]
    return compare(answered, stored, published, len(acknowledged))


def compare(
    answered: Streams, stored: Streams, published: Iterable[tuple[str, int]], commands: int
) -> Ledger:
    """`published`: child and version of each record, in the order of the topic."""
    versions: dict[str, list[int]] = {child_id: [] for child_id in answered}
    for child_id, version in published:
        if child_id in versions:
            versions[child_id].append(version)
    first_seen = {child_id: list(dict.fromkeys(seen)) for child_id, seen in versions.items()}
    return Ledger(
        commands=commands,
        events=sum(map(len, answered.values())),
        missing_in_store=_beyond(answered, stored),
        unexplained_in_store=_beyond(stored, answered),
        missing_on_topic=[
            f"{child_id}@{version}"
            for child_id, types in answered.items()
            for version in types.keys() - set(versions[child_id])
        ],
        out_of_order=[child_id for child_id, seen in first_seen.items() if seen != sorted(seen)],
        repeated=sum(len(versions[c]) - len(seen) for c, seen in first_seen.items()),
    )


def streams_of(acknowledged: Iterable[Mapping[str, Any]]) -> dict[str, dict[int, str]]:
    """The events that answers told of."""
    streams: dict[str, dict[int, str]] = defaultdict(dict)
    for answer in acknowledged:
        first = answer["version"] - len(answer["events"]) + 1
        streams[answer["child_id"]].update(enumerate(answer["events"], first))
    return streams


def _beyond(some: Streams, others: Streams) -> list[str]:
    return [
        f"{child_id}@{version}"
        for child_id, types in some.items()
        for version, event_type in types.items()
        if others.get(child_id, {}).get(version) != event_type
    ]


async def _stored(state: StackState, child_ids: Iterable[str]) -> Streams:
    mongo = Mongo(state.environment[plans.MONGO_URLS[0]])
    store = MongoEventStore(mongo.database(WRITE_DATABASE))
    stored = {}
    for child_id in child_ids:
        commits = await store.load(child_id)
        types = [event.type for commit in commits for event in commit.events]
        stored[child_id] = dict(enumerate(types, 1))
    await store.close()
    await mongo.close()
    return stored
