"""How far the read models are behind the event store.

Lag on Kafka is zero for a worker that reads nothing. So each worker looks once a second at the
newest commits of the event store and later whether the live generation shows them, whoever is to
write it: two look-ups by indexes, however much is stored."""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.event_store.commit_documents import COLLECTION
from shared.mongo import Database
from shared.read_models.documents import Model
from shared.read_models.generations import live_generation, note_projected
from shared.read_models.indexes import stale_since

NEWEST = 20
MOST_PENDING = 200
Sample = tuple[str, int]
"""A child and the version of it that a commit led to."""


@dataclass(slots=True, eq=False)
class StoreLag:
    """Samples of the store that the live generation does not show yet. Times are monotonic.

    `through`: all that was sampled up to then is projected; None until anything is."""

    _pending: dict[Sample, float] = field(default_factory=dict, init=False)
    _looks: deque[float] = field(default_factory=deque, init=False)
    through: float | None = field(default=None, init=False)

    @property
    def events(self) -> int:
        """At least so many are not projected."""
        return len(self._pending)

    @property
    def children(self) -> set[str]:
        return {child_id for child_id, _ in self._pending}

    def seconds(self, now: float) -> float:
        """How long ago the oldest of them was seen in the store."""
        return now - min(self._pending.values()) if self._pending else 0.0

    def stored(self, newest: Mapping[str, int], at: float) -> None:
        """The versions that the newest commits led to, by child."""
        if len(self._pending) >= MOST_PENDING:
            return  # enough to know by; what is not looked for is not taken as projected either
        self._looks.append(at)
        for sample in newest.items():
            self._pending.setdefault(sample, at)

    def projected(self, versions: Mapping[str, float]) -> None:
        """What the live generation shows of these children."""
        for sample in [s for s in self._pending if versions.get(s[0], 0) >= s[1]]:
            del self._pending[sample]
        oldest = min(self._pending.values(), default=None)
        while self._looks and (oldest is None or self._looks[0] < oldest):
            self.through = self._looks.popleft()


class StoreWatch:
    """Measures `lag` and notes for the queries up to when everything is projected."""

    def __init__(self, store: Database, read_models: Database, lag: StoreLag) -> None:
        self._commits = store[COLLECTION]
        self._read_models = read_models
        self._lag = lag

    async def measure(self) -> None:
        """Raises PyMongoError."""
        at = time.monotonic()
        self._lag.stored(await self._newest(), at)
        self._lag.projected(await self._shown(self._lag.children))
        if self._lag.through is not None:
            await note_projected(self._read_models, time.monotonic() - self._lag.through)

    async def _newest(self) -> dict[str, int]:
        wanted = {"child_id": 1, "first_version": 1, "events.type": 1}
        found = self._commits.find({}, wanted).sort([("$natural", -1)]).limit(NEWEST)
        newest: dict[str, int] = {}
        for commit in await found.to_list(NEWEST):
            last = commit["first_version"] + len(commit["events"]) - 1
            newest[commit["child_id"]] = max(last, newest.get(commit["child_id"], 0))
        return newest

    async def _shown(self, child_ids: set[str]) -> dict[str, float]:
        """Versions by child. Of one that is dead-lettered nothing more is awaited: it is counted
        where operators look, and shown as stale."""
        if not child_ids:
            return {}
        live = await live_generation(self._read_models)
        children = live.collection(self._read_models, Model.CHILDREN)
        wanted: dict[str, Any] = {"_id": {"$in": sorted(child_ids)}}
        documents = await children.find(wanted, {"version": 1}).to_list(None)
        versions = {document["_id"]: float(document["version"]) for document in documents}
        dead_lettered = await stale_since(self._read_models, live, child_ids)
        return versions | dict.fromkeys(dead_lettered, float("inf"))
