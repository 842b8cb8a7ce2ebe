"""Notices to the outside, as JSON: changes on `teddy.readmodel.changes.v1`, alerts on
`teddy.child.alerts.v1`. None carries anything personal, nor a label: an erasure does not reach
what a topic keeps."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import orjson

from shared.clock import iso
from shared.read_models.documents import AlertDocument


class MalformedNotice(Exception):
    """A record on a notice topic is not a notice."""


@dataclass(frozen=True, slots=True)
class ChangeNotice:
    """The child's read models have reached `version`. Says what changed, never what it says.

    `marked`: that they stand still, or no longer do, changed as well: at whatever version an answer
    about the child was made, it is out of date.
    """

    child_id: str
    parent_id: str
    version: int
    marked: bool = False

    def to_json(self) -> bytes:
        return orjson.dumps(self)

    @staticmethod
    def from_json(value: bytes) -> "ChangeNotice":
        """Raises MalformedNotice."""
        try:
            content: dict[str, Any] = orjson.loads(value)
            notice = ChangeNotice(
                content["child_id"],
                content["parent_id"],
                content["version"],
                bool(content.get("marked", False)),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise MalformedNotice("not a change notice") from error
        if not (all_texts([notice.child_id, notice.parent_id]) and type(notice.version) is int):
            raise MalformedNotice("a change notice must contain two strings and a number")
        return notice


@dataclass(frozen=True, slots=True)
class ClearNotice:
    """Forget all that is kept. On the topic of changes, and of no child: whoever does not know this
    notice, or not this version of it, takes it for a malformed one, and forgets everything, too."""

    version: int = 1

    def to_json(self) -> bytes:
        return orjson.dumps({"kind": "clear", "version": self.version})


CLEAR = ClearNotice()
_CLEAR_RECORD = CLEAR.to_json()


def from_change_topic(value: bytes) -> ChangeNotice | ClearNotice:
    """Raises MalformedNotice."""
    return CLEAR if value == _CLEAR_RECORD else ChangeNotice.from_json(value)


@dataclass(frozen=True, slots=True)
class AlertNotice:
    """An alert was raised. `raised_at` is RFC 3339 text; the other fields are as in
    `AlertDocument`. Of what kind the violation was, the list of alerts says."""

    alert_id: str
    child_id: str
    parent_id: str
    rule: str
    event_id: str
    violation_id: str
    severity: str
    channels: list[str]
    raised_at: str

    @staticmethod
    def of(alert: AlertDocument) -> "AlertNotice":
        content: dict[str, Any] = {
            **alert,
            "alert_id": alert["_id"],
            "raised_at": iso(alert["raised_at"]),
        }
        return AlertNotice(**{one.name: content[one.name] for one in fields(AlertNotice)})

    def to_json(self) -> bytes:
        return orjson.dumps(self)

    @staticmethod
    def from_json(value: bytes) -> "AlertNotice":
        """Raises MalformedNotice."""
        try:
            content: dict[str, Any] = orjson.loads(value)
            # a newer version may say more
            notice = AlertNotice(**{one.name: content[one.name] for one in fields(AlertNotice)})
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedNotice("not an alert notice") from error
        texts = [getattr(notice, one.name) for one in fields(notice) if one.name != "channels"]
        if not (isinstance(notice.channels, list) and all_texts([*texts, *notice.channels])):
            raise MalformedNotice("an alert notice must contain strings")
        return notice


def all_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)
