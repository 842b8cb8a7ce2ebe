"""How far the read models are behind, and whether the worker still gets on."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from projection_worker.store_lag import StoreLag
from shared.clock import Clock


class Stalled(Exception):
    """Nothing has worked for too long: the process is to be started anew."""


@dataclass(slots=True)
class WorkerLag:
    """`events`: records not projected yet on this worker's partitions. `seconds`: how old the
    newest projected record is while others wait. `store`: the live generation against the event
    store, for a worker that reads nothing from Kafka is not up to date."""

    clock: Clock
    stall_seconds: float
    events: int = 0
    seconds: float = 0.0
    progressed_at: float = 0.0
    store: StoreLag = field(default_factory=StoreLag)
    _reached: int = -1
    _newest: datetime | None = None

    def saw(self, timestamp_ms: int) -> None:
        """The newest projected record was written to Kafka at `timestamp_ms`."""
        self._newest = datetime.fromtimestamp(timestamp_ms / 1_000, UTC)

    def got_on(self, now: float) -> None:
        """Something was projected, though no record is done with yet. `now`: monotonic."""
        self.progressed_at = now

    def measure(
        self, ends: Mapping[object, int], positions: Mapping[object, int], now: float
    ) -> None:
        """Compare ends and positions of the partitions; raises Stalled. `now`: monotonic."""
        reached = sum(positions.values())
        self.events = max(0, sum(ends.values()) - reached)
        if self.events == 0 or reached != self._reached:
            self.progressed_at, self._reached = now, reached
        waited = now - self.progressed_at
        age = (self.clock() - self._newest).total_seconds() if self._newest else waited
        self.seconds = round(max(0.0, age), 3) if self.events else 0.0
        if waited > self.stall_seconds:
            raise Stalled(f"{self.events} records wait, none projected for {waited:.0f} s")

    def report(self) -> dict[str, float]:
        behind = round(self.store.seconds(time.monotonic()), 3)
        return {
            "events": max(self.events, self.store.events),
            "seconds": max(self.seconds, behind),
        }

    def findings(self) -> tuple[str, ...]:
        """Why the read models cannot be called up to date, in one line each."""
        behind = self.store.seconds(time.monotonic())
        if behind <= self.stall_seconds:
            return ()
        return (
            f"read models are {behind:.0f} s behind the event store: see the log of the worker",
        )


@dataclass(slots=True)
class Attempts:
    """Something that is tried again and again: for how long in vain."""

    what: str
    now: Callable[[], float] = time.monotonic
    _failing_since: float | None = None

    def worked(self) -> None:
        self._failing_since = None

    def failed(self) -> None:
        if self._failing_since is None:
            self._failing_since = self.now()

    @property
    def seconds(self) -> float:
        return 0.0 if self._failing_since is None else self.now() - self._failing_since

    def check(self, limit_seconds: float) -> None:
        """Raises Stalled when it has failed for longer."""
        if self.seconds > limit_seconds:
            raise Stalled(f"{self.what} for {self.seconds:.0f} s, though the broker answers others")
