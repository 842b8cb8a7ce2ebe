"""Writes seeded children as their commands would have been carried out one by one: the bear is
reserved, the key made, each command decided and its commit appended, the read models folded."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce

from command_service.aggregates.repository import AggregateCache, Aggregates
from command_service.aggregates.snapshots import BEFORE_REGISTRATION, Snapshots
from command_service.bus.command_bus import CommandContext
from command_service.bus.resilience import Backoff
from command_service.child.account import AccountStatus
from command_service.child.commands import RegisterChild
from command_service.child.decider import decide, evolve
from command_service.child.state import Child
from command_service.claims.bear_claims import BearClaims
from command_service.handlers.append import Appender, StoredResults
from command_service.handlers.older_keys import OlderKeys
from deploy.seed.lives import Lives, Step
from deploy.seed.plan import Amount
from projection_worker.dead_letters.store import DeadLetters
from projection_worker.projecting.decoding import EventSource
from projection_worker.projecting.generations import rules_of
from projection_worker.projecting.projector import Projector
from projection_worker.projecting.read_model_store import ReadModelStore
from projection_worker.replay.histories import events_of
from projection_worker.replay.rebuild.children import WholeChildren
from projection_worker.session import Failed, Stores
from shared.auth.bears import BearIndex, Pseudonyms
from shared.clock import new_id, utc_now
from shared.event_store.envelope import Commit, StreamPosition, seal_commit
from shared.event_store.mongo import MongoEventStore
from shared.event_store.mongo_claims import MongoClaimStore
from shared.event_store.mongo_snapshots import MongoSnapshotStore
from shared.events.personal import Personal
from shared.keyring.keyring import ChildCipher
from shared.read_models.generations import live_generation

TIMEOUT_SECONDS = 60.0
"""Of one write: the machine is busy, and nobody waits for an answer."""


@dataclass(slots=True)
class StepClock:
    """The time of the command that is carried out."""

    now: datetime = field(default_factory=utc_now)

    def __call__(self) -> datetime:
        return self.now


@dataclass(slots=True)
class _Writing:
    """One child under way. `commits` are those that its stream lacks."""

    steps: list[Step]
    cipher: ChildCipher
    child: Child = BEFORE_REGISTRATION.child
    version: int = 0
    commits: list[Commit] = field(default_factory=list)

    @property
    def child_id(self) -> str:
        return self.steps[0].command.child_id


class SeedWriter:
    def __init__(self, on: Stores, lives: Lives, index_key: bytes, whole: WholeChildren) -> None:
        self._lives = lives
        self._clock = StepClock()
        self._keyring = on.keyring
        self._pseudonyms = Pseudonyms()
        self._whole = whole
        self._store = MongoEventStore(on.commits, TIMEOUT_SECONDS)
        claims = MongoClaimStore(on.commits, TIMEOUT_SECONDS)
        snapshots = Snapshots(MongoSnapshotStore(on.commits), self._store, every=1_000_000)
        aggregates = Aggregates(self._store, on.keyring, snapshots, AggregateCache(1, 1))
        self._bears = BearClaims(claims, BearIndex(index_key), aggregates, self._clock)
        results = StoredResults(self._store, on.keyring, OlderKeys(self._store, index_key))
        self._appender = Appender(self._store, self._clock, Backoff(), results, aggregates)

    async def write(self, numbers: Sequence[int], shard: str) -> Amount:
        """The children with these `numbers`, whole when it returns. Some of it may be there from a
        run that was ended; what is there stays.

        Raises Failed, StoreUnavailable, PyMongoError."""
        lives = [self._lives.of(number) for number in numbers]
        await asyncio.gather(*map(self._reserve_bear, lives))
        ciphers = await asyncio.gather(
            *(self._keyring.create(steps[0].command.child_id) for steps in lives)
        )
        writing = [_Writing(*one) for one in zip(lives, ciphers, strict=True)]
        there = await self._there(writing)
        for one in writing:
            self._decide(one, there.get(one.child_id, []))
        commits = [commit for one in writing for commit in one.commits]
        if await self._store.append_in_order(commits) != len(commits):
            raise Failed("a place in the event store was taken meanwhile")
        await asyncio.gather(*map(self._free_bear, writing))
        await self._project(writing, there, shard)
        every = [*commits, *(commit for some in there.values() for commit in some)]
        return Amount(len(writing), len(every), sum(len(commit.events) for commit in every))

    async def _reserve_bear(self, steps: Sequence[Step]) -> None:
        command = steps[0].command
        assert isinstance(command, RegisterChild)
        self._clock.now = command.at
        by, device_id = _causation(steps[0]), command.device_id
        wanted = self._bears.wanted(
            command.child_id,
            0,
            by,
            udid=Personal(command.udid),
            device_id=None if device_id is None else Personal(device_id),
        )
        async for _, held in self._bears.in_the_way(wanted):
            if held.child_id != command.child_id:
                raise Failed(f"the bear of child {command.child_id} is another child's")

    async def _there(self, writing: Sequence[_Writing]) -> dict[str, list[Commit]]:
        """The commits of those that have any, by child."""
        found = await asyncio.gather(*(self._store.load(one.child_id) for one in writing))
        return {commits[0].child_id: commits for commits in found if commits}

    def _decide(self, one: _Writing, there: Sequence[Commit]) -> None:
        """All of a child's commands, each on what the one before it did."""
        stored = there[-1].position if there else StreamPosition()
        position = StreamPosition()
        for step in one.steps:
            command = step.command
            events = decide(command, one.child)
            one.child = reduce(evolve, events, one.child)
            if not events:
                continue
            if position.version < stored.version:
                position = StreamPosition(position.version + len(events), stored.hash)
                continue
            self._clock.now = command.at
            context = CommandContext(
                principal=self._pseudonyms.given(step.principal),
                correlation_id=f"seed-{one.child_id}",
                causation_id=_causation(step),
                request=step.request,
            )
            offer = self._appender.offer_of(command, context, position, events, one.cipher)
            one.commits.append(commit := seal_commit(offer))
            position = commit.position
        one.version = position.version

    async def _free_bear(self, one: _Writing) -> None:
        if one.child.status is AccountStatus.DEACTIVATED:
            bear = one.child.profile
            await self._bears.release(
                one.child_id, one.version, udid=bear.udid, device_id=bear.device_id
            )

    async def _project(
        self, writing: Sequence[_Writing], there: Mapping[str, Sequence[Commit]], shard: str
    ) -> None:
        events = {
            one.child_id: events_of([*there.get(one.child_id, ()), *one.commits]) for one in writing
        }
        written = await self._whole.write_events(events, shard)
        for child_id, reason in {**written.failures, **written.unopened}.items():
            raise Failed(f"child {child_id} cannot be projected: {reason}")


def _causation(step: Step) -> str:
    """The command's own id. Of a registration the same again in a run that goes on: by it, the bear
    is known as reserved by this command."""
    return new_id() if step.request is None else step.request.derived_id("command")


async def whole_children(on: Stores) -> WholeChildren:
    """What writes children into the live generation, with alerts for its parents as a worker's.

    Raises PyMongoError."""
    live = await live_generation(on.database)
    read_models = ReadModelStore(on.read, on.database, live)
    letters = DeadLetters(on.database, utc_now, live)
    rules = await rules_of(on.database, live)
    projector = Projector(
        read_models, EventSource(on.store, on.keyring, on.index), letters, rules=rules
    )
    return WholeChildren(projector, read_models)
