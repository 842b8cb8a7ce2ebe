"""What one child's records or documents can spoil: that child alone, until it is mended."""

from typing import Any

from aiokafka import AIOKafkaProducer

from shared.clock import new_id
from shared.read_models.generations import live_generation
from shared.read_models.models import Model
from shared.topics import CHILD_EVENTS
from tests.faults.cases.case import Case
from tests.faults.texts import records_of
from tests.faults.world import World
from tests.support.consents import CONSENTS
from tests.support.waiting import eventually

PARKED_SECONDS = 30.0
UNKNOWN = b"teddy.child.ChildTeleported.v1"
NOTHING_KNOWN = b'{"to":"the moon"}'


class NotIsolated(Exception):
    """Another child than the spoilt one was held up, or the spoilt one was not parked."""


async def _unknown_type(world: World) -> int:
    """An event of a type that nobody knows, in a valid envelope, where the child's next one is
    expected."""
    sick, well = await _registered(world), await _registered(world)
    template = await _record_of(world, sick)
    headers = dict(template.headers) | {"ce_type": UNKNOWN, "ce_sequence": b"2"}
    producer = AIOKafkaProducer(bootstrap_servers=_bootstrap(world))
    await producer.start()
    await producer.send_and_wait(
        CHILD_EVENTS.name, NOTHING_KNOWN, sick.encode(), headers=list(headers.items())
    )
    await producer.stop()
    await _is_parked(world, sick, NOTHING_KNOWN)
    await _change(world, well)
    await _change(world, sick)
    await _reaches(world, well, 2)
    await _redrive(world, sick, "--from-store")
    return 1


async def _unwritable(world: World) -> int:
    """MongoDB refuses one child's document, in the midst of batches with others."""
    sick, well = await _registered(world), await _registered(world)
    generation = await live_generation(world.on.database)
    children = generation.collection(world.on.database, Model.CHILDREN).name
    refuse = {"_id": {"$ne": sick}}
    await world.on.database.command({"collMod": children, "validator": refuse})
    try:
        await _change(world, sick)
        await _change(world, well)
        await _is_parked(world, sick)
        await _reaches(world, well, 2)
    finally:
        await world.on.database.command({"collMod": children, "validator": {}})
    await _redrive(world, sick)
    return 1


async def _registered(world: World) -> str:
    """A child that the load leaves alone; its parent's name is in its id's place of `parents`."""
    parent = f"load-parent-{world.run}-{new_id()}"
    async with world.as_parent(parent) as http:
        body = {"name": "Mia", "age": 6, "udid": new_id(), "consents": CONSENTS}
        child = (await http.post("/v1/children", json=body)).raise_for_status().json()
    child_id: str = child["child_id"]
    world.parents[child_id] = parent
    await _reaches(world, child_id, 1)
    return child_id


async def _change(world: World, child_id: str) -> None:
    async with world.as_parent(world.parents[child_id]) as http:
        path = f"/v1/children/{child_id}/profile"
        (await http.patch(path, json={"age": 7})).raise_for_status()


async def _reaches(world: World, child_id: str, version: int) -> None:
    generation = await live_generation(world.on.database)
    children = generation.collection(world.on.database, Model.CHILDREN)

    async def reached() -> bool:
        child = await children.find_one({"_id": child_id})
        return child is not None and child["version"] >= version

    await eventually(reached, PARKED_SECONDS)


async def _is_parked(world: World, child_id: str, value: bytes | None = None) -> None:
    """With the bytes that were sent, where they are known."""
    wanted: dict[str, Any] = {"child_id": child_id} | ({} if value is None else {"value": value})
    letters = world.on.database["dead_letters"]

    async def parked() -> bool:
        return await letters.find_one(wanted) is not None

    await eventually(parked, PARKED_SECONDS)
    listed = await world.teddy("dead-letter", "list")
    if child_id not in listed.stdout:
        raise NotIsolated(f"{child_id} is not listed: {listed.stdout}{listed.stderr}")


async def _redrive(world: World, child_id: str, *options: str) -> None:
    done = await world.teddy("dead-letter", "redrive", "--child", child_id, *options)
    if done.returncode != 0:
        raise NotIsolated(f"not redriven: {done.stderr}")
    await _reaches(world, child_id, 2)


async def _record_of(world: World, child_id: str) -> Any:
    records = await records_of(_bootstrap(world), CHILD_EVENTS.name)
    return next(record for record in records if record.key == child_id.encode())


def _bootstrap(world: World) -> str:
    return world.state.environment["TEDDY_KAFKA_BOOTSTRAP"]


CASES = (
    Case("record-unknown", "an event type that nobody knows; the child is redriven", _unknown_type),
    Case(
        "document-unwritable",
        "MongoDB refuses one child's document; the child is redriven",
        _unwritable,
    ),
)
