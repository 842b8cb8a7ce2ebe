"""Audit records, the request that one is about, and the trail that takes them."""

import re
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

import orjson

from shared.auth.access import Principal, is_uuid
from shared.clock import iso
from shared.event_store.envelope import StreamPosition
from shared.event_store.port import StoreUnavailable

MOST_CHILDREN = 200
"""Above the largest page; of more ids the first are kept."""

LONGEST_SUBJECT = 128

OPERATOR = "operator"
"""The role on record of whoever gives a command on the command line."""

Record = dict[str, Any]
"""What a line says."""

_TIME = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z")
_texts = itemgetter("at", "subject", "role", "operation", "outcome", "address", "correlation_id")


class AuditRecord(NamedTuple):
    """`operation` is a command's or query's name; `outcome` is accepted, unchanged, replayed,
    answered, not-modified, or a refusal's code. `address` is the client's. `anchor` is where the
    child's stream ends after an accepted command: the trail vouches for the event store by it.
    `tables`: those that a SQL statement read; the statement itself may hold what its author typed.
    """

    at: datetime
    subject: str
    role: str
    operation: str
    outcome: str
    address: str = ""
    correlation_id: str = ""
    children: tuple[str, ...] = ()
    anchor: StreamPosition | None = None
    tables: tuple[str, ...] = ()

    def content(self, sequence: int) -> Record:
        """What its line says."""
        content: Record = {
            "sequence": sequence,
            "at": iso(self.at),
            "subject": self.subject[:LONGEST_SUBJECT],
            "role": self.role,
            "operation": self.operation,
            "outcome": self.outcome,
            "address": self.address,
            "correlation_id": self.correlation_id,
            "children": self.children,
        }
        if self.anchor is not None:
            content["anchor"] = {"version": self.anchor.version, "hash": self.anchor.hash}
        if self.tables:
            content["tables"] = self.tables
        return content


def line_of(content: Record) -> str:
    """A record as it is kept and hashed: JSON with sorted keys."""
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()


def read_line(line: str) -> Record | None:
    """What `line` says; None for what no process has written as a record."""
    with suppress(ValueError, KeyError, TypeError):
        record = orjson.loads(line)
        if type(record) is dict and _is_whole(record):
            return record
    return None


def _is_whole(record: Record) -> bool:
    children, tables = record["children"], record.get("tables", [])
    return (
        type(record["sequence"]) is int
        and {type(text) for text in _texts(record)} == {str}
        and _TIME.fullmatch(record["at"]) is not None
        and type(children) is list
        and {type(child) for child in children} <= {str}
        and _is_anchor(record.get("anchor"))
        and type(tables) is list
        and {type(table) for table in tables} <= {str}
    )


def _is_anchor(anchor: Any) -> bool:
    if anchor is None:
        return True
    return type(anchor["version"]) is int and type(anchor["hash"]) is str


def children_of(ids: Iterable[str]) -> tuple[str, ...]:
    """Those of `ids` that are child ids, each once: a path may hold anything, also a name."""
    known = dict.fromkeys(one for one in ids if is_uuid(one))
    return tuple(known)[:MOST_CHILDREN]


@dataclass(slots=True)
class AuditedRequest:
    """What is known of a request under way. `recorded`: its record is in the trail already.
    `shows`: its answer is what was read, whatever its method."""

    address: str
    operation: str | None = None
    children: tuple[str, ...] = ()
    recorded: bool = False
    shows: bool = False
    tables: tuple[str, ...] = ()


under_way: ContextVar[AuditedRequest | None] = ContextVar("audited_request", default=None)
"""The request that the calling task works on; None outside of HTTP."""


def record_of(
    principal: Principal,
    operation: str,
    outcome: str,
    at: datetime,
    correlation_id: str,
    children: Iterable[str],
    anchor: StreamPosition | None = None,
) -> AuditRecord:
    """Of what `principal` did, from the address of the request under way."""
    request = under_way.get()
    return AuditRecord(
        at=at,
        subject=principal.on_record,
        role=principal.role.value,
        operation=operation,
        outcome=outcome,
        address=request.address if request else "",
        correlation_id=correlation_id,
        children=children_of(children),
        anchor=anchor,
    )


def audit_as(operation: str, children: tuple[str, ...], tables: tuple[str, ...] = ()) -> None:
    """What the request under way has read, and whose data its answer holds, as `children_of` gives
    them; or the tables, where it is nobody's."""
    request = under_way.get()
    if request is not None:
        request.operation, request.children = operation, children
        request.shows, request.tables = True, tables


class AuditUnavailable(StoreUnavailable):
    """The audit trail cannot take the record: what it would record must not happen."""


class AuditTrail(Protocol):
    async def record(self, entry: AuditRecord) -> None:
        """For what is shown. Returns once `entry` is durable, or sure to be within a bounded time;
        raises AuditUnavailable when that takes too long: then it must not be shown."""

    def note(self, entry: AuditRecord) -> None:
        """Becomes durable soon; raises AuditUnavailable when too much waits for it already."""

    def require_room(self, records: int = 1) -> None:
        """Raises AuditUnavailable where `note` would."""
