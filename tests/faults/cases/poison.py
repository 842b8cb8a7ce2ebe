"""What one child's records or documents can spoil: that child alone, until it is redriven."""

from typing import Any

from aiokafka import AIOKafkaProducer

from shared.kafka import CHILD_EVENTS
from shared.read_models.documents import Model
from shared.read_models.generations import live_generation
from tests.faults.cases.case import Case
from tests.faults.cases.own_child import OwnChild
from tests.faults.world import World
from tests.support.kafka import read_all_records

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
    Case("record-unknown", "an unknown event type; the child is redriven", _unknown_type),
    Case(
        "document-unwritable",
        "MongoDB refuses one child's document; the child is redriven",
        _unwritable,
    ),
)
