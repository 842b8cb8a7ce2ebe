"""The processes of a rebuild: what each does with its share of slices, and how they are started.

`python -m projection_worker.replay.rebuild.processes` is started by the rebuild alone. It ends when
its standard input does, so it never outlives the process that started it, however that one ends."""

import asyncio
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import click
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from projection_worker.dead_letters.store import DeadLetters
from projection_worker.projecting.alerts import BeforeLive
from projection_worker.projecting.decoding import EventSource
from projection_worker.projecting.generations import rules_of
from projection_worker.projecting.projector import Projector
from projection_worker.projecting.read_model_store import ReadModelStore, StaleBatch
from projection_worker.replay.documents import StoredChildren
from projection_worker.replay.histories import in_batches, streams
from projection_worker.replay.rebuild.children import PartsOfChildren, WholeChildren
from projection_worker.replay.rebuild.ledger import Done, Kind, Ledger, Plan, Slice
from projection_worker.replay.rebuild.pacing import Pace
from projection_worker.replay.rebuild.slices import (
    BATCH_EVENTS,
    ChildSliceBuilder,
    PartitionSliceBuilder,
)
from projection_worker.replay.verify.verifier import Verifier, verifier_of
from projection_worker.session import Failed, Stores, open_stores
from projection_worker.settings import WorkerSettings
from shared.clock import utc_now
from shared.event_store.port import StoreUnavailable
from shared.fault_points import FaultPoint
from shared.garbage import tune_gc
from shared.logs import configure_logs
from shared.part_processes import end_with_parent, last_line_of_failed, started
from shared.read_models.generations import Generation, live_generation
from shared.read_models.indexes import stale_since
from shared.settings import load_settings

SETTLE_SECONDS = 30.0
"""How long workers may take to bring a child to where the event store was."""


@dataclass(frozen=True, slots=True)
class Share:
    """Every `of`-th slice from `part` on. `rate`: most events a second, None for no limit."""

    part: int
    of: int
    rate: float | None = None


class ReadModelsDiffer(Exception):
    """A slice was built and is not what the events say. The first differences are in the text."""


class ShareOfRebuild:
    def __init__(self, on: Stores, plan: Plan, share: Share) -> None:
        self._on = on
        self._plan = plan
        self._share = share
        self._ledger = Ledger(on.database)
        self._pace = Pace(share.rate)

    async def build(self) -> None:
        """Raises StaleBatch, PyMongoError, KafkaError, StoreUnavailable."""
        projector, read_models, dead_letters = await self._new_generation()
        partitions = PartitionSliceBuilder(
            self._on.settings.kafka, projector, self._ledger, self._pace
        )
        whole = WholeChildren(projector, read_models)
        children = ChildSliceBuilder(
            self._on.store,
            whole if self._plan.whole else await self._parts_of_children(read_models),
            whole,
            dead_letters,
            self._ledger,
            self._pace,
        )
        for one in await self._mine(Done.NOTHING):
            builder = partitions if one.kind is Kind.PARTITION else children
            await builder.build(one)

    async def verify(self) -> None:
        """Raises ReadModelsDiffer, PyMongoError, StoreUnavailable."""
        on = self._on
        verifier = verifier_of(on, self._plan.generation, self._plan.models)
        for one in await self._mine(Done.BUILT):
            if one.kind is Kind.CHILDREN:
                await self._verify(one, verifier)
                await self._ledger.finish(one, Done.VERIFIED)

    async def _verify(self, one: Slice, verifier: Verifier) -> None:
        """Children that could not be folded are left out: the rebuild decides about them."""
        histories, verified = streams(self._on.store, one.begin, one.end), 0

        async def seen(events: int) -> None:
            nonlocal verified
            verified += events
            await self._ledger.verified(one, verified)

        async for batch, _ in in_batches(histories, BATCH_EVENTS):
            ids = [stream.child_id for stream in batch]
            stuck = await stale_since(self._on.database, self._plan.generation, ids)
            folded = [stream for stream in batch if stream.child_id not in stuck]
            verification = await verifier.verify_children(folded, SETTLE_SECONDS, seen)
            if verification.found:  # what does not open is reported by the rebuild
                await self._ledger.verified(one, 0)
                first = verification.differences[:3]
                named = "; ".join(f"{d.model}/{d.document} {d.field}" for d in first)
                raise ReadModelsDiffer(f"{verification.found} differences, first {named}")

    async def _mine(self, done: Done) -> list[Slice]:
        slices, share = await self._ledger.slices(self._plan.generation), self._share
        return [one for one in slices if one.done is done and one.number % share.of == share.part]

    async def _new_generation(self) -> tuple[Projector, ReadModelStore, DeadLetters]:
        on, generation = self._on, self._plan.generation
        read_models = ReadModelStore(
            on.read,
            on.database,
            generation,
            FaultPoint.REBUILD_MID_TRANSACTION,
            before_live=BeforeLive(await live_generation(on.database), self._plan.begun_at),
        )
        dead_letters = DeadLetters(on.database, utc_now, generation)
        projector = Projector(
            read_models,
            EventSource(on.store, on.keyring, on.index),
            dead_letters,
            rules=await rules_of(on.database, generation),
            takes_sealed=True,
        )
        return projector, read_models, dead_letters

    async def _parts_of_children(self, read_models: ReadModelStore) -> PartsOfChildren:
        on, plan = self._on, self._plan
        documents = StoredChildren(on.read, on.database, await live_generation(on.database))
        rules = await rules_of(on.database, plan.generation)
        return PartsOfChildren(documents, read_models, on.keyring, on.index, plan.models, rules)


