"""The signed heads, from the database and from the file, and what they vouch for."""

from collections.abc import Iterable

from shared.audit.chain import Tail
from shared.audit.findings import Report
from shared.audit.heads import Head, digest_of_head, open_head
from shared.audit.purged import SignedPurges
from shared.proofs.statements import StatementRefused, StatementVerifier


class SignedHeads:
    """`vouched`: for each segment the tails that some head has signed, its own or another's."""

    def __init__(self, verifier: StatementVerifier, report: Report, purges: SignedPurges) -> None:
        self._verifier = verifier
        self._purges = purges
        self._report = report
        self._texts: dict[tuple[str, int], str] = {}
        self.vouched: dict[str, set[Tail]] = {}

    def add(self, texts: Iterable[str], source: str) -> set[tuple[str, int]]:
        """Take heads from `source`; which they were. Refused ones are findings."""
        places: set[tuple[str, int]] = set()
        for number, text in enumerate(texts, 1):
            try:
                head = open_head(self._verifier, text)
            except (StatementRefused, KeyError, TypeError, ValueError) as error:
                self._report.found(f"{source}, head {number}", str(error))
                continue
            if head.number <= self._purges.of(head.segment).heads:
                continue
            place = (head.segment, head.number)
            places.add(place)
            if self._texts.setdefault(place, text) != text:
                self._report.found(
                    f"{source}, {_name(head)}", "differs from the one kept elsewhere"
                )
            self._vouch(head)
        return places

    def check_chain(self) -> None:
        """Each segment's heads are numbered without a hole and chained, behind those purged."""
        previous: dict[str, tuple[int, str]] = {}
        for (segment, number), text in sorted(self._texts.items()):
            purged = self._purges.of(segment)
            before, digest = previous.get(segment, (purged.heads, purged.head_digest))
            name = f"audit segment {segment}, head {number}"
            if number != before + 1:
                self._report.found(f"audit segment {segment}", f"head {before + 1} is missing")
            elif open_head(self._verifier, text).previous != digest:
                self._report.found(name, "the head before it is not the one it was chained to")
            previous[segment] = (number, digest_of_head(text))
        self._report.count("signed heads", len(self._texts))

    def _vouch(self, head: Head) -> None:
        for segment, tail in {head.segment: head.tail, **head.seen}.items():
            self.vouched.setdefault(segment, set()).add(tail)


def _name(head: Head) -> str:
    return f"audit segment {head.segment}, head {head.number}"
