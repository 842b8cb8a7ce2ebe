import dataclasses
import typing
from datetime import UTC, datetime

import pytest

from projection_worker.replay.verify.comparison import ABSENT, COMMITS, Difference
from projection_worker.replay.verify.differences import SEALED_FIELDS, told
from shared.envelope import RecordedEvent
from shared.events.child import SCHEMA_VERSIONS
from shared.personal import Personal
from shared.read_models.models import Model
from tests.support.projection_facts import MIA

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def event(version: int, event_type: str = "ChildProfileUpdated") -> RecordedEvent:
    return RecordedEvent(
        child_id=MIA,
        version=version,
        type=event_type,
        schema_version=1,
        occurred_at=NOON,
        recorded_at=NOON,
        data="{}",
        correlation_id="correlation-1",
    )


def test_a_difference_names_place_both_values_and_the_event_it_came_by() -> None:
    difference = Difference("mia", "children", "mia", "safety_score", 85.0, 95.0)

    assert told(difference, event(7, "SafetyViolationReported")) == (
        "children/mia safety_score: events say 85.0, read model has 95.0 "
        "(since version 7: SafetyViolationReported)"
    )


def test_a_parked_child_is_named_as_parked() -> None:
    difference = Difference("mia", "children", "mia", "version", 6, 5)

    said = told(difference, event(6), "UndecodableEvent: not JSON")

    assert said.endswith(
        "(since version 6: ChildProfileUpdated); parked: UndecodableEvent: not JSON"
    )


@pytest.mark.parametrize("field", ["name", "udid", "name_tokens", "violations[2].details"])
def test_of_a_personal_value_only_that_it_differs_is_said(field: str) -> None:
    said = told(Difference("mia", "children", "mia", field, "Mia", "Emma"))

    assert said == f"children/mia {field}: the sealed value is not the one that the events hold"


def test_personal_values_inside_a_lost_document_are_not_said() -> None:
    entry = {"id": "violation-1", "details": "she said her name is Mia"}

    said = told(Difference("mia", "safety", "mia", "violations[0]", entry, ABSENT))

    assert "Mia" not in said
    assert "'violation-1'" in said
    assert said.endswith("read model has (absent)")


def test_what_events_seal_is_never_said() -> None:
    sealed = {
        field.name
        for event_class in SCHEMA_VERSIONS
        for field in dataclasses.fields(event_class)
        if Personal.__name__ in str(typing.get_type_hints(event_class)[field.name])
    }
    assert {"name", "udid", "details"} <= sealed
    assert sealed - {"reason"} <= SEALED_FIELDS  # why a child was deactivated is in no read model


def test_a_broken_chain_and_wrong_counters_are_said_as_what_they_are() -> None:
    broken = Difference("mia", COMMITS, "mia", "hash", "predecessor differs", 3)
    counters = Difference("", Model.SYSTEM, "(sum)", "messages", 1, 2)

    assert told(broken) == "commits/mia hash: predecessor differs: version 3"
    assert told(counters) == ("system/(sum) messages: the children sum up to 1, the counters to 2")
