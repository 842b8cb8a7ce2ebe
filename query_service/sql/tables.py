"""The tables of SQL queries and the fields of the read models behind their columns.

No column holds a personal value or a label: nothing that is sealed in the read models, nothing that
was made from a sealed value. A test compares the columns with the annotations of the documents.
Children, parents and their things have pseudonyms, other ones in each snapshot: they join tables
within a query, and nobody can recognize a child by them tomorrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.read_models.documents import Model


class Kind(StrEnum):
    """How a field becomes a value. `TIME`: a UTC time of whole minutes. `PSEUDONYM`: of an id, 53
    bits, which every reader of JSON takes whole."""

    TEXT = "text"
    COUNT = "count"
    NUMBER = "number"
    TIME = "time"
    DAY = "day"
    PSEUDONYM = "pseudonym"

    @property
    def sql_type(self) -> str:
        return _SQL_TYPES[self]


_SQL_TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.COUNT: "BIGINT",
    Kind.NUMBER: "DOUBLE",
    Kind.TIME: "TIMESTAMP",
    Kind.DAY: "DATE",
    Kind.PSEUDONYM: "BIGINT",
}


@dataclass(frozen=True, slots=True)
class Column:
    """`field`: of the document; `name`: in SQL."""

    name: str
    field: str
    kind: Kind
    description: str


@dataclass(frozen=True, slots=True)
class Table:
    """One row for each document of `model`."""

    name: str
    model: Model
    description: str
    columns: tuple[Column, ...]


def _column(name: str, kind: Kind, description: str, field: str = "") -> Column:
    return Column(name, field or name, kind, description)


CHILD = _column("child", Kind.PSEUDONYM, "The child's pseudonym.", "child_id")

CHILDREN = Table(
    "children",
    Model.CHILDREN,
    "One row per account; erased children have none.",
    (
        _column("child", Kind.PSEUDONYM, "The child's pseudonym.", "_id"),
        _column("family", Kind.PSEUDONYM, "The parent's pseudonym.", "parent_id"),
        _column("status", Kind.TEXT, "`active` or `deactivated`."),
        _column("registered_at", Kind.TIME, "When the child was registered.", "created_at"),
        _column("last_interaction_at", Kind.TIME, "Last start, message or end; null: never."),
        _column("conversations", Kind.COUNT, "Started conversations.", "conversation_count"),
        _column("messages", Kind.COUNT, "Messages of child and bear.", "total_messages"),
        _column("minutes", Kind.NUMBER, "Length of ended conversations.", "total_minutes"),
        _column("engagement_level", Kind.TEXT, "`new`, `learning`, `engaged` or `active`."),
        _column("violations", Kind.COUNT, "Reported violations.", "safety_violations_count"),
        _column("open_violations", Kind.COUNT, "Unresolved ones.", "open_violations_count"),
        _column("safety_score", Kind.NUMBER, "0 to 100."),
        _column("safety_status", Kind.TEXT, "`excellent`, `good`, `fair` or `needs_attention`."),
    ),
)
CONVERSATIONS = Table(
    "conversations",
    Model.CONVERSATIONS,
    "One row per conversation.",
    (
        CHILD,
        _column("started_at", Kind.TIME, "When it started."),
        _column("ended_at", Kind.TIME, "When it ended; null: in progress."),
        _column("minutes", Kind.NUMBER, "Its length.", "duration_minutes"),
        _column("messages", Kind.COUNT, "Messages of child and bear.", "message_count"),
        _column("engagement_score", Kind.NUMBER, "0 to 100."),
        _column("violations", Kind.COUNT, "Reported in it.", "safety_violations"),
    ),
)
VIOLATIONS = Table(
    "violations",
    Model.VIOLATIONS,
    "One row per safety violation.",
    (
        CHILD,
        _column("severity", Kind.TEXT, "`low`, `medium`, `high` or `critical`."),
        _column("happened_at", Kind.TIME, "When it happened.", "at"),
        _column("resolved_at", Kind.TIME, "When it was resolved; null: open."),
        _column("outcome", Kind.TEXT, "Of its resolution; null: open."),
        _column("alerted", Kind.TEXT, "The rule that alerted the parent; null: none."),
        _column("acknowledged_at", Kind.TIME, "When the parent had seen it; null: not yet."),
    ),
)
ACTIVITY = Table(
    "activity",
    Model.ACTIVITY,
    "One row per child and UTC day with any activity.",
    (
        CHILD,
        _column("day", Kind.DAY, "The UTC day."),
        _column("conversations", Kind.COUNT, "Started on it."),
        _column("messages", Kind.COUNT, "Of child and bear."),
        _column("minutes", Kind.NUMBER, "Of conversations that ended on it."),
        _column("violations", Kind.COUNT, "Reported on it."),
    ),
)
ALERTS = Table(
    "alerts",
    Model.ALERTS,
    "One row per alert to a parent.",
    (
        CHILD,
        _column("rule", Kind.TEXT, "`threshold` or `count`."),
        _column("severity", Kind.TEXT, "Of the violation that raised it."),
        _column("raised_at", Kind.TIME, "When it was raised."),
        _column("acknowledged_at", Kind.TIME, "When the parent had seen it; null: not yet."),
    ),
)

TABLES: Sequence[Table] = (CHILDREN, CONVERSATIONS, VIOLATIONS, ACTIVITY, ALERTS)
