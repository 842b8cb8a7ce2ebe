"""Loads what the checker judges: the event store, the verified read models, the topic, the logs."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from projection_worker.dead_letter import DeadLetters
from projection_worker.replay.opened import Opened
from shared.clock import utc_now
from shared.envelope import Commit
from shared.read_models.generations import live_generation
from shared.topic_partitions import partitions_of
from shared.topics import CHILD_EVENTS
from tests.faults.checker import Facts

SETTLE_SECONDS = 60.0
LOOK_SECONDS = 0.25


async def load_facts(
    on: Opened, logs: Path, canaries: Sequence[str], *, topic_is_whole: bool
) -> Facts:
    """Waits until nothing is on its way any more, at most SETTLE_SECONDS."""
    commits: dict[str, list[Commit]] = defaultdict(list)
    async for commit in on.store.scan():
        commits[commit.child_id].append(commit)
    generation = await live_generation(on.database)
    parked = await DeadLetters(on.database, utc_now, generation).all_parked()
    verification = await on.verifier(generation).verify(SETTLE_SECONDS)
    differences = [
        f"{d.model}/{d.document} {d.field}: {d.expected!r} expected, {d.found!r} found"
        for d in verification.differences
        if d.child_id not in parked
    ]
    late = verification.behind - set(parked)
    return Facts(
        commits=commits,
        read_model_differences=differences,
        parked=frozenset(parked),
        published=await _published(on) if topic_is_whole else None,
        logs={path.name: path.read_text(errors="replace") for path in logs.glob("*.log")},
        canaries=canaries,
        lag=f"{len(late)} children behind after {SETTLE_SECONDS:.0f} s" if late else "",
    )


async def _published(on: Opened) -> list[tuple[str, int]]:
    """(child, version) of all records, partition by partition; the relay may still be at it."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=on.settings.kafka_bootstrap, enable_auto_commit=False
    )
    await consumer.start()
    try:
        places = await partitions_of(consumer, CHILD_EVENTS.name)
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(places)
        found: list[tuple[str, int]] = []
        async with asyncio.timeout(SETTLE_SECONDS):
            while any([await consumer.position(place) < ends[place] for place in places]):
                fetched = await consumer.getmany(timeout_ms=200, max_records=5_000)
                records = (record for part in fetched.values() for record in part)
                found += [place for place in map(_place, records) if place is not None]
        return found
    finally:
        await consumer.stop()


def _place(record: object) -> tuple[str, int] | None:
    """None for what no relay published: poison of the harness has no sequence."""
    headers = dict(record.headers)  # type: ignore[attr-defined] # aiokafka has no types
    sequence = headers.get("ce_sequence", b"")
    subject = headers.get("ce_subject", b"")
    return (subject.decode(), int(sequence)) if sequence.isdigit() else None
