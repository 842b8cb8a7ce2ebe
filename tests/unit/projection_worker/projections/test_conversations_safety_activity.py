"""Conversations, safety and activity; minutes are unrounded, limited, on the days they cover."""

from datetime import timedelta
from typing import Any

import pytest

from projection_worker.projections.registry import ChildView, apply_all, places_of
from projection_worker.projections.rules import Rules
from shared.events.child import ChildEvent, Severity
from shared.read_models.documents import Model
from tests.support.projection_facts import (
    MIA,
    TALK,
    acknowledged,
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
    started,
    updated,
    view_of,
)

DAY = f"{MIA}@2026-11-23"


def document(model: Model, key: str, *events: ChildEvent) -> Any:
    return view_of(*events).documents[model, key]


def talk_of(*events: ChildEvent) -> Any:
    return document(Model.CONVERSATIONS, f"{MIA}/{TALK}", *events)


def test_a_conversation_has_what_it_was_about_and_how_long_it_took():
    talk = talk_of(registered(), started(), message(topic="moon"), message(topic="space"), ended())

    assert talk["started_at"] == later(1)
    assert talk["ended_at"] == later(13.5)
    assert talk["duration_minutes"] == 12.5
    assert talk["message_count"] == 2
    assert talk["topic"] == "space"
    assert talk["topics"] == ["space", "moon"]


def test_its_engagement_is_five_a_message_and_two_a_minute_and_a_hundred_at_most():
    assert talk_of(registered(), started(), message(), message())["engagement_score"] == 10.0
    assert talk_of(registered(), started(), message(), ended())["engagement_score"] == 30.0
    talk = talk_of(registered(), started(), *(message() for _ in range(30)))

    assert talk["engagement_score"] == 100.0


def test_without_a_topic_the_first_message_gives_it():
    talk = talk_of(registered(), started(topic=None), message(topic="music"))

    assert (talk["topic"], talk["topics"]) == ("music", ["music"])


def test_flags_and_violations_of_a_conversation_are_counted():
    talk = talk_of(
        registered(),
        started(),
        message(flagged_categories=("violence",)),
        reported(conversation_id=TALK),
    )

    assert (talk["flagged"], talk["safety_violations"]) == (1, 1)


def safety_of(*events: ChildEvent) -> Any:
    return document(Model.SAFETY, MIA, registered(), *events)


def test_the_safety_document_counts_every_violation_and_holds_none():
    seen = safety_of(reported(1, Severity.LOW), reported(2, Severity.CRITICAL, minutes=2))

    assert seen["total_violations"] == 2
    assert seen["violations_by_severity"] == {"low": 1, "critical": 1}
    assert seen["violations_by_category"] == {"rude_words": 2}
    assert seen["high_severity_violations"] == 1
    assert seen["last_violation_at"] == later(2)
    assert "violations" not in seen


@pytest.mark.parametrize(
    ("severity", "threshold", "told_late"),
    [
        (Severity.HIGH, Severity.HIGH, 0),
        (Severity.HIGH, Severity.CRITICAL, 1),
        (Severity.CRITICAL, Severity.CRITICAL, 0),
        (Severity.MEDIUM, Severity.CRITICAL, 0),
    ],
)
def test_it_counts_severe_violations_whose_report_did_not_alert_at_once(
    severity: Severity, threshold: Severity, told_late: int
):
    seen = safety_of(policy(threshold=threshold), reported(1, severity))

    assert seen["told_late"] == told_late


def test_what_only_the_count_rule_told_was_told_late():
    seen = safety_of(
        policy(threshold=Severity.CRITICAL, count=2), *(reported(n, Severity.HIGH) for n in (1, 2))
    )

    assert (seen["parent_notifications_sent"], seen["told_late"]) == (1, 2)


def test_the_policy_is_kept_beside_the_violations():
    seen = safety_of(policy(threshold=Severity.CRITICAL, count=5, window_hours=48))

    assert seen["alert_policy"] == {
        "threshold": "critical",
        "count": 5,
        "window_hours": 48,
        "channels": ["in_app"],
    }
    assert seen["total_violations"] == 0


def test_a_day_of_activity_adds_up():
    day = document(
        Model.ACTIVITY,
        DAY,
        registered(),
        started(),
        message(topic="space", flagged_categories=("violence",)),
        message(topic="moon"),
        ended(),
        reported(),
    )

    assert (day["day"], day["child_id"]) == ("2026-11-23", MIA)
    assert (day["conversations"], day["messages"], day["minutes"]) == (1, 2, 12.5)
    assert (day["flagged"], day["violations"]) == (1, 1)
    assert day["topics"] == {"space": 2, "moon": 1}


def test_midnight_utc_parts_two_days():
    minutes_to_midnight = 12 * 60
    view = view_of(
        registered(),
        started(minutes=minutes_to_midnight - 1),
        message(minutes=minutes_to_midnight + 1),
    )

    before, after = (view.documents[Model.ACTIVITY, f"{MIA}@{day}"] for day in _two_days())
    assert (before["conversations"], before["messages"]) == (1, 0)
    assert (after["conversations"], after["messages"]) == (0, 1)


