"""Signed heads of the audit trail: what they say, and who signs them when."""

import asyncio
import hashlib
import os
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import structlog

from shared.audit.chain import Tail
from shared.audit.store import AuditStore
from shared.audit.writer import ChainedTrail
from shared.clock import Clock, iso
from shared.event_store.port import StoreUnavailable
from shared.signing import StatementSigner, StatementVerifier

KIND = "teddy-audit-head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`tail` is where `segment` ended at `at`. `number` counts the segment's heads from 1 and
    `previous` is the digest of the one before. `seen`: where other segments ended then, so that
    each vouches for the others, also for one that was killed before it could sign."""

    segment: str
    number: int
    tail: Tail
    at: str
    previous: str
    seen: dict[str, Tail] = field(default_factory=dict)

    def statement(self) -> dict[str, Any]:
        return {
            "segment": self.segment,
            "number": self.number,
            "sequence": self.tail.sequence,
            "hash": self.tail.hash,
            "at": self.at,
            "previous": self.previous,
            "seen": {name: [tail.sequence, tail.hash] for name, tail in self.seen.items()},
        }


def open_head(verifier: StatementVerifier, text: str) -> Head:
    """Raises StatementRefused; KeyError, TypeError or ValueError for a statement that is no head"""
    return _head(verifier.open(KIND, text))


def read_head(text: str) -> Head:
    """Without checking its signature: for a text whose digest is signed. Raises KeyError, TypeError
    or ValueError."""
    return _head(said_in(text))


def said_in(text: str) -> Any:
    """What a statement says, whoever made it. Raises ValueError."""
    return orjson.loads(urlsafe_b64decode(f"{text.partition('.')[2].partition('.')[0]}==="))


def _head(content: dict[str, Any]) -> Head:
    return Head(
        segment=content["segment"],
        number=content["number"],
        tail=Tail(content["sequence"], content["hash"]),
        at=content["at"],
        previous=content["previous"],
        seen={name: Tail(*tail) for name, tail in content["seen"].items()},
    )


def digest_of_head(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def append_to_file(path: Path, text: str) -> None:
    """One line more, on the disk when this returns. Raises OSError."""
    await asyncio.to_thread(_append, path, text)


def _append(path: Path, text: str) -> None:
    # one write to a file opened for appending: lines of several processes never mix
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, f"{text}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def read_file(path: Path) -> list[str]:
    """Raises OSError, or ValueError for a file that is no text."""
    return list(lines_of(path))


def lines_of(path: Path) -> Iterator[str]:
    """As `read_file`, line by line."""
    with path.open() as lines:
        yield from (line for line in map(str.rstrip, lines) if line)


log = structlog.get_logger(__name__)


class HeadSigner:
    """Keeps each head in the database and, where there is one, in `file`."""

    def __init__(
        self,
        trail: ChainedTrail,
        store: AuditStore,
        signer: StatementSigner,
        clock: Clock,
        file: Path | None,
    ) -> None:
        self._trail = trail
        self._store = store
        self._signer = signer
        self._clock = clock
        self._file = file
        self._number = 0
        self._signed = Tail()
        self._previous = ""
        self._unkept: list[tuple[int, str]] = []
        self._seen: dict[str, Tail] = {}
        self._vouched: dict[str, Tail] = {}

    @property
    def is_done(self) -> bool:
        """All that the trail holds is covered by heads that are kept."""
        return self._trail.tail == self._signed and not self._unkept

    async def sign(self) -> None:
        """Nothing when there is nothing new to vouch for. Raises StoreUnavailable or OSError; what
        was signed by then is kept the next time."""
        tail, before = self._trail.tail, self._seen
        seen = self._seen = await self._store.open_tails()
        # others that stood still since the last look may be dead: who else would sign for them?
        left = {
            name: one
            for name, one in seen.items()
            if name != self._trail.segment and before.get(name) == one != self._vouched.get(name)
        }
        if tail != self._signed or left:
            self._vouched = seen
            self._unkept.append(self._next(tail, seen))
        while self._unkept:
            number, text = self._unkept[0]
            await self._store.add_head(self._trail.segment, number, text)
            if self._file is not None:
                await append_to_file(self._file, text)
            self._unkept.pop(0)

    def _next(self, tail: Tail, seen: dict[str, Tail]) -> tuple[int, str]:
        """The next head's number and statement, signed."""
        self._number += 1
        own = self._trail.segment
        head = Head(
            segment=own,
            number=self._number,
            tail=tail,
            at=iso(self._clock()),
            previous=self._previous,
            seen={name: seen_tail for name, seen_tail in seen.items() if name != own},
        )
        text = self._signer.sign(KIND, head.statement())
        self._previous, self._signed = digest_of_head(text), tail
        return self._number, text

    async def every(self, seconds: float) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await self.try_to_sign()

    async def try_to_sign(self) -> None:
        """As `sign`; a failure is logged, the next turn tries again."""
        try:
            await self.sign()
        except (StoreUnavailable, OSError) as error:
            log.warning("audit_head_not_stored", error=type(error).__name__, reason=str(error))
