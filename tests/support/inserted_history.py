"""Histories straight into a MongoDB event store, past its appends: 100,000 events in seconds."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from shared.event_store.commit_documents import COLLECTION, to_document
from shared.event_store.envelope import StreamPosition, seal_commit
from shared.events.child import ChildEvent
from shared.keyring.keyring import Keyring
from shared.mongo import Database
from tests.support.commits import offer_of

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
