"""Audit records of one child: who asked for what about it."""

import heapq
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from shared.audit.block_check import Report, check_content
from shared.audit.chain import Block, read_lines
from shared.audit.record import Record
from shared.audit.store import AuditStore
from shared.auth.access import Role
from shared.clock import iso
from shared.mongo import Document


@dataclass(frozen=True, slots=True)
class Bear:
    """`child_id`: of the child that has the bear now; None: none has. `older_alias`: under which
    earlier releases recorded it, whichever child it had then."""

    child_id: str | None
    older_alias: str

    def is_of(self, record: Record) -> bool:
        """Whether this bear, or an earlier one of its child, asked."""
        is_bear = record["role"] == Role.DEVICE.value
        return record["subject"] == self.older_alias or (
            is_bear and self.child_id is not None and self.child_id in record["children"]
        )

    def blocks(self) -> Document:
        """Those that may hold a record of it, as their index says."""
        of_child = [] if self.child_id is None else [{"children": self.child_id}]
        return {"$or": [{"subjects": self.older_alias}, *of_child]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Every condition that is given must hold; `since` is included, `until` is not."""

    child_id: str | None = None
    subject: str | None = None
    bear: Bear | None = None
    operation: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def includes(self, record: Record) -> bool:
        return (
            (self.child_id is None or self.child_id in record["children"])
            and self.subject in (None, record["subject"])
            and (self.bear is None or self.bear.is_of(record))
            and self.operation in (None, record["operation"])
            and (self.since is None or record["at"] >= iso(self.since))
            and (self.until is None or record["at"] < iso(self.until))
        )

    def blocks(self) -> Document:
        """Those that may hold one, as their index says."""
        named = {
            "children": self.child_id,
            "subjects": self.subject,
            "operations": self.operation,
            "since": None if self.until is None else {"$lt": self.until},
            "until": None if self.since is None else {"$gte": self.since},
        }
        of_bear = {} if self.bear is None else self.bear.blocks()
        return {name: value for name, value in named.items() if value is not None} | of_bear


async def find_records(
    trail: AuditStore, wanted: Wanted, limit: int, report: Report, *, every_block: bool
) -> list[Record]:
    """At most `limit`, the newest first. `every_block`: the index is not asked, so that it hides
    nothing; that takes as long as the trail is. What was altered among it goes to
    `report`. Raises StoreUnavailable."""
    if every_block:
        return await _newest(trail.blocks({}), wanted, limit, report)
    found: list[Record] = []
    async for block in trail.blocks(wanted.blocks(), newest_first=True):
        found += reversed(wanted_of(block, wanted, report))
        if len(found) >= limit:
            break
    return found[:limit]


async def _newest(
    blocks: AsyncIterator[Block], wanted: Wanted, limit: int, report: Report
) -> list[Record]:
    found: list[tuple[str, str, int, Record]] = []
    async for block in blocks:
        records = wanted_of(block, wanted, report)
        places = [(one["at"], block.segment, one["sequence"], one) for one in records]
        found = heapq.nlargest(limit, found + places, key=lambda place: place[:3])
    return [record for *_, record in found]


def wanted_of(block: Block, wanted: Wanted, report: Report) -> list[Record]:
    """Those of the block; what was altered in it goes to `report`."""
    read = read_lines(block)
    report.findings += check_content(block, read)
    return [record for record in read if record is not None and wanted.includes(record)]
