"""Streams of commits in an event store, by how many events each commit has."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.event_store.envelope import StreamPosition
from shared.event_store.port import EventStore
from shared.events.child import ERASED
from tests.support.commits import an_offer


async def append_streams(
    store: EventStore, streams: Mapping[str, Sequence[int]], erased_at: int = 0
) -> None:
    """The commit that holds the version `erased_at` erases its child."""
    for child_id, sizes in streams.items():
        position = StreamPosition()
        for size in sizes:
            offer = an_offer(child_id, position, size)
            if position.version < erased_at <= position.version + size:
                ends = tuple(replace(event, type=ERASED) for event in offer.events)
                offer = replace(offer, events=ends)
            position = (await store.append(offer)).position
