"""Everything that the system wrote anywhere, as bytes to search in: logs, topics, databases."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from projection_worker.session import Stores
from shared.kafka import ALL_TOPICS, partitions_of
from shared.mongo import Mongo

RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)


def texts_of_logs(folder: Path) -> dict[str, bytes]:
    return {f"the log {path.name}": path.read_bytes() for path in folder.glob("*.log")}


async def texts_of_databases(on: Stores) -> dict[str, bytes]:
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


async def texts_of_topics(bootstrap: str) -> dict[str, bytes]:
    return {
        f"the topic {topic.name}": b"\n".join(map(_bytes, await records_of(bootstrap, topic.name)))
        for topic in ALL_TOPICS
    }


async def records_of(bootstrap: str, topic: str) -> list[Any]:
    """All that is on the topic now, each partition in its order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        places = await partitions_of(consumer, topic)
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends: Mapping[Any, int] = await consumer.end_offsets(places)
        records: list[Any] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            fetched = await consumer.getmany(timeout_ms=200, max_records=5_000)
            records += [record for part in fetched.values() for record in part]
        return records
    finally:
        await consumer.stop()


def _bytes(record: Any) -> bytes:
    return b"\n".join(_parts(record))


def _parts(record: Any) -> Iterator[bytes]:
    yield record.key or b""
    yield record.value or b""
    yield from (value or b"" for _, value in record.headers)
