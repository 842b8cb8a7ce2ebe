"""Records that are none, on every topic: nobody stops, and what is known goes on behind them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from projection_worker.dead_letters.redrive import Discard
from projection_worker.dead_letters.store import DeadLetteredSequences
from shared.clock import new_id
from shared.kafka import (
    CHILD_ALERTS,
    CHILD_ERASURES,
    CHILD_EVENTS,
    DEAD_LETTERS,
    READ_MODEL_CHANGES,
    Topic,
)
from shared.read_models.notices import AlertNotice, ChangeNotice
from shared.serialization.cloud_events import to_record
from tests.faults.cases.case import Case
from tests.faults.cases.own_child import OwnChild
from tests.faults.world import World
from tests.support.waiting import eventually

SERVICES = ("command", "relay", "worker", "query")
DEEP = 5_000
HUGE = b'"' + b"x" * 1_048_400 + b'"'
"""Just below what producers send: with anything added to it, it is too large."""

OUT_OF_RANGE = "0001-01-01T00:00:00+14:00"
WRONG: tuple[Any, ...] = (None, 5, 1.5, True, [], {}, "", "pigeon", OUT_OF_RANGE, 2**63, ["a", 5])
NO_NOTICE = (
    None,
    b"",
    b"\x00\xffno notice",
    b"null",
    b"[]",
    b'"text"',
    b"{}",
    b'{"version":1e999}',
    b"[" * DEEP,
    HUGE,
)
SEEN_SECONDS = 15.0

MARK = ("odd", b"")
"""On all of them, so that other cases do not repeat them."""

Headers = list[tuple[str, Any]]
Record = tuple[bytes | None, bytes | None, Headers]
"""Key, value, headers."""


class Disturbed(Exception):
    """A process ended over an odd record, or what is known did not go on."""


async def _events(world: World) -> int:
    """Each under a key of its own, so that none hides behind another; one under a child's."""
    sick, well = await OwnChild.registered(world), await OwnChild.registered(world)
    records = await _odd_events(world, sick)
    async with _nobody_stops(world):
        await _send(world, CHILD_EVENTS, records)
        await sick.is_dead_lettered()
        await well.changes()
        await well.is_projected()
        await well.is_notified(await well.raises_an_alert())
        letters = world.on.database["dead_letters"]
        await eventually(
            lambda: letters.count_documents({}), SEEN_SECONDS, lambda count: count >= len(records)
        )
    await sick.is_redriven("--from-store")
    await _discard(world, {(key or b"").decode("utf-8", "replace") for key, _, _ in records})
    return len(records)


async def _alerts(world: World) -> int:
    well = await OwnChild.registered(world)
    notice = AlertNotice(
        *(new_id(), well.child_id, well.parent, "critical", new_id(), new_id(), "high"),
        channels=["in_app"],
        raised_at="2026-11-25T12:00:00.000Z",
    )
    odd = [*NO_NOTICE, notice.to_json(), *_wrong_fields(notice.to_json())]
    return await _notices(world, CHILD_ALERTS, odd, well)


async def _changes(world: World) -> int:
    well = await OwnChild.registered(world)
    notice = ChangeNotice(f"nobody-{new_id()}", f"nobody-{new_id()}", 3)
    odd = [*NO_NOTICE, notice.to_json(), *_wrong_fields(notice.to_json())]
    return await _notices(world, READ_MODEL_CHANGES, odd, well)


async def _dead_letters(world: World) -> int:
    """Nobody reads that topic but operators' own tools."""
    return await _notices(world, DEAD_LETTERS, NO_NOTICE, await OwnChild.registered(world))


async def _erasures(world: World) -> int:
    """Who starts reads the topic from its beginning; a child is erased behind it."""
    well = await OwnChild.registered(world)
    notice = orjson.dumps({"child_id": f"nobody-{new_id()}", "at": "2026-11-25T12:00:00.000Z"})
    odd = [*NO_NOTICE, notice, *_wrong_fields(notice)]
    sent = await _notices(world, CHILD_ERASURES, odd, well)
    for name in ("query", "relay", "worker"):
        await world.kill(name)
    async with world.as_parent(well.parent) as http:
        (await http.delete(f"/v1/children/{well.child_id}/personal-data")).raise_for_status()

    await eventually(well.reads, SEEN_SECONDS, lambda shown: shown.status_code in (404, 410))
    return sent


