"""How long conversations lasted: unrounded, at most the limit, and on the days that they cover."""

from datetime import timedelta
from typing import Any

import pytest

from projection_worker.projections.registry import ChildView, apply_all, places_of
from projection_worker.projections.rules import Rules
from shared.events.child import ChildEvent
from shared.read_models.documents import Model
from tests.support.projection_facts import MIA, TALK, ended, later, registered, started, view_of

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


def test_a_thousand_conversations_of_three_seconds_count_as_their_minutes() -> None:
    short = ended(start=1, end=1 + 2.9 / 60)

    view = view_of(registered(), started(), *(short for _ in range(1_000)))

    assert round(total(view), 1) == 48.3
    ((day, minutes),) = minutes_of_days(view).items()
    assert (day, round(minutes, 1)) == ("2026-11-23", 48.3)


def test_a_conversation_over_midnight_has_minutes_on_both_days() -> None:
    view = view_of(registered(), started(), ended(start=MIDNIGHT - 10, end=MIDNIGHT + 25))

    assert minutes_of_days(view) == {"2026-11-23": 10.0, "2026-11-24": 25.0}
    assert talk(view)["duration_minutes"] == total(view) == 35.0


def test_it_counts_as_a_conversation_on_the_day_on_which_it_started() -> None:
    view = view_of(
        registered(), started(minutes=MIDNIGHT - 10), ended(start=MIDNIGHT - 10, end=MIDNIGHT + 5)
    )

    days = [view.documents[Model.ACTIVITY, f"{MIA}@2026-11-{day}"] for day in (23, 24)]
    assert [day["conversations"] for day in days] == [1, 0]


def test_one_that_ends_at_midnight_touches_no_other_day() -> None:
    end = ended(start=MIDNIGHT - 10, end=MIDNIGHT)

    assert minutes_of_days(view_of(registered(), end)) == {"2026-11-23": 10.0}
    assert [key for model, key in places_of(end) if model is Model.ACTIVITY] == [
        f"{MIA}@2026-11-23"
    ]


def test_a_conversation_is_over_at_the_limit() -> None:
    view = folded(ONE_HOUR, registered(), started(), ended(start=1, end=1 + 3 * 24 * 60))

    assert talk(view)["duration_minutes"] == total(view) == 60.0
    assert talk(view)["ended_at"] == later(61)
    assert minutes_of_days(view) == {"2026-11-23": 60.0}


def test_without_another_setting_the_limit_is_four_hours() -> None:
    view = view_of(registered(), started(), ended(start=MIDNIGHT - 60, end=3 * MIDNIGHT))

    assert minutes_of_days(view) == {"2026-11-23": 60.0, "2026-11-24": 180.0}


@pytest.mark.parametrize("end", [1.0, 0.5, -9_999.0])
def test_one_that_ends_before_it_started_counts_nothing(end: float) -> None:
    view = view_of(registered(), started(), ended(start=1, end=end))

    assert (total(view), talk(view)["duration_minutes"], minutes_of_days(view)) == (0.0, 0.0, {})
    assert talk(view)["ended_at"] == later(end)


def test_with_a_long_limit_each_day_between_has_all_of_its_minutes() -> None:
    rules = Rules(timedelta(days=10))

    view = folded(rules, registered(), ended(start=0, end=2 * 24 * 60))

    assert list(minutes_of_days(view).values()) == [720.0, 1440.0, 720.0]
