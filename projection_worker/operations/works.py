"""What is done for each kind of operation: the same as the command lines do, where there is one."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from pymongo.errors import PyMongoError

from projection_worker.dead_letters.redrive import Redrive, open_producer
from projection_worker.dead_letters.store import DeadLetteredSequences
from projection_worker.notifications.delivery_store import DeliveryStore
from projection_worker.operations.agent import (
    InVain,
    OperationsAgent,
    Progress,
    Work,
    end_if_cancelled,
)
from projection_worker.operations.redrives import Redrives, in_turn
from projection_worker.projections import registry
from projection_worker.replay.rebuild.ledger import Kind, Source
from projection_worker.replay.rebuild.processes import ProcessFailed
from projection_worker.replay.rebuild.rebuild import LEASE_SECONDS, Rebuild, lead
from projection_worker.session import Failed, Refused, Stores
from shared.clock import utc_now
from shared.kafka import READ_MODEL_CHANGES
from shared.operations import MongoOperationRequests, OperationKind, OperationRequest
from shared.read_models.deliveries import DeliveryState
from shared.read_models.documents import ALL_MODELS, Model
from shared.read_models.generations import Generation, read_catalog
from shared.read_models.heartbeats import Heartbeats
from shared.read_models.notices import CLEAR
from shared.read_models.operation_states import Attempt
from shared.tasks import in_background

LOOK_SECONDS = 1.0
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class RebuildWork:
    """Led from here; events are folded and verified by a process of its own, which ends with this
    one."""

    on: Stores

    async def is_mine(self) -> bool:
        """Not while a worker of newer projections runs: they are what is wanted."""
        present = await Heartbeats(self.on.database).all_present()
        return all(version <= registry.VERSION for version in present.values())

    async def carry_out(
        self, request: OperationRequest, attempt: Attempt, progress: Progress, /
    ) -> str:
        models, again = _models_of(request), attempt.number > 1
        rebuild = Rebuild(self.on, 1, None)
        live = (await read_catalog(self.on.database)).live
        if live.number > attempt.live and await _makes(rebuild, live, models):
            return f"generation {live.number} is live"  # whoever made it so ended before it said so

        async def steps() -> None:
            unfinished = (await read_catalog(self.on.database)).unfinished
            if unfinished is not None and await _makes(rebuild, unfinished.generation, models):
                await rebuild.resume()
            else:
                await rebuild.begin(models, Source.STORE)

        try:
            async with in_background(self._follow(rebuild, progress)):
                # the lease of a worker that was killed runs out first
                await lead(self.on.database, steps, 2 * LEASE_SECONDS if again else 0.0)
        except ProcessFailed as error:
            raise _ended_by(error) from error
        return await self._made(rebuild, progress)

    async def _follow(self, rebuild: Rebuild, progress: Progress) -> None:
        while True:
            with suppress(PyMongoError):
                await _note(rebuild, progress)
            await asyncio.sleep(LOOK_SECONDS)

    async def _made(self, rebuild: Rebuild, progress: Progress) -> str:
        assert rebuild.plan is not None
        await _note(rebuild, progress)
        generation = rebuild.plan.generation
        unopened = len(await rebuild.ledger.unopened(generation))
        more = f"; {unopened} children cannot be decrypted" if unopened else ""
        return f"generation {generation.number} is live{more}"


async def _makes(rebuild: Rebuild, generation: Generation, models: frozenset[Model]) -> bool:
    """Whether `generation` is, or is to be, what such a rebuild makes, whoever began it."""
    plan = await rebuild.ledger.plan(generation)
    return plan is not None and (plan.projections, plan.models) == (registry.VERSION, models)


def _models_of(request: OperationRequest) -> frozenset[Model]:
    if request.models is None:
        return ALL_MODELS
    if unknown := sorted(set(request.models) - {*Model}):
        raise Refused(f"this release of the worker has no read model {unknown[0]!r}")
    return frozenset(Model(name) for name in request.models)


async def _note(rebuild: Rebuild, progress: Progress) -> None:
    """Each event is folded and verified."""
    if rebuild.plan is not None:
        tally = await rebuild.ledger.tally(rebuild.plan.generation, Kind.CHILDREN)
        await progress(tally.built + tally.verified, 2 * tally.events)


def _ended_by(error: ProcessFailed) -> Exception:
    """What a process wrote at its end may hold anything, if it did not foresee it."""
    if error.reason is None:
        return InVain("a process of the rebuild was ended: see the worker's log")
    if error.reason == "ReadModelsDiffer":
        return Failed(str(error))
    return InVain(f"a process of the rebuild ended by {error.reason}")


@dataclass(frozen=True, slots=True)
class RedriveChildrenWork:
    """A child that fails keeps no other back."""

    on: Stores

    async def is_mine(self) -> bool:
        return True

    async def carry_out(
        self, request: OperationRequest, attempt: Attempt, progress: Progress, /
    ) -> str:
        dead_lettered = DeadLetteredSequences(self.on.database)
        found = {one.child_id for one in await dead_lettered.find() if one.child_id}
        wanted = found if request.child_ids is None else found & set(request.child_ids)
        others = 0
        if request.child_ids is not None and attempt.number == 1:  # later some are redriven
            others = len(request.child_ids) - len(wanted)
        redrive = Redrive(
            self.on.database, dead_lettered, self.on.store, from_store=request.from_store
        )
        redrives = Redrives(others)
        await progress(0, len(wanted))
        if wanted:
            async with open_producer(self.on.settings.kafka) as producer:
                for child_id in in_turn(wanted, attempt.number):
                    try:
                        plan = await redrive.plan(child_id)
                        await redrive.carry_out(plan, producer)
                    except Exception as error:  # noqa: BLE001 - said of the child; others go on
                        end_if_cancelled(error)
                        redrives.failed(child_id, error)
                    else:
                        redrives.redriven(plan.number)
                        await progress(redrives.done, len(wanted))
        return redrives.outcome()


@dataclass(frozen=True, slots=True)
class RedriveNotificationsWork:
    on: Stores

    async def is_mine(self) -> bool:
        return True

    async def carry_out(
        self, _request: OperationRequest, _attempt: Attempt, progress: Progress, /
    ) -> str:
        deliveries = DeliveryStore(self.on.read, self.on.database, utc_now)
        total, done = await deliveries.count(DeliveryState.FAILED), 0
        await progress(0, total)
        while done < total:  # those that fail meanwhile are for the next operation
            some = await deliveries.find(min(AT_ONCE, total - done), DeliveryState.FAILED)
            if not some:
                break
            done += await deliveries.redrive([one["_id"] for one in some])
            await progress(done, total)
        return f"notifications that will be tried again: {done}"


@dataclass(frozen=True, slots=True)
class ClearCachesWork:
    on: Stores

    async def is_mine(self) -> bool:
        return True

    async def carry_out(
        self, _request: OperationRequest, _attempt: Attempt, _progress: Progress, /
    ) -> str:
        async with open_producer(self.on.settings.kafka) as producer:
            # every query process reads every partition: one record reaches all of them
            await producer.send_and_wait(READ_MODEL_CHANGES.name, CLEAR.to_json())
        return "every query process that follows the change topic is notified"


def operations_agent(on: Stores) -> OperationsAgent:
    works: dict[OperationKind, Work] = {
        OperationKind.REBUILD: RebuildWork(on),
        OperationKind.REDRIVE_CHILDREN: RedriveChildrenWork(on),
        OperationKind.REDRIVE_NOTIFICATIONS: RedriveNotificationsWork(on),
        OperationKind.CLEAR_CACHES: ClearCachesWork(on),
    }
    return OperationsAgent(MongoOperationRequests(on.commits), on.database, works, utc_now)
