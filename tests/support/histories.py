"""Children with a past: written through an event store, each event a commit, or straight into
MongoDB, past its appends: 100,000 events in seconds."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shared.clock import new_id, utc_now
from shared.event_store.commit_documents import COLLECTION, to_document
from shared.event_store.envelope import StreamPosition, seal_commit
from shared.event_store.port import EventStore
from shared.events.child import (
    ChildEvent,
    ChildRegistered,
    ConversationEnded,
    ConversationStarted,
    MessageRecorded,
    SafetyViolationReported,
    Severity,
    Speaker,
)
from shared.events.personal import Personal
from shared.keyring.keyring import Keyring
from shared.mongo import Database
from tests.support.commits import offer_of

PARENT = "parent-history"
AT_THE_SAME_TIME = 500


def history(
    child_id: str, events: int, begin: datetime, parent_id: str = PARENT
) -> Iterator[ChildEvent]:
    """A registration, then conversations of eight messages with a violation in every third."""
    yield ChildRegistered(
        child_id=child_id,
        at=begin,
        parent_id=parent_id,
        name=Personal(f"Child {child_id[:4]}"),
        age=4 + hash(child_id) % 9,
        udid=Personal(f"udid-{child_id}"),
    )
    for number in range(1, events):
        at = begin + timedelta(minutes=number)
        talk, place = f"talk-{(number - 1) // 10}", (number - 1) % 10
        if place == 0:
            yield ConversationStarted(child_id=child_id, at=at, conversation_id=talk, topic="space")
        elif place == 9:
            yield ConversationEnded(
                child_id=child_id, at=at, conversation_id=talk, started_at=at - timedelta(minutes=9)
            )
        elif place == 5 and number % 30 < 10:
            yield SafetyViolationReported(
                child_id=child_id,
                at=at,
                violation_id=f"violation-{number}",
                violation_type="rude_words",
                severity=Severity.LOW,
            )
        else:
            yield MessageRecorded(
                child_id=child_id, at=at, conversation_id=talk, speaker=Speaker.CHILD, word_count=7
            )


async def write_histories(
    store: EventStore,
    keyring: Keyring,
    children: int,
    events_each: int,
    written: Callable[[int], object] = lambda _: None,
) -> list[str]:
    """The ids of `children` new children with `events_each` events; `written` hears how many."""
    ids = [new_id() for _ in range(children)]
    waiting = iter(ids)

    async def write_some() -> None:
        for child_id in waiting:
            await _write(store, keyring, child_id, events_each)
            written(events_each)

    await asyncio.gather(*(write_some() for _ in range(min(AT_THE_SAME_TIME, children))))
    return ids


async def _write(store: EventStore, keyring: Keyring, child_id: str, events: int) -> None:
    cipher = await keyring.create(child_id)
    position, begin = StreamPosition(), utc_now() - timedelta(minutes=events)
    for event in history(child_id, events, begin):
        offer = offer_of([event], position, cipher, parent=PARENT, correlation_id=new_id())
        position = (await store.append(offer)).position


AT_ONCE = 1_000


async def insert_history(
    database: Database,
    keyring: Keyring,
    child_id: str,
    happened: Iterable[ChildEvent],
    unreadable: int = 0,
    after: StreamPosition | None = None,
) -> StreamPosition:
    """`happened` to a new child, or to one whose stream ends `after`, each event a commit; where
    the stream ends. The event at the version `unreadable` is of a type that nobody knows. Others
    run between two events."""
    position, documents = after or StreamPosition(), list[dict[str, Any]]()
    cipher = await keyring.create(child_id)
    for event in happened:
        offer = offer_of([event], position, cipher)
        if position.version + 1 == unreadable:
            offer = replace(offer, events=(replace(offer.events[0], type="NobodyKnowsThis"),))
        commit = seal_commit(offer)
        position = commit.position
        documents.append(to_document(commit))
        await asyncio.sleep(0)
        if len(documents) == AT_ONCE:
            await database[COLLECTION].insert_many(documents)
            documents = []
    if documents:
        await database[COLLECTION].insert_many(documents)
    return position
