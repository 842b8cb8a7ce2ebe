"""Deletes records that were kept long enough, and signs what stands for them.

What the deleted records vouched for is not lost: the newest anchor of each child in them is written
into the trail anew before anything goes.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from deploy.proofs.verify_trail import Anchors, take_anchor
from projection_worker.session import Failed
from shared.audit.block_check import Finding, Report
from shared.audit.chain import Block, Tail, times_of
from shared.audit.head_check import SegmentCheck, Signatures, read_signatures
from shared.audit.heads import append_to_file, digest_of_head, open_head, read_file
from shared.audit.process import AuditProcess
from shared.audit.record import AuditRecord, AuditUnavailable, Record
from shared.audit.settings import AuditSettings
from shared.audit.spans import KIND, Purged
from shared.audit.store import AuditStore
from shared.clock import Clock, iso
from shared.event_store.envelope import StreamPosition
from shared.signing import StatementSigner, StatementVerifier, read_jwks, read_signing_key

SUBJECT, ROLE = "retention", "system"
AT_ONCE = 1_000
PATIENCE_SECONDS = 30.0


class TrailTampered(Failed):
    """Records that are to be deleted were altered: they stay, as evidence."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(f"nothing was deleted: {findings[0]} (`teddy audit verify` lists all)")


@dataclass(slots=True)
class Expired:
    """A segment's records that are old enough: all of them up to `tail`, behind `purged`.
    `unsigned`: how many more there are that no head covers; they stay."""

    purged: Purged
    tail: Tail
    records: int = 0
    since: datetime | None = None
    anchors: Anchors = field(default_factory=Anchors)
    unsigned: int = 0

    def take(self, block: Block, records: Sequence[Record]) -> None:
        """Add the next block, which is old enough, too."""
        for record in records:
            take_anchor(self.anchors, record)
        self.tail = block.tail
        self.records += len(records)
        self.since = self.since or times_of(records)[0]

    def add(self, following: "Expired") -> None:
        """Add what follows, once a head covers it."""
        self.anchors.add_all(following.anchors)
        self.tail = following.tail
        self.records += following.records
        self.since = self.since or following.since


class AuditPurge:
    """Deletes all records before `cutoff`, in whole blocks."""

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
        """What has expired, by segment. Raises TrailTampered, StoreUnavailable or OSError."""
        return await self._behind_the_cutoff(await self._signed())

    async def apply(self) -> tuple[int, int]:
        """How many records were deleted, and how many unsigned ones were old enough, too, and stay.
        Killed at any moment, the next one goes on. Raises as `expired` does, and
        AuditUnavailable."""
        signed = await self._signed()
        await self._delete(signed.purges)
        old = await self._behind_the_cutoff(signed)
        expired = [one for one in old if one.records]
        if expired:
            await self._keep_anchors(expired)
        await self._delete([await self._sign_away(one) for one in expired])
        return (sum(one.records for one in expired), sum(one.unsigned for one in old))

    async def _signed(self) -> Signatures:
        file, report = self._settings.audit_heads_file, Report()
        lines = read_file(file) if file is not None and file.exists() else []
        signed = await read_signatures(self._store, self._verifier, lines, report)
        _refuse(report)
        return signed

    async def _behind_the_cutoff(self, signed: Signatures) -> list[Expired]:
        found = [await self._expired(one, signed) for one in await self._store.segments()]
        return [one for one in found if one.records or one.unsigned]

    async def _expired(self, segment: str, signed: Signatures) -> Expired:
        """By their lines, which a signed head covers: what else is stored says nothing."""
        purged, report, is_old = signed.purged(segment), Report(), True
        check = SegmentCheck(segment, purged.tail, signed.vouched(segment), report)
        found, waiting = Expired(purged, purged.tail), Expired(purged, purged.tail)
        async for block in self._store.segment(segment, purged.tail.sequence + 1):
            records = check.take(block)
            _refuse(report)
            is_old = is_old and times_of(records)[1] < self._cutoff
            if is_old:
                waiting.take(block, records)
            if waiting.records and check.signed == check.tail:
                found.add(waiting)
                waiting = Expired(purged, purged.tail)
            if not is_old and not waiting.records:
                break
        found.unsigned = waiting.records
        return found

    async def _keep_anchors(self, expired: Sequence[Expired]) -> None:
        """Written to a segment of this purge, durable and signed before anything is deleted."""
        strict = {"audit_strict": True, "audit_wait_seconds": PATIENCE_SECONDS}
        process = AuditProcess(self._settings.model_copy(update=strict), SUBJECT, self._clock)
        newest = Anchors()
        for one in expired:
            newest.add_all(one.anchors)
        entries = [
            self._entry("AnchorKept", "kept", (child_id,), anchor)
            for child_id, anchor in newest.left()
        ]
        entries += [
            self._entry("RecordsPurged", f"{one.records} of {one.purged.segment}")
            for one in expired
        ]
        async with process.running() as trail:
            for first in range(0, len(entries), AT_ONCE):
                some = entries[first : first + AT_ONCE]
                await asyncio.gather(*(trail.record(entry) for entry in some))
        if not process.is_proved:
            raise AuditUnavailable("the audit trail did not accept the anchors to keep")

    async def _sign_away(self, one: Expired) -> tuple[Purged, str]:
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
        return purged, text

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

    async def _delete(self, signed_away: Iterable[tuple[Purged, str]]) -> None:
        known = set(await self._store.purges())
        for purged, text in signed_away:
            if text not in known:
                await self._store.add_purge(purged.segment, text)
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


def _refuse(report: Report) -> None:
    if report.findings:
        raise TrailTampered(report.findings)
