"""What holds for every projection: all is folded, marked, labelled and bounded."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args, is_typeddict

import bson
import pytest

from projection_worker.projections import children, safety
from projection_worker.projections.registry import (
    IGNORED,
    PROJECTIONS,
    ChildView,
    Place,
    apply_all,
    places_of,
)
from projection_worker.projections.rules import MOST_LABELS, MOST_TOPICS
from projection_worker.replay.documents import documents_of, fold
from shared.event_store.envelope import RecordedEvent
from shared.events.child import SCHEMA_VERSIONS, ChildErased, ChildEvent
from shared.events.personal import IS_FROM_OPENED, IS_SEALED, fields_marked
from shared.keyring.keyring import ChildCipher
from shared.read_models import documents
from shared.read_models.documents import OTHER, Model
from tests.support.child_facts import ADA
from tests.support.event_samples import EVENTS
from tests.support.generated_lives import CIPHER, INDEX, OTHER_CIPHER, as_recorded
from tests.support.long_lives import CHILD, long_life
from tests.support.projection_facts import (
    MIA,
    TALK,
    message,
    registered,
    reported,
    started,
    view_of,
)

BESIDE = {event for projection in PROJECTIONS for event in projection.folds}
FOLDED = BESIDE | {*get_args(children.Folds), *safety.ALERT_EVENTS}


def test_every_event_is_folded_or_ignored_for_a_reason():
    forgotten = SCHEMA_VERSIONS.keys() - FOLDED - IGNORED.keys()

    assert forgotten == set(), "let a projection declare and fold it, or add it to registry.IGNORED"
    assert FOLDED.isdisjoint(IGNORED)
    assert all(IGNORED.values())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_changes_documents_of_those_that_fold_it_and_of_no_other(event: ChildEvent):
    declared = {one.model for one in PROJECTIONS if type(event) in one.folds}

    assert {model for model, _ in places_of(event)} == declared


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


def test_every_sealed_field_is_marked_so():
    sealed = {
        names[-1]
        for count in range(len(PAST))
        for (_, names), value in values(PAST[: count + 1], CIPHER).items()
        if isinstance(value, str) and SEALED_TEXT.fullmatch(value)
    }

    forgotten = sealed - marked(IS_SEALED)

    assert not forgotten, f"in shared/read_models/documents.py type them Sealed: {forgotten}"
    assert sealed == marked(IS_SEALED), "an event of event_samples.py should tell each of them"


def test_every_field_that_is_made_from_opened_values_is_marked_so():
    opened, closed = values(PAST, CIPHER), values(PAST, OTHER_CIPHER)
    noted = marked(IS_FROM_OPENED)

    forgotten = {
        "/".join(names)
        for place, names in opened.keys() | closed.keys()
        if opened.get((place, names)) != closed.get((place, names)) and noted.isdisjoint(names)
    }

    assert not forgotten, f"in shared/read_models/documents.py type them FromOpened: {forgotten}"


def invented(count: int) -> list[str]:
    return [f"label-{number:03}" for number in range(count)]


def skills(view: ChildView) -> dict[str, int]:
    assert view.child is not None
    return view.child["learning_metrics"]


def test_a_hundred_skills_are_distinguished_and_more_count_as_other():
    names = invented(MOST_LABELS + 20)
    taught = [message(learning_skills=tuple(names[n : n + 20])) for n in range(0, len(names), 20)]

    counted = skills(view_of(registered(), *taught))

    assert len(counted) == MOST_LABELS + 1
    assert counted == {**dict.fromkeys(names[:MOST_LABELS], 1), OTHER: 20}


def test_what_is_known_is_counted_by_its_name_for_ever():
    names = invented(MOST_LABELS)
    taught = [message(learning_skills=(name,)) for name in names]
    later = [message(learning_skills=("newcomer", names[0], "newcomer"))]

    counted = skills(view_of(registered(), *taught, *later))

    assert (counted[names[0]], counted[OTHER]) == (2, 2)
    assert "newcomer" not in counted


def test_a_label_called_other_takes_no_room():
    names = [OTHER, *invented(MOST_LABELS + 1)]

    counted = skills(view_of(registered(), *(message(learning_skills=(name,)) for name in names)))

    assert len(counted) == MOST_LABELS + 1
    assert counted[OTHER] == 2


def test_categories_of_violations_are_capped_for_the_child_and_its_safety():
    names = invented(MOST_LABELS + 5)
    reports = [with_category(number, name) for number, name in enumerate(names)]

    view = view_of(registered(), *reports)

    assert view.child is not None
    by_category = view.documents[Model.SAFETY, MIA]["violations_by_category"]
    assert by_category == view.child["violation_categories"]
    assert (len(by_category), by_category[OTHER]) == (MOST_LABELS + 1, 5)
    # and each violation says what it was
    violation = view.documents[Model.VIOLATIONS, f"{MIA}/violation-{MOST_LABELS + 4}"]
    assert violation["type"] == names[-1]


def with_category(number: int, name: str) -> ChildEvent:
    return replace(reported(number), violation_type=name)


@pytest.mark.parametrize(("more", "others"), [(0, 0), (1, 1), (7, 7)])
def test_topics_of_a_day_are_capped(more: int, others: int):
    events = [message(topic=name) for name in invented(MOST_TOPICS + more)]

    day = view_of(registered(), *events).documents[Model.ACTIVITY, f"{MIA}@2026-11-23"]

    assert day["topics"].get(OTHER, 0) == others
    assert sum(day["topics"].values()) == MOST_TOPICS + more


def test_topics_of_a_conversation_are_capped_and_its_first_one_stays():
    names = invented(MOST_TOPICS + 5)
    events: list[ChildEvent] = [message(topic=name) for name in names]

    view = view_of(registered(), started(topic="space"), *events, message(topic="space"))

    talk = view.documents[Model.CONVERSATIONS, f"{MIA}/{TALK}"]
    assert talk["topics"] == ["space", *names[: MOST_TOPICS - 1], OTHER]
    assert talk["topic"] == "space"


MOST_BYTES = {
    Model.CHILDREN: 96 * 1_024,
    Model.CONVERSATIONS: 16 * 1_024,
    Model.SAFETY: 40 * 1_024,
    Model.VIOLATIONS: 16 * 1_024,
    Model.ACTIVITY: 16 * 1_024,
    Model.ALERTS: 2 * 1_024,
}


def largest(events: int) -> Mapping[Model, int]:
    numbered = (
        (event, number, f"{CHILD}@{number}") for number, event in enumerate(long_life(events), 1)
    )
    sizes: dict[Model, int] = {}
    for (model, _), document in documents_of(apply_all(ChildView(), numbered)).items():
        sizes[model] = max(sizes.get(model, 0), len(bson.encode(document)))
    return sizes


@pytest.fixture(scope="module")
def after_a_long_life() -> Mapping[Model, int]:
    return largest(20_000)


def test_every_document_of_a_very_long_life_stays_small(after_a_long_life: Mapping[Model, int]):
    assert after_a_long_life.keys() == MOST_BYTES.keys()
    for model, size in after_a_long_life.items():
        assert size <= MOST_BYTES[model], model


def test_the_second_half_of_a_life_makes_no_document_larger(after_a_long_life: Mapping[Model, int]):
    after_half = largest(10_000)

    for model, size in after_a_long_life.items():
        assert size <= 1.1 * after_half[model], model
