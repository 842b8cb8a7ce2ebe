"""Who adds a field to a read model says of what it is made: by that it is opened, exported, masked,
compared and looked for after an erasure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, is_typeddict

from projection_worker.projections.registry import Place
from projection_worker.replay.documents import documents_of, fold
from shared.event_store.envelope import RecordedEvent
from shared.events.child import ChildErased
from shared.events.personal import IS_FROM_OPENED, IS_SEALED, fields_marked
from shared.keyring.keyring import ChildCipher
from shared.read_models import documents
from tests.support.child_facts import ADA
from tests.support.event_samples import EVENTS
from tests.support.generated_lives import CIPHER, INDEX, OTHER_CIPHER, as_recorded

SEALED_TEXT = re.compile(r"\d+\.[a-z_]+\.[A-Za-z0-9+/_=-]{16,}")

Leaf = tuple[Place, tuple[str, ...]]
"""A value in a document: by which names one comes to it."""


def marked(mark: str) -> set[str]:
    types = filter(is_typeddict, vars(documents).values())
    return {name for document in types for name in fields_marked(document, mark)}


PAST = as_recorded(
    [replace(one, child_id=ADA) for one in EVENTS if not isinstance(one, ChildErased)]
)
"""Of a child to whom everything happened but the erasure."""


def values(events: Sequence[RecordedEvent], cipher: ChildCipher) -> dict[Leaf, Any]:
    """What stands in the child's documents after `events`."""
    folded = documents_of(fold(events, cipher, INDEX).view)
    return {
        (place, names): value
        for place, document in folded.items()
        for names, value in leaves(document, ())
    }


def leaves(value: Any, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping) and value:
        for name, one in value.items():
            yield from leaves(one, (*names, name))
    else:
        yield names, value


def test_every_sealed_field_is_marked_so() -> None:
    sealed = {
        names[-1]
        for count in range(len(PAST))
        for (_, names), value in values(PAST[: count + 1], CIPHER).items()
        if isinstance(value, str) and SEALED_TEXT.fullmatch(value)
    }

    forgotten = sealed - marked(IS_SEALED)

    assert not forgotten, f"in shared/read_models/documents.py type them Sealed: {forgotten}"
    assert sealed == marked(IS_SEALED), "an event of event_samples.py should tell each of them"


def test_every_field_that_is_made_from_opened_values_is_marked_so() -> None:
    opened, closed = values(PAST, CIPHER), values(PAST, OTHER_CIPHER)
    told = marked(IS_FROM_OPENED)

    forgotten = {
        "/".join(names)
        for place, names in opened.keys() | closed.keys()
        if opened.get((place, names)) != closed.get((place, names)) and told.isdisjoint(names)
    }

    assert not forgotten, f"in shared/read_models/documents.py type them FromOpened: {forgotten}"