async def _notices(world: World, topic: Topic, odd: Sequence[bytes | None], well: OwnChild) -> int:
    """On every partition, before a child raises an alert and its cached answer changes."""
    async with _nobody_stops(world):
        (await well.reads()).raise_for_status()
        records: list[Record] = [(f"key-{n}".encode(), value, []) for n, value in enumerate(odd)]
        for partition in range(topic.partitions):
            await _send(world, topic, records, partition)
        await well.is_notified(await well.raises_an_alert())
        # at the version that the API answered, though nobody asks for it
        await eventually(
            well.reads,
            SEEN_SECONDS,
            lambda shown: shown.raise_for_status().json()["version"] >= well.version,
        )
    return len(records) * topic.partitions


@asynccontextmanager
async def _nobody_stops(world: World) -> AsyncIterator[None]:
    before = {name: world.process(name).pid for name in SERVICES}
    yield
    for name, pid in before.items():
        await world.is_well(name)
        if world.process(name).pid != pid:
            raise Disturbed(f"the {name} ended")


async def _odd_events(world: World, sick: OwnChild) -> list[Record]:
    commits = await world.on.store.load(sick.child_id)
    (first, *_) = commits[0].recorded_events()
    ours = to_record(first)

    def under(key: str, value: bytes | None = ours.value, **headers: Any) -> Record:
        given = dict(ours.headers) | {"ce_subject": key.encode(), **headers}
        return key.encode(), value, list(given.items())

    sequence = b"%d" % (sick.version + 1)
    # the content's child is the sick one: under another key every one of them is odd
    return [
        under(sick.child_id, b"\x00\xffno event", ce_sequence=sequence),
        (None, ours.value, ours.headers),
        (b"\xff\xfe", ours.value, ours.headers),
        *((_nobody(), value, []) for value in NO_NOTICE),
        *(under(_nobody().decode(), value) for value in NO_NOTICE if value is not HUGE),
        *(under(_nobody().decode(), value) for value in _wrong_fields(ours.value)),
        *(under(_nobody().decode(), **odd) for odd in _odd_headers()),
    ]


def _nobody() -> bytes:
    return f"nobody-{new_id()}".encode()


def _odd_headers() -> Iterator[dict[str, bytes | None]]:
    names = ("ce_type", "ce_sequence", "ce_time", "ce_recordedtime", "ce_correlationid")
    for name in names[:-1]:
        for odd in (None, b"", b"\xff", b"teddy.child.ChildTeleported.v1", OUT_OF_RANGE.encode()):
            yield {name: odd}
    yield {"ce_type": b"teddy.child.ChildRegistered.v99"}
    yield {"ce_sequence": b"9" * 30}
    yield {"ce_subject": b"somebody-else"}


def _wrong_fields(value: bytes) -> Iterator[bytes]:
    """Every field once of each wrong type, once missing; and one that nobody knows."""
    content: Mapping[str, Any] = orjson.loads(value)
    for name in content:
        yield orjson.dumps({other: content[other] for other in content if other != name})
        yield from (orjson.dumps({**content, name: wrong}) for wrong in WRONG)
    yield orjson.dumps({**content, "mood": "new"})


async def _send(
    world: World, topic: Topic, records: Sequence[Record], partition: int | None = None
) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=world.bootstrap, max_request_size=1_048_576
    ) as producer:
        sent = [
            await producer.send(topic.name, value, key, partition, headers=[*headers, MARK])
            for key, value, headers in records
        ]
        await asyncio.gather(*sent)


async def _discard(world: World, keys: set[str]) -> None:
    dead_lettered = DeadLetteredSequences(world.on.database)
    discard = Discard(world.on.database, dead_lettered, world.on.store)
    for key in keys:
        await discard.carry_out(await dead_lettered.letters_of(key))


CASES = (
    Case(
        "odd-records-on-events",
        "no JSON, wrong types, unknown types and schemas, null, huge, no header, any key",
        _events,
    ),
    *(
        Case(f"odd-records-on-{topic}", f"no JSON, wrong types, null, huge as {what}", inject)
        for topic, what, inject in (
            ("alerts", "alert notices; alerts that do not exist; unknown channels", _alerts),
            ("changes", "change notices", _changes),
            ("dead-letters", "dead letters", _dead_letters),
            ("erasures", "erasures; their readers are restarted afterwards", _erasures),
        )
    ),
)
