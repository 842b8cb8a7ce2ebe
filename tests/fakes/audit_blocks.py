"""The store of an audit trail in memory: blocks, and the heads that sign them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

from shared.audit.chain import Block, Tail, place_of, seal_block
from shared.audit.heads import KIND, Head, digest_of_head
from shared.audit.port import BlockPlace, TrailUnreadable
from shared.audit.record import AuditRecord
from shared.clock import iso
from shared.signing import StatementSigner


@dataclass
class MemoryAuditBlocks:
    """`away` plays a store that does not answer. `read`: how many blocks were handed out."""

    kept: dict[str, Block] = field(default_factory=dict)
    statements: dict[str, list[str]] = field(default_factory=dict)
    away: bool = False
    read: int = 0
    heads_read: int = 0

    def write(self, *entries: AuditRecord, segment: str = "query-1") -> None:
        """One block more."""
        block = seal_block(segment, self._tails().get(segment, Tail()), entries)
        self.kept[place_of(segment, block.first)] = block

    def sign(self, signer: StatementSigner, at: datetime) -> None:
        """A head for each segment."""
        for segment, tail in self._tails().items():
            before = self.statements.setdefault(segment, [])
            head = Head(
                segment=segment,
                number=len(before) + 1,
                tail=tail,
                at=iso(at),
                previous=digest_of_head(before[-1]) if before else "",
            )
            before.append(signer.sign(KIND, head.statement()))

    async def append(self, block: Block) -> None:
        self.kept[place_of(block.segment, block.first)] = block

    async def heads(self) -> list[str]:
        self._answer()
        return [text for name in sorted(self.statements) for text in self.statements[name]]

    async def segments_of_heads(self) -> list[str]:
        self._answer()
        return sorted(self.statements)

    async def newest_heads(
        self, segment: str, before: int | None, limit: int
    ) -> list[tuple[int, str]]:
        self._answer()
        numbered = list(enumerate(self.statements.get(segment, ()), 1))
        found = [one for one in reversed(numbered) if before is None or one[0] < before][:limit]
        self.heads_read += len(found)
        return found

    async def recent_segments(self) -> list[str]:
        return await self.segments()

    async def end_of(self, segment: str) -> Tail:
        self._answer()
        return self._tails().get(segment, Tail())

    async def time_of(self, segment: str, first: int) -> datetime | None:
        async for block in self.segment(segment, first):
            since: datetime = block.beside["since"]
            return since
        return None

    async def with_operation(self, operation: str, since: datetime) -> AsyncIterator[Block]:
        self._answer()
        for _, block in sorted(self.kept.items()):
            if operation in block.beside["operations"] and block.beside["since"] >= since:
                yield block

    async def purges(self) -> list[str]:
        self._answer()
        return []

    async def segments(self) -> list[str]:
        self._answer()
        return sorted({block.segment for block in self.kept.values()})

    async def segment(self, segment: str, first: int = 0) -> AsyncIterator[Block]:
        self._answer()
        for _, block in sorted(self.kept.items()):
            if block.segment == segment and block.first >= first:
                self.read += 1
                yield block

    async def newest_about(
        self, child_id: str, up_to: BlockPlace | None, limit: int
    ) -> list[Block]:
        self._answer()
        places = {
            BlockPlace(block.beside["since"], place): block
            for place, block in self.kept.items()
            if child_id in block.beside["children"]
        }
        chosen = [
            place for place in sorted(places, reverse=True) if up_to is None or place <= up_to
        ]
        self.read += len(chosen[:limit])
        return [places[place] for place in chosen[:limit]]

    def _tails(self) -> dict[str, Tail]:
        return {block.segment: block.tail for _, block in sorted(self.kept.items())}

    def _answer(self) -> None:
        if self.away:
            raise TrailUnreadable("the store is away")
