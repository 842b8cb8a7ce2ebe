"""Loads what the checker judges: the event store, the verified read models, the topic, the logs."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from command_service.api.command_route import RequestKeys
from projection_worker.dead_letters.store import DeadLetters
from projection_worker.replay.verify.verifier import verifier_of
from projection_worker.session import Stores
from shared.clock import utc_now
from shared.event_store.commit_documents import COLLECTION, from_document
from shared.event_store.envelope import Commit
from shared.kafka import CHILD_EVENTS
from shared.keyring.key_file import read_key_file
from shared.mongo import Database, Mongo
from shared.read_models.deliveries import DeliveryState, deliveries
from shared.read_models.documents import Model
from shared.read_models.generations import Generation, live_generation
from tests.faults.checker import Facts
from tests.support.kafka import read_all_records, texts_of_topics
from tests.support.waiting import eventually

SETTLE_SECONDS = 60.0
RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)


async def load_facts(
    on: Stores,
    logs: Path,
    canaries: Sequence[str],
    *,
    topic_is_whole: bool,
    settle_seconds: float = SETTLE_SECONDS,
) -> Facts:
    """Waits until nothing is on its way any more, at most `settle_seconds`."""
    commits: dict[str, list[Commit]] = defaultdict(list)
    async for commit in on.store.scan():
        commits[commit.child_id].append(commit)
    generation = await live_generation(on.database)
    dead_lettered = await DeadLetters(on.database, utc_now, generation).all_dead_lettered()
    verification = await verifier_of(on, generation).verify(settle_seconds)
    # now all alerts are raised
    undelivered = await _undelivered(on.database, generation, settle_seconds)
    differences = [
        f"{d.model}/{d.document} {d.field}: {d.expected!r} expected, {d.found!r} found"
        for d in verification.differences
        if d.child_id not in dead_lettered
    ]
    late = verification.behind - set(dead_lettered)
    texts = {f"the log {path.name}": path.read_bytes() for path in logs.glob("*.log")}
    bootstrap = on.settings.kafka_bootstrap
    async with asyncio.timeout(SETTLE_SECONDS):
        published = await _published(bootstrap) if topic_is_whole else None
        topics = await texts_of_topics(bootstrap)
    return Facts(
        commits=commits,
        unchanged=await _unchanged(on.commits),
        read_model_differences=differences,
        dead_lettered=frozenset(dead_lettered),
        undelivered=undelivered,
        published=published,
        texts=texts | topics | await _texts_of_databases(on),
        canaries=canaries,
        request_keys=RequestKeys(read_key_file(on.settings.key_file).index_key),
        lag=f"{len(late)} children behind after {settle_seconds:.0f} s" if late else "",
    )


async def _texts_of_databases(on: Stores) -> dict[str, bytes]:
    """Every collection of the event store, the keys and the read models, as it is on the wire."""
    settings = on.settings
    names = {settings.write_database, settings.read_database, settings.keys_database}
    mongo = Mongo(settings.write_mongo_url, "pymongo")  # one server holds all three here
    texts: dict[str, bytes] = {}
    for database in map(mongo.database, sorted(names)):
        for name in await database.list_collection_names():
            found = database.get_collection(name, codec_options=RAW).find({})
            texts[f"the collection {database.name}.{name}"] = b"".join(
                [document.raw async for document in found]  # type: ignore[attr-defined] # raw BSON
            )
    await mongo.close()
    return texts


async def _unchanged(store: Database) -> list[Commit]:
    return [from_document(each) async for each in store[COLLECTION].find({"events": []})]


async def _undelivered(database: Database, generation: Generation, seconds: float) -> list[str]:
    """The deliveries that are not delivered after at most `seconds`, and alerts that have none."""
    with suppress(TimeoutError):
        await eventually(
            lambda: _not_delivered(database, generation),
            seconds,
            lambda undelivered: not undelivered,
        )
    return await _not_delivered(database, generation)


async def _not_delivered(database: Database, generation: Generation) -> list[str]:
    missing = {
        f"{alert['_id']} on {channel}: nobody is to deliver it"
        async for alert in generation.collection(database, Model.ALERTS).find({})
        for channel in alert["channels"]
        if await deliveries(database).find_one({"alert_id": alert["_id"], "channel": channel})
        is None
    }
    open_ones = deliveries(database).find({"state": {"$ne": DeliveryState.DELIVERED}})
    return [
        *sorted(missing),
        *[
            f"{one['_id']} is {one['state']} after {one['attempts']} attempts: {one['last_error']}"
            async for one in open_ones
        ],
    ]


async def _published(bootstrap: str) -> list[tuple[str, int]]:
    """(child, version) of all records, partition by partition."""
    records = await read_all_records(bootstrap, CHILD_EVENTS.name)
    return [place for place in map(_place, records) if place is not None]


def _place(record: Any) -> tuple[str, int] | None:
    """None for what no relay published: poison of the harness has no sequence."""
    headers = dict(record.headers)
    sequence = headers.get("ce_sequence") or b""
    subject = headers.get("ce_subject") or b""
    return (subject.decode(), int(sequence)) if sequence.isdigit() else None
