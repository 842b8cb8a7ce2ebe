"""All rows of the table, by kind, in the order in which they run: what fills the trail with records
comes after what reads all of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.attack import availability, canaries, erasure, evidence, families, inputs, keys, tokens
from tests.attack.row import Row, slug

KINDS: Mapping[str, Sequence[Row]] = {
    "tokens": tokens.ROWS,
    "families": families.ROWS,
    "inputs": inputs.ROWS,
    "keys": keys.ROWS,
    "canaries": canaries.ROWS,
    "erasure": erasure.ROWS,
    "evidence": evidence.ROWS,
    "availability": availability.ROWS,
}


@dataclass(frozen=True, slots=True)
class Named:
    """A row of a kind; its name is what `--case` takes."""

    kind: str
    row: Row

    @property
    def name(self) -> str:
        return f"{self.kind}/{slug(self.row.name)}"


def all_rows() -> list[Named]:
    return [Named(kind, row) for kind, rows in KINDS.items() for row in rows]