def _two_days() -> tuple[str, str]:
    today = later(0).date()
    return today.isoformat(), (today + timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    "event", [registered(), updated(age=4), deactivated(), reactivated(), erased()]
)
def test_events_of_the_account_touch_no_other_document(event: ChildEvent):
    assert places_of(event) == []


def test_every_event_says_which_documents_it_touches():
    places = {model for model, _ in places_of(reported(conversation_id=TALK))}

    assert places == {Model.CONVERSATIONS, Model.SAFETY, Model.VIOLATIONS, Model.ACTIVITY}
    assert [model for model, _ in places_of(policy())] == [Model.SAFETY]
    assert {model for model, _ in places_of(reported())} == places - {Model.CONVERSATIONS}
    assert {model for model, _ in places_of(message())} == {Model.CONVERSATIONS, Model.ACTIVITY}
    assert places_of(resolved()) == [(Model.VIOLATIONS, f"{MIA}/violation-1")]
    assert places_of(acknowledged()) == [(Model.VIOLATIONS, f"{MIA}/violation-1")]


MIDNIGHT = 12 * 60
"""Minutes behind noon."""
ONE_HOUR = Rules(timedelta(hours=1))


def minutes_of_days(view: ChildView) -> dict[str, float]:
    days = [one for (model, _), one in view.documents.items() if model is Model.ACTIVITY]
    return {day["day"]: day["minutes"] for day in days if day["minutes"]}


def folded(rules: Rules, *events: ChildEvent) -> ChildView:
    numbered = ((event, number, f"{MIA}@{number}") for number, event in enumerate(events, 1))
    return apply_all(ChildView(), numbered, rules)


def total(view: ChildView) -> float:
    assert view.child is not None
    return view.child["total_minutes"]


def talk(view: ChildView) -> Any:
    return view.documents[Model.CONVERSATIONS, f"{MIA}/{TALK}"]


def test_a_thousand_conversations_of_three_seconds_count_as_their_minutes():
    short = ended(start=1, end=1 + 2.9 / 60)

    view = view_of(registered(), started(), *(short for _ in range(1_000)))

    assert round(total(view), 1) == 48.3
    ((day, minutes),) = minutes_of_days(view).items()
    assert (day, round(minutes, 1)) == ("2026-11-23", 48.3)


def test_a_conversation_over_midnight_has_minutes_on_both_days_and_counts_on_the_first():
    view = view_of(registered(), started(), ended(start=MIDNIGHT - 10, end=MIDNIGHT + 25))

    assert minutes_of_days(view) == {"2026-11-23": 10.0, "2026-11-24": 25.0}
    assert talk(view)["duration_minutes"] == total(view) == 35.0
    view = view_of(
        registered(), started(minutes=MIDNIGHT - 10), ended(start=MIDNIGHT - 10, end=MIDNIGHT + 5)
    )

    days = [view.documents[Model.ACTIVITY, f"{MIA}@2026-11-{day}"] for day in (23, 24)]
    assert [day["conversations"] for day in days] == [1, 0]


def test_one_that_ends_at_midnight_touches_no_other_day():
    end = ended(start=MIDNIGHT - 10, end=MIDNIGHT)

    assert minutes_of_days(view_of(registered(), end)) == {"2026-11-23": 10.0}
    assert [key for model, key in places_of(end) if model is Model.ACTIVITY] == [
        f"{MIA}@2026-11-23"
    ]


def test_a_conversation_is_over_at_the_limit_and_without_a_setting_after_four_hours():
    view = folded(ONE_HOUR, registered(), started(), ended(start=1, end=1 + 3 * 24 * 60))

    assert talk(view)["duration_minutes"] == total(view) == 60.0
    assert talk(view)["ended_at"] == later(61)
    assert minutes_of_days(view) == {"2026-11-23": 60.0}
    view = view_of(registered(), started(), ended(start=MIDNIGHT - 60, end=3 * MIDNIGHT))

    assert minutes_of_days(view) == {"2026-11-23": 60.0, "2026-11-24": 180.0}


@pytest.mark.parametrize("end", [1.0, 0.5, -9_999.0])
def test_one_that_ends_before_it_started_counts_nothing(end: float):
    view = view_of(registered(), started(), ended(start=1, end=end))

    assert (total(view), talk(view)["duration_minutes"], minutes_of_days(view)) == (0.0, 0.0, {})
    assert talk(view)["ended_at"] == later(end)


def test_with_a_long_limit_each_day_between_has_all_of_its_minutes():
    rules = Rules(timedelta(days=10))

    view = folded(rules, registered(), ended(start=0, end=2 * 24 * 60))

    assert list(minutes_of_days(view).values()) == [720.0, 1440.0, 720.0]
