"""How far an export has come, as an opaque signed text."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from query_service.queries.errors import RequestRefused
from query_service.read_store.whole_child import After, Part
from shared.clock import iso, parse_iso
from shared.signing import SignatureRefused, Signer

LONGEST = 1_024
"""Characters of a cursor at most."""

REFUSED = "not a cursor of this child's export; send that of a `progress` line unchanged"


class Stage(StrEnum):
    """What is exported, in this order: the read models of Part, then the events."""

    PROFILE = Part.PROFILE.value
    SAFETY = Part.SAFETY.value
    VIOLATION = Part.VIOLATION.value
    CONVERSATION = Part.CONVERSATION.value
    ACTIVITY = Part.ACTIVITY.value
    ALERT = Part.ALERT.value
    EVENT = "event"
    END = "end"

    @property
    def next(self) -> "Stage":
        stages = list(Stage)
        return stages[stages.index(self) + 1]


@dataclass(frozen=True, slots=True)
class Progress:
    """What was written so far. `after`: the last document of the stage, None before its first.
    `version`: the last event. `counts`: records of each kind; `unreadable`: how many of them hold
    what does not open."""

    generation: int
    stage: Stage = Stage.PROFILE
    after: After | None = None
    version: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    unreadable: int = 0

    def wrote(self, records: int, unreadable: int) -> "Progress":
        """So many more records of this stage."""
        count = self.counts.get(self.stage, 0) + records
        counts = {**self.counts, self.stage.value: count}
        return replace(self, counts=counts, unreadable=self.unreadable + unreadable)

    def at_next_stage(self) -> "Progress":
        return replace(self, stage=self.stage.next, after=None)


class ExportCursors:
    """A cursor says where a child's export goes on, and opens nothing: whoever brings it is asked
    for a token as for the first part."""

    def __init__(self, signature_key: bytes) -> None:
        self._signer = Signer(signature_key, "cursor:export")

    def write(self, child_id: str, progress: Progress) -> str:
        after = progress.after
        key = after and (iso(after.key) if isinstance(after.key, datetime) else after.key)
        counts = [progress.counts.get(stage, 0) for stage in Stage]
        place = [progress.generation, progress.stage, key, after and after.id, progress.version]
        return self._signer.sign(orjson.dumps([child_id, *place, counts, progress.unreadable]))

    def read(self, cursor: str, child_id: str) -> Progress:
        """Raises RequestRefused for what was not given out here for this child."""
        try:
            content: list[Any] = orjson.loads(self._signer.open(cursor))
        except SignatureRefused:
            raise RequestRefused("cursor", REFUSED) from None
        of_child, generation, stage, key, identity, version, counts, unreadable = content
        if of_child != child_id:
            raise RequestRefused("cursor", REFUSED)
        return Progress(
            generation,
            Stage(stage),
            None if key is None else After(_key(Stage(stage), key), identity),
            version,
            {each.value: count for each, count in zip(Stage, counts, strict=True) if count},
            unreadable,
        )


def _key(stage: Stage, text: str) -> datetime | str:
    """A day is kept as a text, all else is sorted by a time."""
    return text if stage is Stage.ACTIVITY else parse_iso(text)
