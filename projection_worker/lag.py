"""How far the read models are behind Kafka, and whether the worker still gets on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.clock import Clock


class Stalled(Exception):
    """Records are waiting and nothing has been projected for too long."""


@dataclass(slots=True)
class WorkerLag:
    """`events`: records not projected yet on this worker's partitions. `seconds`: how old the
    newest projected record is while others wait."""

    clock: Clock
    stall_seconds: float
    events: int = 0
    seconds: float = 0.0
    progressed_at: float = 0.0
    _reached: int = -1
    _newest: datetime | None = None

    def saw(self, timestamp_ms: int) -> None:
        """The newest projected record was written to Kafka at `timestamp_ms`."""
        self._newest = datetime.fromtimestamp(timestamp_ms / 1_000, UTC)

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
        return {"events": self.events, "seconds": self.seconds}
