"""A child with as much of everything as a test of its export needs, and an exporter of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from query_service.queries.exporter import ExportCursors, Exporter
from query_service.read_store.whole_child import After, Document, Part, WholeChild
from shared.event_store.envelope import Commit, StreamPosition
from shared.event_store.port import EventStore
from shared.events.child import ChildEvent
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.read_store import MemoryReadModels
from tests.support.commits import offer_of
from tests.support.event_samples import AT
from tests.support.histories import history
from tests.support.query_side import QuerySide
from tests.support.read_model_builders import NOON, safety_document, sealed, violation_document

Page = TypeVar("Page", bound=Sequence[Any])

LENA, WEISS = "lena", "weiss"


@dataclass(frozen=True, slots=True)
class Life:
    """How many of each there are; `several`: how many events a commit has."""

    violations: int = 0
    conversations: int = 0
    days: int = 0
    alerts: int = 0
    events: int = 0
    several: int = 1

    @property
    def records(self) -> int:
        return 2 + self.violations + self.conversations + self.days + self.alerts + self.events


async def live(side: QuerySide, life: Life) -> None:
    """Put the child of the family WEISS into the read models and the event store."""
    await side.child(LENA, parent_id=WEISS)
    cipher = await side.keyring.create(LENA)
    side.store.safety_documents[LENA] = safety_document(LENA)
    side.store.safety_documents[LENA].pop("violations", None)
    for number in range(life.violations):
        identity, moment = f"v-{number}", NOON + timedelta(minutes=number // 2)
        details = sealed(cipher, LENA, "details", f"said {number}", of=identity)
        document = violation_document(LENA, identity, details=details, at=moment)
        side.store.violations[document["_id"]] = document
    for number in range(life.conversations):
        moment = NOON + timedelta(minutes=number // 3)
        side.conversation(LENA, f"t-{number}", started_at=moment)
    for number in range(life.days):
        day = (NOON + timedelta(days=number)).date().isoformat()
        side.activity(LENA, day)
    for number in range(life.alerts):
        moment = NOON + timedelta(minutes=number // 2)
        event_id = f"{LENA}@{number}"
        side.alert(f"a-{number}", child_id=LENA, raised_at=moment, event_id=event_id)
    await write_events(side, list(history(LENA, life.events, AT))[: life.events], life.several)


async def write_events(
    side: QuerySide, events: Sequence[ChildEvent], several: int = 1, child_id: str = LENA
) -> None:
    """The child's first events."""
    cipher, position = await side.keyring.create(child_id), StreamPosition()
    for first in range(0, len(events), several):
        some = events[first : first + several]
        offer = offer_of(some, position, cipher, AT, WEISS)
        position = (await side.events.append(offer)).position


def exporter_of(
    side: QuerySide,
    page: int,
    between_cursors: int = 1,
    store: WholeChild | None = None,
    events: EventStore | None = None,
) -> Exporter:
    """With small pages, and a cursor behind each unless told otherwise."""
    return Exporter(
        store or side.whole,
        events or side.events,
        side.keyring,
        ExportCursors(bytes(32)),
        page,
        between_cursors,
    )


class CountedPages:
    """A child's read models and events; knows how many documents were on a page
    at most, and how many pages were read."""

    def __init__(self, whole: WholeChild, events: EventStore) -> None:
        self._whole, self._events = whole, events
        self.largest = 0
        self.pages = 0

    async def live(self) -> int:
        return await self._whole.live()

    async def is_kept(self, generation: int) -> bool:
        return await self._whole.is_kept(generation)

    async def page(
        self, generation: int, child_id: str, part: Part, after: After | None, limit: int
    ) -> Sequence[Document]:
        return self._counted(await self._whole.page(generation, child_id, part, after, limit))

    async def load(
        self, child_id: str, after_version: int = 0, limit: int | None = None
    ) -> list[Commit]:
        return self._counted(await self._events.load(child_id, after_version, limit))

    def _counted(self, page: Page) -> Page:
        self.pages += 1
        self.largest = max(self.largest, len(page))
        return page


class CountedEvents(MemoryEventStore):
    """The events of `pages`."""

    def __init__(self, pages: CountedPages) -> None:
        super().__init__()
        self._pages = pages

    async def load(
        self, child_id: str, after_version: int = 0, limit: int | None = None
    ) -> list[Commit]:
        return await self._pages.load(child_id, after_version, limit)


def another_generation(side: QuerySide) -> MemoryReadModels:
    """The same documents, as a rebuild makes them."""
    copy = MemoryReadModels()
    for model, documents in side.store.models.items():
        copy.models[model].update(documents)
    return copy
