"""What the topic of erasures says of a child: that it is erased, and since when."""

from dataclasses import dataclass
from datetime import datetime

import orjson

from shared.clock import iso, parse_iso
from shared.envelope import RecordedEvent
from shared.events.child import ChildErased

ERASED = ChildErased.__name__


class MalformedErasure(Exception):
    """A record on the topic of erasures is none."""


@dataclass(frozen=True, slots=True)
class ErasureNotice:
    """`child_id` is the record's key: of several the topic keeps the last."""

    child_id: str
    at: datetime

    @staticmethod
    def of(event: RecordedEvent) -> "ErasureNotice":
        """Of a ChildErased."""
        return ErasureNotice(event.child_id, event.occurred_at)

    def to_json(self) -> bytes:
        return orjson.dumps({"child_id": self.child_id, "at": iso(self.at)})

    @staticmethod
    def from_json(value: bytes) -> "ErasureNotice":
        """Raises MalformedErasure."""
        try:
            content = orjson.loads(value)
            return ErasureNotice(str(content["child_id"]), parse_iso(content["at"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise MalformedErasure("not an erasure") from error
