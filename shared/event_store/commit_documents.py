"""Commits as MongoDB documents. The document holds exactly what the commit's hash covers."""

from collections.abc import Iterator

from shared.envelope import (
    Actor,
    Causality,
    Commit,
    EncodedEvent,
    Idempotency,
    RecordedEvent,
)
from shared.mongo import Document

COLLECTION = "commits"


def to_document(commit: Commit) -> Document:
    document: Document = {
        "_id": commit.place,
        "child_id": commit.child_id,
        "first_version": commit.first_version,
        "events": [
            {
                "type": event.type,
                "schema_version": event.schema_version,
                "occurred_at": event.occurred_at,
                "data": event.data,
            }
            for event in commit.events
        ],
        "recorded_at": commit.recorded_at,
        "actor": {"subject": commit.actor.subject, "role": commit.actor.role},
        "causality": {
            "correlation_id": commit.causality.correlation_id,
            "causation_id": commit.causality.causation_id,
            "traceparent": commit.causality.traceparent,
        },
        "result": commit.result,
        "previous_hash": commit.previous_hash,
        "hash": commit.hash,
    }
    if commit.idempotency is not None:
        document["idempotency"] = {
            "key": commit.idempotency.key,
            "fingerprint": commit.idempotency.fingerprint,
        }
    return document


def from_document(document: Document) -> Commit:
    idempotency = document.get("idempotency")
    return Commit(
        child_id=document["child_id"],
        first_version=document["first_version"],
        events=tuple(EncodedEvent(**event) for event in document["events"]),
        recorded_at=document["recorded_at"],
        actor=Actor(**document["actor"]),
        causality=Causality(**document["causality"]),
        idempotency=Idempotency(**idempotency) if idempotency else None,
        result=document["result"],
        previous_hash=document["previous_hash"],
        hash=document["hash"],
    )


PUBLISHED_FIELDS = ("child_id", "first_version", "events", "recorded_at", "causality")
"""What `recorded_events` needs of a document."""


def recorded_events(document: Document) -> Iterator[RecordedEvent]:
    """As `from_document(document).recorded_events()`, at half the cost: the relay's hot path."""
    for version, event in enumerate(document["events"], document["first_version"]):
        yield RecordedEvent(
            child_id=document["child_id"],
            version=version,
            recorded_at=document["recorded_at"],
            **event,
            **document["causality"],
        )
