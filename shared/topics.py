"""Kafka topics: names, keys, partitions and retention. Created by `teddy topics apply` only."""

from dataclasses import dataclass

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the project creates it. `retention_ms` of -1 keeps records for ever; `compacted`:
    of each key the last one is kept."""

    name: str
    key: str
    partitions: int
    retention_ms: int
    compacted: bool = False

    def configs(self) -> dict[str, str]:
        policy = "compact" if self.compacted else "delete"
        return {"cleanup.policy": policy, "retention.ms": str(self.retention_ms)}


CHILD_EVENTS = Topic("teddy.child.events.v1", "child_id", 12, -1)
CHILD_ALERTS = Topic("teddy.child.alerts.v1", "parent_id", 6, 30 * DAY_MS)
READ_MODEL_CHANGES = Topic("teddy.readmodel.changes.v1", "child_id", 6, 3_600_000)
DEAD_LETTERS = Topic("teddy.child.deadletter.v1", "child_id", 6, -1)

CHILD_ERASURES = Topic("teddy.child.erasures.v1", "child_id", 1, -1, compacted=True)

ALL_TOPICS = (CHILD_EVENTS, CHILD_ALERTS, READ_MODEL_CHANGES, DEAD_LETTERS, CHILD_ERASURES)
