"""However many labels a child's events invent, a document tells only so many apart."""

from dataclasses import replace

import pytest

from projection_worker.projections.registry import ChildView
from projection_worker.projections.rules import MOST_LABELS, MOST_TOPICS
from shared.events.child import ChildEvent
from shared.read_models.documents import OTHER, Model
from tests.support.projection_facts import (
    MIA,
    TALK,
    message,
    registered,
    reported,
    started,
    view_of,
)


def invented(count: int) -> list[str]:
    return [f"label-{number:03}" for number in range(count)]


def skills(view: ChildView) -> dict[str, int]:
    assert view.child is not None
    return view.child["learning_metrics"]


def test_a_hundred_skills_are_distinguished_and_more_count_as_other() -> None:
    names = invented(MOST_LABELS + 20)
    taught = [message(learning_skills=tuple(names[n : n + 20])) for n in range(0, len(names), 20)]

    counted = skills(view_of(registered(), *taught))

    assert len(counted) == MOST_LABELS + 1
    assert counted == {**dict.fromkeys(names[:MOST_LABELS], 1), OTHER: 20}


def test_what_is_known_is_counted_by_its_name_for_ever() -> None:
    names = invented(MOST_LABELS)
    taught = [message(learning_skills=(name,)) for name in names]
    later = [message(learning_skills=("newcomer", names[0], "newcomer"))]

    counted = skills(view_of(registered(), *taught, *later))

    assert (counted[names[0]], counted[OTHER]) == (2, 2)
    assert "newcomer" not in counted


def test_a_label_called_other_takes_no_room() -> None:
    names = [OTHER, *invented(MOST_LABELS + 1)]

    counted = skills(view_of(registered(), *(message(learning_skills=(name,)) for name in names)))

    assert len(counted) == MOST_LABELS + 1
    assert counted[OTHER] == 2


def test_categories_of_violations_are_capped_for_the_child_and_its_safety() -> None:
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
def test_topics_of_a_day_are_capped(more: int, others: int) -> None:
    events = [message(topic=name) for name in invented(MOST_TOPICS + more)]

    day = view_of(registered(), *events).documents[Model.ACTIVITY, f"{MIA}@2026-11-23"]

    assert day["topics"].get(OTHER, 0) == others
    assert sum(day["topics"].values()) == MOST_TOPICS + more


def test_topics_of_a_conversation_are_capped_and_its_first_one_stays() -> None:
    names = invented(MOST_TOPICS + 5)
    events: list[ChildEvent] = [message(topic=name) for name in names]

    view = view_of(registered(), started(topic="space"), *events, message(topic="space"))

    talk = view.documents[Model.CONVERSATIONS, f"{MIA}/{TALK}"]
    assert talk["topics"] == ["space", *names[: MOST_TOPICS - 1], OTHER]
    assert talk["topic"] == "space"
