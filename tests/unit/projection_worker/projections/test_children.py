"""The child's document, and the counts of the whole system."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection_worker.projections import children
from projection_worker.projections.registry import ChildView, apply, change, contribution
from projection_worker.projections.rules import Rules
from shared.events.child import ChildEvent, Outcome, Severity
from shared.read_models.documents import ChildDocument
from tests.support.projection_facts import (
    MIA,
    NOON,
    deactivated,
    ended,
    erased,
    later,
    message,
    policy,
    reactivated,
    registered,
    reported,
    resolved,
    sealed,
    started,
    updated,
    view_of,
)


def child_of(*events: ChildEvent) -> ChildDocument:
    child = view_of(*events).child
    assert child is not None
    return child


def test_a_registration_makes_the_document():
    child = child_of(registered(interests=sealed("interests")))

    assert child["_id"] == MIA
    assert child["parent_id"] == "parent-1"
    assert child["age"] == 6
    assert child["status"] == "active"
    assert child["created_at"] == child["updated_at"] == NOON
    assert child["version"] == 1
    assert child["safety_score"] == 100.0
    assert child["safety_status"] == "excellent"
    assert child["engagement_level"] == "new"


def test_personal_values_stand_sealed_with_their_place():
    child = child_of(registered(preferences=sealed("preferences")))

    assert child["name"] == "1.name.ciphertext"
    assert child["udid"] == "1.udid.ciphertext"
    assert child["preferences"] == "1.preferences.ciphertext"
    assert child["name_tokens"] == ["token-of-name"]


def test_completeness_counts_basics_and_tastes():
    assert child_of(registered())["profile_completeness"] == 60.0
    assert child_of(registered(device_id=sealed("device_id")))["profile_completeness"] == 80.0
    full = registered(
        device_id=sealed("device_id"),
        preferences=sealed("preferences"),
        learning_style=sealed("learning_style"),
        interests=sealed("interests"),
    )
    assert child_of(full)["profile_completeness"] == 100.0


def test_an_update_changes_only_what_it_names_and_a_new_name_brings_new_search_tokens():
    child = child_of(registered(interests=sealed("interests")), updated(age=9))

    assert child["age"] == 9
    assert child["interests"] == "1.interests.ciphertext"
    assert child["updated_at"] == later(1)
    child = child_of(registered(), updated(name=sealed("name", version=2)))

    assert child["name"] == "2.name.ciphertext"
    assert child["name_tokens"] == ["token-of-name"]


def test_a_cleared_field_is_empty_and_lowers_completeness():
    before = child_of(registered(interests=sealed("interests")))
    after = child_of(registered(interests=sealed("interests")), updated(cleared=("interests",)))

    assert after["interests"] is None
    assert after["profile_completeness"] < before["profile_completeness"]


@pytest.mark.parametrize(
    ("severity", "score", "status"),
    [
        (Severity.LOW, 95.0, "good"),
        (Severity.MEDIUM, 90.0, "good"),
        (Severity.HIGH, 80.0, "good"),
        (Severity.CRITICAL, 60.0, "fair"),
    ],
)
def test_each_severity_has_its_penalty(severity: Severity, score: float, status: str):
    child = child_of(registered(), reported(severity=severity))

    assert child["safety_score"] == score
    assert child["safety_status"] == status


def test_a_confirmed_violation_counts_half_and_a_false_one_nothing():
    happened = (registered(), reported(severity=Severity.CRITICAL))

    confirmed = child_of(*happened, resolved(severity=Severity.CRITICAL))
    dismissed = child_of(
        *happened, resolved(severity=Severity.CRITICAL, outcome=Outcome.FALSE_POSITIVE)
    )

    assert confirmed["safety_score"] == 80.0
    assert dismissed["safety_score"] == 100.0
    assert confirmed["open_violations_count"] == dismissed["open_violations_count"] == 0
    assert confirmed["safety_violations_count"] == 1
    assert confirmed["last_safety_check"] == later(5)


def test_once_nothing_is_open_a_high_score_is_excellent_again():
    happened = (registered(), reported(1, Severity.LOW), reported(2, Severity.LOW))

    one_open = child_of(*happened, resolved(1, Severity.LOW))
    none_open = child_of(*happened, resolved(1, Severity.LOW), resolved(2, Severity.LOW))

    assert (one_open["safety_score"], one_open["safety_status"]) == (92.5, "good")
    assert (none_open["safety_score"], none_open["safety_status"]) == (95.0, "excellent")


def test_the_score_never_falls_below_zero():
    reports = [reported(number, Severity.CRITICAL) for number in range(4)]

    child = child_of(registered(), *reports)

    assert child["safety_score"] == 0.0
    assert child["safety_status"] == "needs_attention"
    assert child["violation_categories"] == {"rude_words": 4}


@pytest.mark.parametrize(
    ("talks", "level"), [(1, "learning"), (4, "learning"), (5, "engaged"), (20, "active")]
)
def test_engagement_grows_with_conversations(talks: int, level: str):
    child = child_of(registered(), *(started(f"talk-{number}") for number in range(talks)))

    assert child["conversation_count"] == talks
    assert child["engagement_level"] == level


def test_messages_flags_skills_and_minutes_add_up():
    child = child_of(
        registered(),
        started(),
        message(learning_skills=("vocabulary", "counting")),
        message(flagged_categories=("violence",), learning_skills=("vocabulary",)),
        ended(),
    )

    assert child["total_messages"] == 2
    assert child["flagged_content_count"] == 1
    assert child["learning_metrics"] == {"vocabulary": 2, "counting": 1}
    assert child["total_minutes"] == 12.5
    assert child["last_interaction_at"] == later(13.5)


def test_a_clock_that_went_back_makes_no_negative_minutes():
    child = child_of(registered(), started(), ended(start=10, end=2))

    assert child["total_minutes"] == 0.0


def test_status_follows_deactivation_and_return():
    assert child_of(registered(), deactivated())["status"] == "deactivated"
    assert child_of(registered(), deactivated(), reactivated())["status"] == "active"


def test_an_alert_policy_leaves_the_profile_alone():
    before, after = child_of(registered()), child_of(registered(), policy())

    assert {**after, "version": 1, "updated_at": before["updated_at"]} == before


def test_of_an_erased_child_only_a_tombstone_stays():
    view = view_of(registered(), started(), reported(severity=Severity.HIGH), erased())

    child = view.child
    assert child is not None
    assert child["status"] == "erased"
    assert child["version"] == 4
    assert child["created_at"] == NOON
    assert (child["name"], child["udid"], child["name_tokens"]) == (None, None, [])
    assert child["safety_violations_count"] == child["conversation_count"] == 0
    assert (view.documents, view.alerts, view.erased) == ({}, (), True)


def test_the_document_before_is_left_as_it_was():
    before = child_of(registered())
    copy = dict(before)

    children.evolve(before, reported(), Rules())

    assert before == copy


def test_a_child_counts_by_its_status_for_distributions_and_totals():
    counts = contribution(view_of(registered(), started(), message()).child)

    assert counts["children_active"] == 1
    assert counts["safety_excellent"] == 1
    assert counts["engagement_learning"] == 1
    assert (counts["conversations"], counts["messages"]) == (1, 1)
    counts = contribution(view_of(registered(), started(), deactivated()).child)

    assert counts["children_deactivated"] == 1
    assert counts["conversations"] == 1
    assert not any(name.startswith(("safety_", "engagement_")) for name in +counts)
    assert +contribution(view_of(registered(), started(), erased()).child) == {"children_erased": 1}
    assert contribution(None) == {}


STEPS = (started(), reported(1, Severity.HIGH), deactivated(), reactivated(), erased())


@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_changes_add_up_to_the_contribution_whatever_happens(steps: list[ChildEvent]):
    view = ChildView()
    total: Counter[str] = Counter()
    for version, event in enumerate([registered(), *steps], 1):
        before = view.child
        view = apply(view, event, version, f"{MIA}@{version}")
        assert view.child is not None
        total.update(change(before, view.child))

    assert +total == +contribution(view.child)
