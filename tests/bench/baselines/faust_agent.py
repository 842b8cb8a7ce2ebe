"""A Faust agent that projects children's events into one MongoDB document a child, in batches.

`python -m tests.bench.baselines.faust_agent TOPIC GROUP`, with the settings of a stack in the
environment; documents in `teddy_bench.GROUP`, `{_id: child, version, ...}`.

It counts what the read model `children` counts. Without decryption, search tokens, the other read
models, transactions, counters, notices, alerts; an event that it cannot read stops it, and records
that arrive twice or not at all are folded as they come.
"""

import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from tempfile import TemporaryDirectory
from typing import Any

import faust
import orjson
from faust.types import EventT
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ReplaceOne

from shared.settings import KafkaSettings, ReadStoreSettings

BATCH, WITHIN_SECONDS = 5_000, 0.25
Document = dict[str, Any]


def folded(document: Document, kind: str, version: int, event: Mapping[str, Any]) -> Document:
    """`document` after one event."""
    document["version"] = version
    match kind:
        case "ChildRegistered":
            document |= event
            document["status"] = "active"
        case "ChildProfileUpdated":
            document |= {name: value for name, value in event.items() if value is not None}
        case "ConversationStarted":
            document["conversation_count"] = document.get("conversation_count", 0) + 1
        case "MessageRecorded":
            document["message_count"] = document.get("message_count", 0) + 1
            document["word_count"] = document.get("word_count", 0) + event["word_count"]
        case "SafetyViolationReported":
            document["open_violations"] = document.get("open_violations", 0) + 1
        case "SafetyViolationResolved":
            document["open_violations"] = document.get("open_violations", 0) - 1
        case "ChildDeactivated":
            document["status"] = "deactivated"
        case "ChildReactivated":
            document["status"] = "active"
    return document


async def project(collection: Any, events: Iterable[EventT[bytes]]) -> None:
    """One read and one bulk write a batch."""
    batch = [(str(dict(event.headers)["ce_subject"], "utf-8"), event) for event in events]
    children = list({child for child, _ in batch})
    documents: dict[str, Document] = {child: {"_id": child} for child in children}
    async for document in collection.find({"_id": {"$in": children}}):
        documents[document["_id"]] = document
    for child, event in batch:
        headers = dict(event.headers)
        kind = headers["ce_type"].decode().removeprefix("teddy.child.").rpartition(".v")[0]
        version = int(headers["ce_sequence"])
        folded(documents[child], kind, version, orjson.loads(event.message.value or b"{}"))
    writes = [ReplaceOne({"_id": child}, documents[child], upsert=True) for child in children]
    await collection.bulk_write(writes, ordered=False)


def build(topic: str, group: str, scratch: str) -> faust.App:
    mongo: Any = AsyncIOMotorClient(ReadStoreSettings().read_mongo_url)
    app = faust.App(
        group,
        broker=f"kafka://{KafkaSettings().kafka_bootstrap}",
        store="memory://",
        datadir=scratch,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
    )

    async def agent(stream: Any) -> None:
        batches: AsyncIterator[list[EventT[bytes]]] = stream.take_events(BATCH, WITHIN_SECONDS)
        async for events in batches:
            await project(mongo["teddy_bench"][group], events)

    app.agent(app.topic(topic, key_serializer="raw", value_serializer="raw"))(agent)
    return app


if __name__ == "__main__":
    with TemporaryDirectory(prefix="teddy-bench-faust-") as scratch:
        app = build(sys.argv[1], sys.argv[2], scratch)
        faust.Worker(
            app, loglevel="error", quiet=True, redirect_stdouts=False
        ).execute_from_commandline()
