"""Records that are not what they should be: twice, in disorder, missing, poison. What one child's
records or documents can spoil is that child alone, until it is redriven."""

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
from shared.read_models.documents import Model
from shared.read_models.generations import Generation, live_generation
from shared.read_models.indexes import ensure_read_model_indexes
from tests.faults.cases.case import Case
from tests.faults.cases.odd_records import MARK
from tests.faults.cases.own_child import OwnChild
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
    await eventually(lambda: letters.find_one({"child_id": child_id, "value": GARBAGE}), 30.0)
    redrive = ("dead-letter", "redrive", "--child", child_id, "--from-store")
    done = await teddy_process(world.folder, *redrive)
    assert done.code == 0, done.err
    return 1


async def _all_records(world: World) -> list[Any]:
    """But those that a case made up."""
    records = await read_all_records(world.bootstrap, CHILD_EVENTS.name)
    return [one for one in records if one.value != GARBAGE and MARK not in one.headers]


UNKNOWN = b"teddy.child.ChildTeleported.v1"
NOTHING_KNOWN = b'{"to":"the moon"}'


async def _unknown_type(world: World) -> int:
    """An event of a type that nobody knows, in a valid envelope, where the child's next one is
    expected."""
    sick, well = await OwnChild.registered(world), await OwnChild.registered(world)
    template = await _record_of(world, sick.child_id)
    following = b"%d" % (sick.version + 1)
    headers = dict(template.headers) | {"ce_type": UNKNOWN, "ce_sequence": following}
    async with AIOKafkaProducer(bootstrap_servers=world.bootstrap) as producer:
        await producer.send_and_wait(
            CHILD_EVENTS.name, NOTHING_KNOWN, sick.child_id.encode(), headers=list(headers.items())
        )
    await sick.is_dead_lettered(NOTHING_KNOWN)
    await well.changes()
    await sick.changes()
    await well.is_projected()
    await sick.is_redriven("--from-store")
    return 1


async def _unwritable(world: World) -> int:
    """MongoDB refuses one child's document, in the midst of batches with others."""
    sick, well = await OwnChild.registered(world), await OwnChild.registered(world)
    generation = await live_generation(world.on.database)
    children = generation.collection(world.on.database, Model.CHILDREN).name
    refuse = {"_id": {"$ne": sick.child_id}}
    await world.on.database.command({"collMod": children, "validator": refuse})
    try:
        await sick.changes()
        await well.changes()
        await sick.is_dead_lettered()
        await well.is_projected()
    finally:
        await world.on.database.command({"collMod": children, "validator": {}})
    await sick.is_redriven()
    return 1


async def _record_of(world: World, child_id: str) -> Any:
    records = await read_all_records(world.bootstrap, CHILD_EVENTS.name)
    return next(record for record in records if record.key == child_id.encode())


CASES = (
    Case("records-again-in-disorder", "every record published again, shuffled", _again_in_disorder),
    Case(
        "records-twice-shuffled-dropped",
        "a projector gets every record twice, shuffled, 1 % not at all",
        _mangled,
    ),
    Case("records-poison", "unreadable bytes under a child's key; the child is redriven", _poison),
    Case("record-unknown", "an unknown event type; the child is redriven", _unknown_type),
    Case(
        "document-unwritable",
        "MongoDB refuses one child's document; the child is redriven",
        _unwritable,
    ),
)
