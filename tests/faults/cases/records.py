"""Records that are not what they should be: twice, in disorder, missing, poison."""

from typing import Any

from aiokafka import AIOKafkaProducer

from projection_worker.dead_letters.store import DeadLetters
from projection_worker.projecting.decoding import EventSource
from projection_worker.projecting.projector import Projector
from projection_worker.projecting.read_model_store import ReadModelStore
from projection_worker.records import deliver, raw_record
from projection_worker.replay.histories import stream_of
from projection_worker.replay.verify.verifier import Verifier
from shared.clock import new_id, utc_now
from shared.kafka import CHILD_EVENTS
from shared.read_models.generations import Generation
from shared.read_models.indexes import ensure_read_model_indexes
from tests.faults.cases.case import Case
from tests.faults.cases.odd_records import MARK
from tests.faults.world import World
from tests.support.commands import teddy_process
from tests.support.kafka import read_all_records
from tests.support.waiting import eventually

DROPPED = 0.01
LARGEST_BATCH = 40
GARBAGE = b"\x00\xffthis is no event"


class Mangled(Exception):
    """Mangled records made other read models."""


async def _again_in_disorder(world: World) -> int:
    """All records of the topic are published once more, children in any order, events too."""
    records = await _all_records(world)
    world.chance.shuffle(records)
    async with AIOKafkaProducer(bootstrap_servers=world.bootstrap) as producer:
        for record in records:
            headers = list(record.headers)
            await producer.send(CHILD_EVENTS.name, record.value, record.key, headers=headers)
    return len(records)


async def _mangled(world: World) -> int:
    """Another projector gets every record twice, in disorder, one of a hundred not at all."""
    records = await _all_records(world)
    last = {record.key: record for record in records}
    mangled = [r for r in records * 2 if world.chance.random() >= DROPPED]
    world.chance.shuffle(mangled)
    mangled += last.values()  # each child's newest arrives: an end that is missing is only late
    database = world.on.read.database(f"mangled_{new_id()[:8]}")
    generation = Generation(1)
    await ensure_read_model_indexes(database, generation)
    projector = Projector(
        ReadModelStore(world.on.read, database, generation),
        EventSource(world.on.store, world.on.keyring, world.on.index),
        DeadLetters(database, utc_now, generation),
    )
    while mangled:
        size = world.chance.randint(1, LARGEST_BATCH)
        batch, mangled = mangled[:size], mangled[size:]
        await projector.project([deliver(raw_record(record)) for record in batch])
    await _require_equal(world, database, generation, {key.decode() for key in last})
    await database.client.drop_database(database.name)
    return 2 * len(records)


async def _require_equal(
    world: World, database: Any, generation: Generation, child_ids: set[str]
) -> None:
    """What the mangled records had in them is what the events say."""
    verifier = Verifier(
        EventSource(world.on.store, world.on.keyring, world.on.index),
        world.on.read,
        database,
        generation,
    )
    streams = [await stream_of(world.on.store, child_id) for child_id in child_ids]
    found = await verifier.verify_children([one for one in streams if one is not None])
    wrong = [d for d in found.differences if d.child_id not in found.behind]
    if wrong:
        raise Mangled(f"{wrong[0]}")


async def _poison(world: World) -> int:
    """Garbage under a child's key dead-letters that child alone; a redrive fixes it."""
    child_id = world.chance.choice(list(world.parents))
    async with AIOKafkaProducer(bootstrap_servers=world.bootstrap) as producer:
        await producer.send_and_wait(CHILD_EVENTS.name, GARBAGE, child_id.encode())
    letters = world.on.database["dead_letters"]

    async def dead_lettered() -> bool:
        return await letters.find_one({"child_id": child_id, "value": GARBAGE}) is not None

    await eventually(dead_lettered, 30.0)
    redrive = ("dead-letter", "redrive", "--child", child_id, "--from-store")
    done = await teddy_process(world.folder, *redrive)
    assert done.code == 0, done.err
    return 1


async def _all_records(world: World) -> list[Any]:
    records = await read_all_records(world.bootstrap, CHILD_EVENTS.name)
    return [one for one in records if not _is_odd(one)]


def _is_odd(record: Any) -> bool:
    """Whether a case made it up."""
    return record.value == GARBAGE or MARK in record.headers


CASES = (
    Case(
        "records-again-in-disorder",
        "every record published again, shuffled",
        _again_in_disorder,
    ),
    Case(
        "records-twice-shuffled-dropped",
        "a projector gets every record twice, shuffled, 1 % not at all",
        _mangled,
    ),
    Case("records-poison", "unreadable bytes under a child's key; the child is redriven", _poison),
)
