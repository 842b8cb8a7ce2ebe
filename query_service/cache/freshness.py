"""What a change notice does: answers are dropped, and who waits to read its own writes is woken."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from query_service.cache.entries import changed_tags, child_tag
from query_service.cache.query_cache import QueryCache
from shared.auth.access import Principal
from shared.http.limits import Shares
from shared.keyring.keyring import Keyring
from shared.read_models.notices import AlertNotice, ChangeNotice
from shared.signing import ConsistencyToken

POLL_SECONDS = 0.1
"""Between two looks at the store; a change notice wakes the waiting at once."""

MOST_LOOKS_A_SECOND = 500
"""At the store, of all that wait together: the more there are, the longer each pauses."""

REMEMBERED_VERSIONS = 50_000


class ReadModelLate(Exception):
    """The read models did not reach the token's version in time."""


@dataclass(frozen=True, slots=True)
class _Reached:
    version: int
    known_since: float


@dataclass(slots=True, eq=False)
class ProjectedVersions:
    """`read_version` asks the store for a child's version; `clock` is the cache's."""

    read_version: Callable[[str], Awaitable[int]]
    clock: Callable[[], float]
    _known: OrderedDict[str, _Reached] = field(default_factory=OrderedDict, init=False)
    _waiting: dict[str, set[asyncio.Event]] = field(default_factory=dict, init=False)
    _number_waiting: int = field(default=0, init=False)

    def reached(self, child_id: str, version: int) -> None:
        """The child's read models are at `version` at least; news of it wakes who waits."""
        known = self._known.get(child_id)
        if known is None or known.version < version:
            self._known[child_id] = _Reached(version, self.clock())
            if len(self._known) > REMEMBERED_VERSIONS:
                self._known.popitem(last=False)
            for waiting in self._waiting.get(child_id, ()):
                waiting.set()

    async def wait(self, token: ConsistencyToken, seconds: float) -> float:
        """Returns a moment (of the clock) after which every read sees the token's version.

        Raises ReadModelLate after `seconds`."""
        deadline = self.clock() + seconds
        changed = asyncio.Event()
        self._waiting.setdefault(token.child_id, set()).add(changed)
        self._number_waiting += 1
        try:
            while True:
                known_since = await self.reached_since(token)
                if known_since is not None:
                    return known_since
                changed.clear()  # what came while we looked was seen: it is no reason to look again
                left = deadline - self.clock()
                if left <= 0:
                    raise ReadModelLate
                pause = max(POLL_SECONDS, self._number_waiting / MOST_LOOKS_A_SECOND)
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), min(left, pause))
        finally:
            self._number_waiting -= 1
            waiting = self._waiting[token.child_id]
            waiting.discard(changed)
            if not waiting:
                del self._waiting[token.child_id]

    async def reached_since(self, token: ConsistencyToken) -> float | None:
        """As `wait`, of what is so already; None when it is not."""
        known = self._known.get(token.child_id)
        if known is None or known.version < token.version:
            self.reached(token.child_id, await self.read_version(token.child_id))
            known = self._known[token.child_id]
        return known.known_since if known.version >= token.version else None


class NoRoomToWait(ReadModelLate):
    """As many wait already as may."""


class Waits:
    """Beyond `most` in all, or its `share` (0 to 1) of them, a subject is refused at once, as it
    would be after waiting in vain."""

    def __init__(self, most: int, share: float, registry: CollectorRegistry) -> None:
        self._most = most
        self._waiting = 0
        self._of_subject = Shares[Principal](most, share)
        gauge = Gauge(
            "teddy_queries_waiting", "Queries waiting for a consistency token.", registry=registry
        )
        gauge.set_function(lambda: self._waiting)
        self._refused = Counter(
            "teddy_query_waits_refused",
            "Queries that could not wait for a consistency token, by reason: total or subject.",
            ("reason",),
            registry=registry,
        )

    @contextmanager
    def one_of(self, subject: Principal) -> Iterator[None]:
        """One more wait, for as long as the block. Raises NoRoomToWait."""
        if self._waiting >= self._most:
            raise self._no_room("total")
        if not self._of_subject.take(subject):
            raise self._no_room("subject")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            self._of_subject.give_back(subject)

    def _no_room(self, reason: str) -> NoRoomToWait:
        self._refused.labels(reason).inc()
        return NoRoomToWait()


class Invalidation:
    """Listens to the change feed. While the feed is down no notice comes: answers live a few
    seconds, and keys are asked for each time, because a child may be erased meanwhile."""

    def __init__(
        self, cache: QueryCache[Any], versions: ProjectedVersions, keyring: Keyring
    ) -> None:
        self._cache = cache
        self._versions = versions
        self._keyring = keyring
        keyring.keep(False)  # no notice arrives yet

    def connection_changed(self, connected: bool) -> None:
        self._keyring.keep(connected)
        if connected:
            self._cache.resume()
        else:
            self._cache.suspend()

    def received(self, notice: ChangeNotice | AlertNotice) -> None:
        if isinstance(notice, AlertNotice):
            return  # comes with the change notice of its event; alerts are not cached
        # the change may be an erasure, and another process destroyed the key
        self._keyring.forget(notice.child_id)
        self._versions.reached(notice.child_id, notice.version)
        tags = changed_tags(notice.child_id, notice.parent_id)
        self._cache.invalidate(tags, reached=math.inf if notice.marked else notice.version)

    def erased(self, child_ids: Iterable[str]) -> None:
        """No answer shows these children any more, whatever a store still has of them."""
        known = list(child_ids)
        self._keyring.refuse(known)
        if known:
            self._cache.invalidate([child_tag(child_id) for child_id in known])