EXPECTED = (PyMongoError, KafkaError, StoreUnavailable, StaleBatch, ReadModelsDiffer, OSError)
MODULE = "projection_worker.replay.rebuild.processes"


class ProcessFailed(Failed):
    """A process of the rebuild ended early; the message is its last line. `reason`: the error's
    name, where the process foresaw it."""

    def __init__(self, code: int | None, said: str) -> None:
        super().__init__(f"a process of the rebuild ended ({code}): {said}")
        name = said.partition(":")[0]
        foreseen = {error.__name__ for error in _with_subclasses(EXPECTED)}
        self.reason = name if name in foreseen else None


def _with_subclasses(errors: Iterable[type[Exception]]) -> Iterator[type[Exception]]:
    for error in errors:
        yield error
        yield from _with_subclasses(error.__subclasses__())


async def run_processes(work: str, generation: int, number: int, rate: float | None) -> None:
    """`number` processes share `work` and `rate`; returns when all are done.

    Raises ProcessFailed as soon as one fails; then, and when cancelled, the others are ended."""
    arguments = [work, "--generation", str(generation), "--of", str(number)]
    if rate is not None:
        arguments += ["--rate", str(rate / number)]
    parts = [[*arguments, "--part", str(part)] for part in range(number)]
    async with started(MODULE, parts) as processes:
        await asyncio.gather(*map(_succeeds, processes))


async def _succeeds(process: asyncio.subprocess.Process) -> None:
    said = await last_line_of_failed(process)
    if said is not None:
        raise ProcessFailed(process.returncode, said)


BUILD, VERIFY = "build", "verify"


@click.command()
@click.argument("work", type=click.Choice([BUILD, VERIFY]))
@click.option("--generation", type=int, required=True)
@click.option("--part", type=int, required=True)
@click.option("--of", type=int, required=True)
@click.option("--rate", type=float)
def main(work: str, generation: int, part: int, of: int, rate: float | None) -> None:
    """Do every OF-th slice from PART on; the last line of standard error says what went wrong."""
    end_with_parent()
    settings = load_settings(WorkerSettings)
    configure_logs(settings, "rebuild")
    try:
        asyncio.run(_run(settings, work, Generation(generation), Share(part, of, rate)))
    except EXPECTED as error:
        sys.exit(f"{type(error).__name__}: {error}")


async def _run(settings: WorkerSettings, work: str, generation: Generation, share: Share) -> None:
    async with open_stores(settings) as on:
        plan = await Ledger(on.database).plan(generation)
        if plan is None:
            raise OSError(f"there is no plan to rebuild generation {generation.number}")
        mine = ShareOfRebuild(on, plan, share)
        tune_gc()
        await (mine.build() if work == BUILD else mine.verify())


if __name__ == "__main__":
    main()
