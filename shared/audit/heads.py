"""Signed heads: what the trail held at a moment, said with a signature and kept in two places."""

import asyncio
import hashlib
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.audit.chain import Tail
from shared.clock import iso
from shared.proofs.statements import StatementSigner, StatementVerifier

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
    content = verifier.open(KIND, text)
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


class HeadChain:
    """The heads that one segment has signed."""

    def __init__(self, segment: str, signer: StatementSigner) -> None:
        self._segment = segment
        self._signer = signer
        self.number = 0
        self.signed = Tail()
        self._previous = ""

    def next(self, tail: Tail, at: datetime, seen: dict[str, Tail]) -> str:
        """The next head's statement, signed."""
        self.number += 1
        others = {name: seen_tail for name, seen_tail in seen.items() if name != self._segment}
        head = Head(
            segment=self._segment,
            number=self.number,
            tail=tail,
            at=iso(at),
            previous=self._previous,
            seen=others,
        )
        text = self._signer.sign(KIND, head.statement())
        self._previous, self.signed = digest_of_head(text), tail
        return text


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
    return [line for line in path.read_text().splitlines() if line]
