"""Histories straight into the event store, and how fast a process projects what waits for it."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from unittest import mock

from projection_worker.session import open_stores
from projection_worker.settings import WorkerSettings
from shared.clock import new_id, utc_now
from shared.event_store.envelope import StreamPosition
from tests.bench.system import System, until
from tests.support.histories import history, insert_history

SETTINGS = {"TEDDY_WORKER_STALL_SECONDS": "900"}
"""Of a stack whose worker is frozen while its work is prepared."""

Summed = Callable[[], int]


def insert(system: System, children: int, together: int, rounds: int) -> list[str]:
    """The ids of new children, of each `together` events in a row, `rounds` times."""
    with mock.patch.dict(os.environ, system.environment):
        return asyncio.run(_insert(children, together, rounds))


async def _insert(children: int, together: int, rounds: int) -> list[str]:
    ids, begin = [new_id() for _ in range(children)], utc_now() - timedelta(days=30)
    lives = {child: history(child, together * rounds, begin) for child in ids}
    ends: dict[str, StreamPosition] = {}
    async with open_stores(WorkerSettings()) as on:
        for _ in range(rounds):
            for child, life in lives.items():
                some = islice(life, together)
                after = ends.get(child)
                ends[child] = await insert_history(on.commits, on.keyring, child, some, after=after)
    return ids


@contextmanager
def frozen(system: System, name: str) -> Iterator[None]:
    """The process stands still as long as the block."""
    system.processes[name].send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        system.processes[name].send_signal(signal.SIGCONT)


def published(system: System) -> int:
    """Events that the relay has brought to the topic."""
    found = system.mongo["teddy_write"]["relay"].find_one({"_id": "commits"})
    return 0 if found is None else int(found.get("events", 0))


def versions_in(system: System, collection: Sequence[str], ids: Sequence[str]) -> Summed:
    """Counts the events that documents `_id` with a `version` have seen."""
    database, name = collection
    theirs = {"$match": {"_id": {"$in": list(ids)}}}
    summed = {"$group": {"_id": None, "events": {"$sum": "$version"}}}

    def seen() -> int:
        found = list(system.mongo[database][name].aggregate([theirs, summed]))
        return int(found[0]["events"]) if found else 0

    return seen


def rate(seen: Summed, events: int) -> float:
    """Events a second, from when the first are there until all are; where they come all at once,
    from now. Raises Broken."""
    asked = time.perf_counter()
    until(lambda: seen() > 0, "the first events")
    began, first = time.perf_counter(), seen()
    if first >= events:
        return events / (began - asked)
    until(lambda: seen() >= events, f"{events} events in the read models")
    return (events - first) / (time.perf_counter() - began)
