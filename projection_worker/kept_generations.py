"""One batch into every generation of the read models that this code may write."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from projection_worker.delivery import Delivered
from projection_worker.projections import registry
from projection_worker.projector import Erasure, Projected, Projector
from projection_worker.read_model_store import delivered_by, mark_delivered
from projection_worker.roll_call import RollCall
from shared.mongo import Database
from shared.read_models.dead_lettered import count_dead_lettered
from shared.read_models.generations import Generation, read_catalog
from shared.settings import WorkerSettings


class GenerationHeld(Exception):
    """Queries are about to move away from the live generation: try again in a moment."""


class NothingToWrite(Exception):
    """No kept generation belongs to this version of the projections."""


def consumer_group(settings: WorkerSettings) -> str:
    """Workers of different projections write different generations, so each needs all events."""
    return f"{settings.worker_group}-p{registry.VERSION}"


class KeptGenerations:
    """The catalog is read anew for each batch, after the batch arrived: whatever a batch holds that
    read an old catalog was in the event store before the catalog changed, so a rebuild that scans
    the store afterwards finds it there."""

    def __init__(self, database: Database, projector_of: Callable[[Generation], Projector]) -> None:
        self._database = database
        self._projector_of = projector_of
        self._projectors: dict[Generation, Projector] = {}

    async def any(self) -> bool:
        """Whether there is a generation to write."""
        catalog = await read_catalog(self._database)
        return bool(catalog.written_by(registry.VERSION))

    async def project(self, batch: Sequence[Delivered]) -> Projected:
        """What the live generation came to; the others raise no alerts and send no notices. The
        erasures are those in all of them.

        Raises GenerationHeld or NothingToWrite; then, and whenever it raises, do it again.
        """
        catalog = await read_catalog(self._database)
        generations = catalog.written_by(registry.VERSION)
        if not generations:
            raise NothingToWrite(f"no generation is of projections {registry.VERSION}")
        if catalog.held and catalog.live in generations:
            raise GenerationHeld(f"generation {catalog.live.number}")
        projected = Projected()
        erasures: tuple[Erasure, ...] = ()
        for generation in generations:
            done = await self._projector(generation).project(batch)
            erasures += done.erasures
            if generation == catalog.live:
                projected = done
        return replace(projected, erasures=erasures)

    async def answer(self, worker: str) -> None:
        """Say that a worker with this version of the projections runs."""
        await RollCall(self._database).answer(worker, registry.VERSION)

    async def dead_lettered(self) -> int:
        """How many children of the live generation are."""
        live = (await read_catalog(self._database)).live
        return await count_dead_lettered(self._database, live)

    async def delivered_by(self, alert_id: str) -> frozenset[str] | None:
        """The channels that have delivered an alert, None when no generation has it (any more)."""
        kept = (await read_catalog(self._database)).kept
        found = [await delivered_by(self._database, one.generation, alert_id) for one in kept]
        known = [channels for channels in found if channels is not None]
        return frozenset().union(*known) if known else None

    async def mark_delivered(self, alert_id: str, channel: str, at: datetime) -> None:
        """In every generation, whoever writes it: a delivery is a fact of its own."""
        for one in (await read_catalog(self._database)).kept:
            await mark_delivered(self._database, one.generation, alert_id, channel, at)

    def _projector(self, generation: Generation) -> Projector:
        if generation not in self._projectors:
            self._projectors[generation] = self._projector_of(generation)
        return self._projectors[generation]
