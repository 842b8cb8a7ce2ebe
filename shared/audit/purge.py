"""Deletes records that were kept long enough, and signs what stands for them.

What the deleted records vouched for is not lost: the newest anchor of each child in them is written
into the trail anew before anything goes.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.audit.block_check import check_block, records_of
from shared.audit.chain import Block, Tail
from shared.audit.commit_check import Anchors
from shared.audit.findings import Finding
from shared.audit.heads import append_to_file, digest_of_head, open_head
from shared.audit.process import AuditProcess
from shared.audit.purged import KIND, Purged, nothing_purged, open_purged
from shared.audit.record import AuditRecord
from shared.audit.store import AuditStore
from shared.audit.trail import AuditUnavailable
from shared.audit.verify import take_anchor
from shared.clock import Clock, iso
from shared.envelope import StreamPosition
from shared.proofs.statements import StatementSigner, StatementVerifier
from shared.settings import AuditSettings
from shared.signing_keys import read_jwks, read_signing_key

SUBJECT, ROLE = "retention", "system"
AT_ONCE = 1_000
PATIENCE_SECONDS = 30.0


class TrailTampered(Exception):
    """What is to go is not what was written: it stays, as evidence."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(f"nothing was deleted: {findings[0]} (`teddy audit verify` tells all)")


@dataclass(slots=True)
class Expired:
    """A segment's records that are old enough: all of them up to `tail`, behind `purged`."""

    purged: Purged
    tail: Tail
    records: int = 0
    since: datetime | None = None
    anchors: Anchors = field(default_factory=Anchors)

    def take(self, block: Block) -> None:
        """The next block is old enough, too. Raises TrailTampered."""
        findings = check_block(block, self.tail)
        if findings:
            raise TrailTampered(findings)
        for record in records_of(block):
            take_anchor(self.anchors, record)
        self.tail = block.tail
        self.records += len(block.lines)
        self.since = self.since or block.since


class AuditPurge:
    """Of all records before `cutoff`, in whole blocks."""

    def __init__(
        self, settings: AuditSettings, store: AuditStore, cutoff: datetime, clock: Clock
    ) -> None:
        """Raises SigningKeyRefused."""
        self._settings = settings
        self._store = store
        self._cutoff = cutoff
        self._clock = clock
        self._signer = StatementSigner(read_signing_key(settings.proof_key_file))
        self._verifier = StatementVerifier(read_jwks(settings.proof_keys_file))

    async def expired(self) -> list[Expired]:
        """By segment. Raises StatementRefused, TrailTampered or StoreUnavailable."""
        statements = [open_purged(self._verifier, text) for text in await self._store.purges()]
        purged = {one.segment: one for one in statements}
        found = []
        for segment in await self._store.segments():
            one = await self._expired(purged.get(segment) or nothing_purged(segment))
            if one.records:
                found.append(one)
        return found

    async def apply(self) -> int:
        """How many records went. Killed at any moment, the next one goes on. Raises as `expired`
        does, and AuditUnavailable."""
        await self._delete_what_is_signed_away()
        expired = await self.expired()
        if not expired:
            return 0
        await self._keep_anchors(expired)
        for one in expired:
            await self._sign_away(one)
        await self._delete_what_is_signed_away()
        return sum(one.records for one in expired)

    async def _expired(self, purged: Purged) -> Expired:
        found = Expired(purged, purged.tail)
        async for block in self._store.segment(purged.segment):
            if block.last <= purged.tail.sequence:
                continue
            if block.until >= self._cutoff:
                break
            found.take(block)
        return found

    async def _keep_anchors(self, expired: Sequence[Expired]) -> None:
        """In a segment of this purge, durable and signed before anything is deleted."""
        strict = {"audit_strict": True, "audit_wait_seconds": PATIENCE_SECONDS}
        process = AuditProcess(self._settings.model_copy(update=strict), SUBJECT, self._clock)
        entries = [
            self._entry("AnchorKept", "kept", (child_id,), anchor)
            for child_id, anchor in _newest(expired).left()
        ]
        entries += [
            self._entry("RecordsPurged", f"{one.records} of {one.purged.segment}")
            for one in expired
        ]
        async with process.running() as trail:
            for first in range(0, len(entries), AT_ONCE):
                some = entries[first : first + AT_ONCE]
                await asyncio.gather(*(trail.record(entry) for entry in some))
        if trail.waiting:
            raise AuditUnavailable("the audit trail did not take what is to be kept")

    async def _sign_away(self, one: Expired) -> None:
        heads, digest = await self._heads_to_go(one)
        segment = one.purged.segment
        purged = Purged(
            segment=segment,
            tail=one.tail,
            heads=heads,
            head_digest=digest,
            before=iso(self._cutoff),
            at=iso(self._clock()),
        )
        text = self._signer.sign(KIND, purged.statement())
        if self._settings.audit_heads_file is not None:
            await append_to_file(self._settings.audit_heads_file, text)
        await self._store.add_purge(segment, text)

    async def _heads_to_go(self, one: Expired) -> tuple[int, str]:
        """The number and the digest of the last head that vouches for nothing that stays."""
        number, digest = one.purged.heads, one.purged.head_digest
        for text in await self._store.heads_of(one.purged.segment):
            head = open_head(self._verifier, text)
            if head.tail.sequence > one.tail.sequence:
                break
            if head.number > number:
                number, digest = head.number, digest_of_head(text)
        return number, digest

    async def _delete_what_is_signed_away(self) -> None:
        for text in await self._store.purges():
            purged = open_purged(self._verifier, text)
            await self._store.delete_up_to(purged.segment, purged.tail.sequence)
            await self._store.delete_heads(purged.segment, purged.heads)

    def _entry(
        self,
        operation: str,
        outcome: str,
        children: tuple[str, ...] = (),
        anchor: StreamPosition | None = None,
    ) -> AuditRecord:
        return AuditRecord(
            at=self._clock(),
            subject=SUBJECT,
            role=ROLE,
            operation=operation,
            outcome=outcome,
            children=children,
            anchor=anchor,
        )


def _newest(expired: Sequence[Expired]) -> Anchors:
    """Of each child the newest anchor, over all segments."""
    newest = Anchors()
    for one in expired:
        for child_id, anchor in one.anchors.left():
            newest.add(child_id, anchor.version, anchor.hash)
    return newest
