from datetime import timedelta
from typing import Any

import pytest

from projection_worker.projections import activity, conversations, safety
from projection_worker.projections.registry import places_of
from shared.events.child import ChildEvent, Outcome, Severity
from shared.read_models.models import Model
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
    sealed,
    started,
    updated,
    view_of,
)

DAY = f"{MIA}@2026-11-23"


def document(model: Model, key: str, *events: ChildEvent) -> Any:
    return view_of(*events).documents[model, key]


def talk_of(*events: ChildEvent) -> Any:
    return document(Model.CONVERSATIONS, f"{MIA}/{TALK}", *events)


def test_a_conversation_has_what_it_was_about_and_how_long_it_took() -> None:
    talk = talk_of(registered(), started(), message(topic="moon"), message(topic="space"), ended())

    assert talk["started_at"] == later(1)
    assert talk["ended_at"] == later(13.5)
    assert talk["duration_minutes"] == 12.5
    assert talk["message_count"] == 2
    assert talk["topic"] == "space"
    assert talk["topics"] == ["space", "moon"]


def test_its_engagement_is_five_a_message_and_two_a_minute() -> None:
    assert talk_of(registered(), started(), message(), message())["engagement_score"] == 10.0
    assert talk_of(registered(), started(), message(), ended())["engagement_score"] == 30.0


def test_its_engagement_is_a_hundred_at_most() -> None:
    talk = talk_of(registered(), started(), *(message() for _ in range(30)))

    assert talk["engagement_score"] == 100.0


def test_without_a_topic_the_first_message_gives_it() -> None:
    talk = talk_of(registered(), started(topic=None), message(topic="music"))

    assert (talk["topic"], talk["topics"]) == ("music", ["music"])


def test_flags_and_violations_of_a_conversation_are_counted() -> None:
    talk = talk_of(
        registered(),
        started(),
        message(flagged_categories=("violence",)),
        reported(conversation_id=TALK),
    )

    assert (talk["flagged"], talk["safety_violations"]) == (1, 1)


def safety_of(*events: ChildEvent) -> Any:
    return document(Model.SAFETY, MIA, registered(), *events)


def test_the_safety_document_counts_and_lists_every_violation() -> None:
    seen = safety_of(
        reported(1, Severity.LOW),
        reported(2, Severity.CRITICAL, details=sealed("details", version=3), minutes=2),
    )

    assert seen["total_violations"] == 2
    assert seen["violations_by_severity"] == {"low": 1, "critical": 1}
    assert seen["violations_by_category"] == {"rude_words": 2}
    assert seen["high_severity_violations"] == 1
    assert seen["last_violation_at"] == later(2)
    assert [v["details"] for v in seen["violations"]] == [None, "3.details.ciphertext"]


def test_a_resolution_marks_its_violation_and_no_other() -> None:
    seen = safety_of(reported(1), reported(2), resolved(2, outcome=Outcome.FALSE_POSITIVE))

    first, second = seen["violations"]
    assert (first["outcome"], first["resolved_at"]) == (None, None)
    assert (second["outcome"], second["resolved_at"]) == ("false_positive", later(5))


def test_an_acknowledgement_marks_its_violation_and_the_first_one_counts() -> None:
    events = (registered(), reported(1), reported(2), acknowledged(2), acknowledged(2, minutes=9))
    (safety,) = [d for (model, _), d in view_of(*events).documents.items() if model is Model.SAFETY]

    seen = [entry["acknowledged_at"] for entry in safety["violations"]]
    assert seen == [None, acknowledged(2).at]


def test_the_policy_is_kept_beside_the_violations() -> None:
    seen = safety_of(policy(threshold=Severity.CRITICAL, count=5, window_hours=48))

    assert seen["alert_policy"] == {
        "threshold": "critical",
        "count": 5,
        "window_hours": 48,
        "channels": ["in_app"],
    }
    assert seen["total_violations"] == 0


def test_a_day_of_activity_adds_up() -> None:
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


def test_midnight_utc_parts_two_days() -> None:
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
def test_events_of_the_account_touch_no_other_document(event: ChildEvent) -> None:
    assert places_of(event) == []


def test_every_event_says_which_documents_it_touches() -> None:
    places = {model for model, _ in places_of(reported(conversation_id=TALK))}

    assert places == {Model.CONVERSATIONS, Model.SAFETY, Model.ACTIVITY}
    assert [model for model, _ in places_of(policy())] == [Model.SAFETY]
    assert conversations.key(reported()) is None
    assert safety.key(message()) is None
    assert activity.key(resolved()) is None
