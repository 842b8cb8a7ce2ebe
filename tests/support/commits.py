"""Commits to be offered to a store: small ones without personal data, those of events, streams."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from shared.clock import utc_now
from shared.event_store.envelope import (
    Actor,
    Causality,
    EncodedEvent,
    Idempotency,
    NewCommit,
    StreamPosition,
)
from shared.event_store.port import EventStore
from shared.events.child import ERASED, ChildEvent
from shared.keyring.keyring import ChildCipher
from shared.serialization.events import encode

NOON = datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC)

_offers = count(1)


def an_offer(
    child_id: str,
    expected: StreamPosition | None = None,
    events: int = 1,
    key: str | None = None,
    recorded_at: datetime = NOON,
) -> NewCommit:
    """A commit of `events` events; every offer has its own correlation id, as in life."""
    return NewCommit(
        child_id=child_id,
        expected=expected or StreamPosition(),
        events=tuple(_an_event(child_id, number) for number in range(events)),
        recorded_at=recorded_at,
        actor=Actor("device-1", "device"),
        causality=Causality(f"correlation-{next(_offers)}", "cause-1", None),
        idempotency=Idempotency(key, "fingerprint") if key else None,
        result={"conversation_id": "conversation-1"},
    )


def offer_of(
    events: Sequence[ChildEvent],
    position: StreamPosition,
    cipher: ChildCipher,
    at: datetime | None = None,
    parent: str = "parent-1",
    correlation_id: str = "correlation-1",
) -> NewCommit:
    """One commit of these events of a child, whose stream ends at `position`; recorded `at`, else
    now."""
    return NewCommit(
        child_id=events[0].child_id,
        expected=position,
        events=tuple(encode(one, n, cipher) for n, one in enumerate(events, position.version + 1)),
        recorded_at=at or utc_now(),
        actor=Actor(parent, "parent"),
        causality=Causality(correlation_id),
    )


def _an_event(child_id: str, number: int) -> EncodedEvent:
    at = NOON + timedelta(milliseconds=number)
    data = f'{{"child_id":"{child_id}","at":"2026-11-23T12:00:00.{123 + number}Z"}}'
    return EncodedEvent("ChildReactivated", 1, at, data)


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
