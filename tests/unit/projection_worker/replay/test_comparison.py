from datetime import UTC, datetime
from typing import Any

import pytest

from projection_worker.projections.registry import Place
from projection_worker.replay.verify.comparison import (
    ABSENT,
    MOST_KEPT,
    Difference,
    Verification,
    compare,
    digest,
)
from shared.read_models.documents import Model

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MIA: Place = (Model.CHILDREN, "mia")
SAFETY: Place = (Model.SAFETY, "mia")
ALERT: Place = (Model.ALERTS, "mia@3/high")


def differences(expected: Any, found: Any, place: Place = MIA) -> list[tuple[str, object, object]]:
    told = compare("mia", {place: expected}, {place: found})
    return [(one.field, one.expected, one.found) for one in told]


def test_the_order_of_documents_and_fields_does_not_matter_to_a_digest_but_their_place_does() -> (
    None
):
    one = {MIA: {"age": 6, "seen": NOON}, SAFETY: {"total": 1}}
    other = {SAFETY: {"total": 1}, MIA: {"seen": NOON, "age": 6}}

    assert digest(one) == digest(other)
    assert digest({MIA: {"age": 6}}) != digest({(Model.CHILDREN, "tom"): {"age": 6}})


@pytest.mark.parametrize("age", [7, 6.0, None, "6", True, 6 + 0j])
def test_every_other_value_has_another_digest_and_is_a_difference(age: object) -> None:
    assert digest({MIA: {"age": 6}}) != digest({MIA: {"age": age}})
    assert differences({"age": 6}, {"age": age}) == [("age", 6, age)]


def test_when_an_alert_was_delivered_is_not_compared() -> None:
    told, delivered = {"severity": "high"}, {"severity": "high", "delivered": {"in_app": NOON}}

    assert digest({ALERT: told}) == digest({ALERT: delivered})
    assert differences(told, delivered, ALERT) == []


def test_a_document_or_a_field_that_one_side_lacks_is_one_difference() -> None:
    lost = list(compare("mia", {MIA: {"age": 6}}, {}))
    stray = list(compare("mia", {}, {MIA: {"age": 6}}))

    assert lost == [Difference("mia", "children", "mia", "(document)", "present", "absent")]
    assert stray == [Difference("mia", "children", "mia", "(document)", "absent", "present")]
    assert differences({"age": 6}, {}) == [("age", 6, ABSENT)]
    assert differences({}, {"age": 6}) == [("age", ABSENT, 6)]


def test_nested_fields_are_reported_by_their_path() -> None:
    expected = {"policy": {"threshold": "high"}, "violations": [{"id": 1, "outcome": None}]}
    found = {"policy": {"threshold": "low"}, "violations": [{"id": 1, "outcome": "confirmed"}]}

    assert differences(expected, found) == [
        ("policy.threshold", "high", "low"),
        ("violations[0].outcome", None, "confirmed"),
    ]


def test_of_two_lists_of_documents_only_what_differs_is_reported_and_plain_values_whole() -> None:
    first, second = {"id": 1}, {"id": 2}

    assert differences({"all": [first, second]}, {"all": [first]}) == [("all[1]", second, ABSENT)]
    assert differences({"all": [first]}, {"all": [first, second]}) == [("all[1]", ABSENT, second)]
    told = differences({"topics": ["space", "sea"]}, {"topics": ["sea"]})

    assert told == [("topics", ["space", "sea"], ["sea"])]


def test_verifications_of_parts_add_up_to_that_of_the_whole() -> None:
    whole, part = Verification(children=1, digest=2**256 - 1), Verification(children=2, digest=3)
    part.documents["children"] = 2
    part.behind, part.dead_lettered = {"mia", "tom"}, {"tom"}
    for number in range(MOST_KEPT + 1):
        part.note(Difference("mia", "children", "mia", "age", number, 0))

    whole.add(part)
    whole.add(part)

    assert (whole.children, whole.documents["children"], whole.digest) == (5, 4, 5)
    assert (whole.behind, whole.dead_lettered) == ({"mia", "tom"}, {"tom"})
    assert (whole.found, len(whole.differences)) == (2 * MOST_KEPT + 2, MOST_KEPT)
    assert not whole.clean
