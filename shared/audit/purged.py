"""Signed statements of what was deleted from the trail because it was kept long enough.

Such a statement takes the deleted records' place: the segment's chain goes on from the tail that it
names. Only its newest one counts for a segment, each covers all before.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from shared.audit.chain import Tail
from shared.audit.findings import Report
from shared.proofs.statements import StatementRefused, StatementVerifier

KIND = "teddy-audit-purge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """All records of `segment` up to `tail` were older than `before`, and were deleted at `at`. Its
    first `heads` signed heads went with them; `head_digest` is the last one's."""

    segment: str
    tail: Tail
    heads: int
    head_digest: str
    before: str
    at: str

    def statement(self) -> dict[str, Any]:
        return {
            "segment": self.segment,
            "sequence": self.tail.sequence,
            "hash": self.tail.hash,
            "heads": self.heads,
            "head_digest": self.head_digest,
            "before": self.before,
            "at": self.at,
        }


def nothing_purged(segment: str) -> Purged:
    return Purged(segment=segment, tail=Tail(), heads=0, head_digest="", before="", at="")


def open_purged(verifier: StatementVerifier, text: str) -> Purged:
    """Raises StatementRefused, KeyError, TypeError or ValueError."""
    content = verifier.open(KIND, text)
    return Purged(
        segment=content["segment"],
        tail=Tail(content["sequence"], content["hash"]),
        heads=content["heads"],
        head_digest=content["head_digest"],
        before=content["before"],
        at=content["at"],
    )


class SignedPurges:
    """For each segment the newest statement, from the database and from the file."""

    def __init__(self, verifier: StatementVerifier, report: Report) -> None:
        self._verifier = verifier
        self._report = report
        self._newest: dict[str, Purged] = {}
        self._texts: dict[str, str] = {}

    def __iter__(self) -> Iterator[tuple[Purged, str]]:
        """Of each segment the newest, and its statement."""
        return iter([(self._newest[name], text) for name, text in sorted(self._texts.items())])

    def of(self, segment: str) -> Purged:
        return self._newest.get(segment) or nothing_purged(segment)

    def add(self, texts: Iterable[str], source: str) -> None:
        """Refused ones are findings."""
        for number, text in enumerate(texts, 1):
            try:
                purged = open_purged(self._verifier, text)
            except (StatementRefused, KeyError, TypeError, ValueError) as error:
                self._report.found(f"{source}, purge statement {number}", str(error))
                continue
            if purged.tail.sequence > self.of(purged.segment).tail.sequence:
                self._newest[purged.segment] = purged
                self._texts[purged.segment] = text

    def report(self) -> None:
        """How much is gone in good order."""
        for purged in self._newest.values():
            self._report.count("audit records purged before", purged.tail.sequence)
