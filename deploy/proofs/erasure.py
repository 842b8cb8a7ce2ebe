"""Is anything left of an erased child? Every store is asked anew."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from projection_worker.dead_letters.store import DEAD_LETTERS, PARKED_CHILDREN
from projection_worker.projecting.removal import documents_beside
from shared.audit.block_check import Finding
from shared.erasures import Receipt
from shared.event_store.envelope import (
    ChainBroken,
    Commit,
    RecordedEvent,
    StreamPosition,
    verify_chain,
)
from shared.event_store.port import ClaimStore, EventStore, SnapshotStore, pages
from shared.events.child import ERASED
from shared.events.personal import IS_FROM_OPENED, IS_SEALED, fields_marked
from shared.keyring.erased_list import ErasedList
from shared.keyring.key_store import KeyStore
from shared.mongo import Database
from shared.read_models.deliveries import DELIVERIES_COLLECTION, deliveries
from shared.read_models.documents import ChildDocument, ChildStatus, Model
from shared.read_models.generations import Generation, read_catalog
from shared.serialization.events import in_clear
from shared.serialization.schema import UndecodableEvent

TELLING = (
    *fields_marked(ChildDocument, IS_SEALED),
    *fields_marked(ChildDocument, IS_FROM_OPENED),
    "consents",
)
"""What says something of a child in its own document; a tombstone has none of it."""

MOST_NAMED = 50
"""Of what is wrong with the events; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Places:
    """Wherever something of a child may be. `published`: when each child was erased, as the topic
    of erasures says."""

    events: EventStore
    claims: ClaimStore
    snapshots: SnapshotStore
    keys: KeyStore
    erased: ErasedList
    read_models: Database
    published: Mapping[str, datetime]


async def what_is_left(places: Places, receipt: Receipt) -> list[Finding]:
    """Nothing when the erasure holds. Raises StoreUnavailable or PyMongoError."""
    child_id = receipt.child_id
    found = [left async for left in _beside_the_keys(places, child_id)]
    found += [left async for left in _in_the_event_store(places, receipt)]
    if count := await deliveries(places.read_models).count_documents({"child_id": child_id}):
        found.append(Finding(DELIVERIES_COLLECTION, f"{count} documents of the child"))
    for kept in (await read_catalog(places.read_models)).kept:
        found += [left async for left in _in_generation(places, kept.generation, child_id)]
    for name in (DEAD_LETTERS, PARKED_CHILDREN):
        count = await places.read_models[name].count_documents({"child_id": child_id})
        if count:
            found.append(Finding(name, f"{count} documents of the child"))
    return found


async def _beside_the_keys(places: Places, child_id: str) -> AsyncIterator[Finding]:
    if not await places.erased.find([child_id]):
        yield Finding("list of erased children", "the child is not on it")
    if child_id not in places.published:
        yield Finding("topic of erasures", "it does not contain the child")
    if await places.keys.find([child_id]):
        yield Finding("keys", "the child has a key")
    elif not await places.keys.destroyed([child_id]):
        yield Finding("keys", "no tombstone prevents a new key for the child")


async def _in_the_event_store(places: Places, receipt: Receipt) -> AsyncIterator[Finding]:
    child_id = receipt.child_id
    if await places.claims.held_by([child_id]):
        yield Finding("reservations", "a bear is still claimed for the child")
    if await places.snapshots.kept_of([child_id]):
        yield Finding("snapshots", "the child has a snapshot")
    wrong: list[str] = []
    more = 0
    async for what in wrong_with(places.events, child_id):
        if len(wrong) < MOST_NAMED:
            wrong.append(what)
        else:
            more += 1
    for what in [*wrong, *([f"and {more:,} more of the kind"] if more else [])]:
        yield Finding("events", what)


async def wrong_with(events: EventStore, child_id: str) -> AsyncIterator[str]:
    """What is wrong with the history of an erased child."""
    position, is_whole = StreamPosition(), True
    newest: Commit | None = None
    async for commits in pages(events, child_id):
        newest = commits[-1]
        try:
            position = verify_chain(commits, position) if is_whole else position
        except ChainBroken as broken:
            is_whole = False
            yield f"version {broken.version}: {broken.reason}"
        for commit in commits:
            for event in commit.recorded_events():
                for what in _in_clear(event):
                    yield what
    if newest is None:
        yield "the child's history is missing"
    elif newest.events[-1].type != ERASED:
        yield "the history does not end with the erasure"


def _in_clear(event: RecordedEvent) -> list[str]:
    try:
        return [f"version {event.version}: {name} is not sealed" for name in in_clear(event)]
    except UndecodableEvent as error:
        return [f"version {event.version}: {error}"]


async def _in_generation(
    places: Places, generation: Generation, child_id: str
) -> AsyncIterator[Finding]:
    children = generation.collection(places.read_models, Model.CHILDREN)
    child = await children.find_one({"_id": child_id})
    where = generation.collection_name(Model.CHILDREN)
    if child is not None and child["status"] != ChildStatus.ERASED.value:
        yield Finding(where, "the child is not marked as erased")
    if child is not None and any(child.get(name) for name in TELLING):
        yield Finding(where, "values derived from the child")
    for model, wanted in documents_beside(child_id).items():
        count = await generation.collection(places.read_models, model).count_documents(wanted)
        if count:
            yield Finding(generation.collection_name(model), f"{count} documents of the child")
