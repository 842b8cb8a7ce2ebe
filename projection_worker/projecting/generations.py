"""One batch into every generation of the read models that this code may write; which workers do so,
and by which rules a generation is folded."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from projection_worker.projecting.alerts import BeforeLive
from projection_worker.projecting.projector import Projected, Projector
from projection_worker.projecting.removal import Erasure
from projection_worker.projections import registry
from projection_worker.projections.rules import DEFAULT_RULES, Rules
from projection_worker.records import Delivered
from projection_worker.settings import WorkerSettings
from shared.mongo import Database
from shared.read_models.documents import ALL_MODELS, Model
from shared.read_models.generations import Catalog, Generation, KeptGeneration, read_catalog
from shared.read_models.heartbeats import Heartbeats
from shared.read_models.indexes import count_dead_lettered


class GenerationHeld(Exception):
    """Queries are about to move away from the live generation: try again in a moment."""


class NothingToWrite(Exception):
    """No kept generation belongs to this version of the projections."""


def consumer_group(settings: WorkerSettings) -> str:
    """Workers of different projections write different generations, so each needs all events."""
    return f"{settings.worker_group}-p{registry.VERSION}"


class ProjectorOf(Protocol):
    """Makes the projector of a generation. `before_live` as of ReadModelStore, `rules` as of
    Projector."""

    def __call__(
        self, generation: Generation, *, before_live: BeforeLive | None, rules: Rules
    ) -> Projector: ...


class KeptGenerations:
    """The catalog is read anew for each batch, after the batch arrived: whatever a batch holds that
    read an old catalog was in the event store before the catalog changed, so a rebuild that scans
    the store afterwards finds it there."""

    def __init__(self, database: Database, projector_of: ProjectorOf) -> None:
        self._database = database
        self._projector_of = projector_of
        self._projectors: dict[tuple[Generation, BeforeLive | None], Projector] = {}

    async def any(self) -> bool:
        """Whether there is a generation to write."""
        catalog = await read_catalog(self._database)
        return bool(catalog.written_by(registry.VERSION))

    async def project(self, batch: Sequence[Delivered]) -> Projected:
        """What the live generation came to; the others raise no alerts and send no notices. The
        erasures are those in all of them, and what waits in one of them waits.

        Raises GenerationHeld or NothingToWrite; then, and whenever it raises, do it again."""
        catalog = await read_catalog(self._database)
        generations = catalog.written_by(registry.VERSION)
        if not generations:
            raise NothingToWrite(f"no generation is of projections {registry.VERSION}")
        if catalog.held and catalog.live in generations:
            raise GenerationHeld(f"generation {catalog.live.number}")
        projected = Projected()
        erasures: tuple[Erasure, ...] = ()
        waiting: set[str] = set()
        for generation in generations:
            done = await self._projector(generation, catalog).project(batch)
            erasures += done.erasures
            waiting.update(one.raw.identity for one in done.waiting)
            if generation == catalog.live:
                projected = done
        again = tuple(one for one in batch if one.raw.identity in waiting)
        return replace(projected, erasures=erasures, waiting=again)

    async def beat(self, worker: str) -> None:
        """Say that a worker with this version of the projections runs."""
        await Heartbeats(self._database).beat(worker, registry.VERSION)

    async def dead_lettered(self) -> int:
        """How many children of the live generation are."""
        live = (await read_catalog(self._database)).live
        return await count_dead_lettered(self._database, live)

    def _projector(self, generation: Generation, catalog: Catalog) -> Projector:
        kept, before_live = catalog.of(generation), None
        if generation != catalog.live:
            before_live = BeforeLive(catalog.live, kept.begun_at)
        key = (generation, before_live)
        if key not in self._projectors:
            self._projectors[key] = self._projector_of(
                generation, before_live=before_live, rules=Rules(kept.conversation_limit)
            )
        return self._projectors[key]


async def rules_of(database: Database, generation: Generation) -> Rules:
    """As its catalog entry says; the usual ones for a generation that is not in the catalog."""
    try:
        kept = (await read_catalog(database)).of(generation)
    except KeyError:
        return DEFAULT_RULES
    return Rules(kept.conversation_limit)


def limit_of_rebuild(models: frozenset[Model], live: KeptGeneration, setting: int) -> int:
    """Minutes that a conversation lasts at most in what a rebuild of `models` makes: `setting`, but
    that of before where other models are carried over, for they were folded with it."""
    return setting if models == ALL_MODELS else live.conversation_limit_minutes
