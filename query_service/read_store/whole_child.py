"""All read models of one child, page by page, in one generation. Twins: whole_child_memory.py,
whole_child_mongo.py.

A page is asked for by where the last one ended, so nothing is open between two pages, and what is
written meanwhile neither repeats a document nor hides one that was there before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

Document = Mapping[str, Any]


class Part(StrEnum):
    """What is read of a child, in this order. A profile, and safety where there is any, are one
    document each."""

    PROFILE = "profile"
    SAFETY = "safety"
    VIOLATION = "violation"
    CONVERSATION = "conversation"
    ACTIVITY = "activity"
    ALERT = "alert"


SORTED_BY: Mapping[Part, str] = {
    Part.VIOLATION: "at",
    Part.CONVERSATION: "started_at",
    Part.ACTIVITY: "day",
    Part.ALERT: "raised_at",
}
"""By which field the documents of a part are sorted: set once, never changed. Ties go by `_id`,
descending, as the indexes have it from behind."""


@dataclass(frozen=True, slots=True)
class After:
    """The last document of a page: its field of SORTED_BY, and its `_id`."""

    key: datetime | str
    id: str

    @staticmethod
    def of(part: Part, document: Document) -> "After":
        return After(document[SORTED_BY[part]], document["_id"])


class GenerationGone(Exception):
    """The generation is not kept any more: what it holds is no whole child."""


class WholeChild(Protocol):
    """Every coroutine may raise ReadStoreUnavailable."""

    async def live(self) -> int:
        """The number of the generation that queries read."""

    async def is_kept(self, generation: int) -> bool:
        """Whether it can still be read."""

    async def page(
        self, generation: int, child_id: str, part: Part, after: After | None, limit: int
    ) -> Sequence[Document]:
        """At most `limit` documents of the part after `after`, the oldest first; fewer are the
        last. The safety document comes without its list of violations, in every generation they
        are a part of their own, with an `_id`. Raises GenerationGone."""
