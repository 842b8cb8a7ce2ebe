"""Change notices on `teddy.readmodel.changes.v1`, as JSON."""

from dataclasses import asdict, dataclass
from typing import Any

import orjson


class MalformedNotice(Exception):
    """A record on a notice topic is not a notice."""


@dataclass(frozen=True, slots=True)
class ChangeNotice:
    """The child's read models have reached `version`. Says what changed, never what it says."""

    child_id: str
    parent_id: str
    version: int

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @staticmethod
    def from_json(value: bytes) -> "ChangeNotice":
        """Raises MalformedNotice."""
        try:
            content: dict[str, Any] = orjson.loads(value)
            return ChangeNotice(content["child_id"], content["parent_id"], int(content["version"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise MalformedNotice("not a change notice") from error
