"""Alerts, and one document a violation, with what its resolution changes."""

from collections.abc import Sequence
from typing import Any

import pytest

from command_service.child.field_checks import ALERT_COUNT
from projection_worker.projections.registry import ChildView, places_of
from projection_worker.projections.safety import MOST_COUNTED
from shared.events.child import AlertChannel, ChildEvent, Outcome, Severity
from shared.read_models.documents import AlertDocument, Model
from tests.support.projection_facts import (
    MIA,
    TALK,
    acknowledged,
    deactivated,
    later,
    policy,
    registered,
    reported,
    resolved,
    sealed,
    view_of,
)

HOUR = 60


def alerts_after(*events: ChildEvent) -> Sequence[AlertDocument]:
    return view_of(registered(), *events).alerts


def test_high_and_critical_are_alerted_at_once():
    alerts = alerts_after(
        reported(1, Severity.LOW), reported(2, Severity.HIGH), reported(3, Severity.CRITICAL)
    )

    assert [alert["violation_id"] for alert in alerts] == ["violation-2", "violation-3"]
    assert {alert["rule"] for alert in alerts} == {"threshold"}


def test_an_alert_names_parent_event_and_channels():
    (alert,) = alerts_after(reported(1, Severity.HIGH))

    assert alert["_id"] == f"{MIA}@2:threshold"
    assert alert["event_id"] == f"{MIA}@2"
    assert alert["parent_id"] == "parent-1"
    assert alert["channels"] == ["in_app"]
    assert alert["delivered"] == {}


def test_an_alert_is_read_once_its_violation_is_acknowledged_after_it_was_reported():
    alerts = alerts_after(
        reported(1, Severity.HIGH),
        reported(2, Severity.HIGH),
        acknowledged(2),
        acknowledged(2, minutes=9),
    )

    assert [alert["acknowledged_at"] for alert in alerts] == [None, acknowledged(2).at]
    (alert,) = alerts_after(acknowledged(1), reported(1, Severity.HIGH))

    assert alert["acknowledged_at"] is None


def test_three_medium_ones_within_a_day_are_alerted_together_and_the_next_three_again():
    alerts = alerts_after(*(reported(number, minutes=number * HOUR) for number in range(1, 4)))

    assert [(alert["rule"], alert["violation_id"]) for alert in alerts] == [
        ("count", "violation-3")
    ]
    alerts = alerts_after(*(reported(number, minutes=number) for number in range(1, 8)))

    assert [alert["violation_id"] for alert in alerts] == ["violation-3", "violation-6"]


def test_low_ones_and_those_outside_the_window_do_not_count():
    alerts = alerts_after(*(reported(number, minutes=number * 13 * HOUR) for number in range(4)))

    assert alerts == ()
    alerts = alerts_after(*(reported(number, Severity.LOW) for number in range(1, 10)))

    assert alerts == ()


def test_the_childs_own_policy_decides_and_above_a_higher_threshold_high_ones_add_up():
    strict = policy(threshold=Severity.MEDIUM, channels=(AlertChannel.WEBHOOK,))

    (alert,) = alerts_after(strict, reported(1, Severity.MEDIUM))

    assert (alert["rule"], alert["channels"]) == ("threshold", ["webhook"])
    relaxed = policy(threshold=Severity.CRITICAL, count=2)

    alerts = alerts_after(
        relaxed, reported(1, Severity.HIGH), reported(2, Severity.MEDIUM, minutes=2)
    )

    assert [alert["rule"] for alert in alerts] == ["count"]


def test_a_deactivated_child_still_raises_alerts_and_they_are_counted():
    alerts = alerts_after(deactivated(), reported(1, Severity.CRITICAL))

    assert len(alerts) == 1
    view = view_of(registered(), reported(1, Severity.HIGH), reported(2, Severity.LOW))

    assert view.documents[Model.SAFETY, MIA]["parent_notifications_sent"] == 1


def test_one_every_five_and_a_half_hours_is_alerted_with_every_third():
    # given twenty days, in which 87 violations fit; three of them lie within 11 hours
    violations: list[ChildEvent] = [
        reported(number, minutes=number * 5.5 * HOUR) for number in range(1, 88)
    ]
    # when
    alerts = alerts_after(*violations)
    # then
    assert [alert["violation_id"] for alert in alerts] == [
        f"violation-{number}" for number in range(3, 88, 3)
    ]
    assert len(alerts) == 29


def test_an_alert_of_the_threshold_does_not_begin_the_count_anew():
    alerts = alerts_after(
        reported(1, minutes=1),
        reported(2, minutes=2),
        reported(3, Severity.CRITICAL, minutes=3),
        reported(4, minutes=4),
    )

    assert [(alert["rule"], alert["violation_id"]) for alert in alerts] == [
        ("threshold", "violation-3"),
        ("count", "violation-4"),
    ]


def test_a_policy_that_is_set_again_counts_what_was_counted_before():
    alerts = alerts_after(reported(1), policy(), reported(2), policy(), reported(3))

    assert [alert["violation_id"] for alert in alerts] == ["violation-3"]
    alerts = alerts_after(policy(count=5), reported(1), reported(2), policy(count=2), reported(3))

    assert [alert["violation_id"] for alert in alerts] == ["violation-3"]
    day = 24 * HOUR

    alerts = alerts_after(
        *(reported(number, minutes=number * day) for number in (1, 2)),
        policy(window_hours=72),
        reported(3, minutes=3 * day),
    )

    assert [alert["violation_id"] for alert in alerts] == ["violation-3"]


def test_what_is_counted_is_bounded_and_enough_for_the_highest_count():
    highest = ALERT_COUNT.maximum
    happened: list[ChildEvent] = [
        policy(count=highest),
        *(reported(number) for number in range(1, highest)),
    ]

    counting = view_of(registered(), *happened, reported(highest)).documents[Model.SAFETY, MIA]
    never = view_of(
        registered(), *(reported(number, minutes=number * 25 * HOUR) for number in range(300))
    ).documents[Model.SAFETY, MIA]

    assert highest == MOST_COUNTED + 1
    assert (counting["parent_notifications_sent"], counting["counting"]) == (1, [])
    assert (never["parent_notifications_sent"], len(never["counting"])) == (0, MOST_COUNTED)


@pytest.mark.parametrize(
    ("severity", "threshold", "alerted"),
    [
        (Severity.HIGH, Severity.HIGH, "threshold"),
        (Severity.HIGH, Severity.CRITICAL, None),
        (Severity.LOW, Severity.HIGH, None),
    ],
)
def test_a_violation_says_by_which_rule_its_parent_was_alerted(
    severity: Severity, threshold: Severity, alerted: str | None
):
    view = view_of(registered(), policy(threshold=threshold), reported(1, severity))

    assert view.documents[Model.VIOLATIONS, f"{MIA}/violation-1"]["alerted"] == alerted


def violation(view: ChildView, number: int = 1) -> Any:
    return view.documents[Model.VIOLATIONS, f"{MIA}/violation-{number}"]


def test_a_violation_has_what_was_reported():
    details = sealed("details", version=2)

    seen = violation(
        view_of(registered(), reported(1, Severity.HIGH, details=details, conversation_id=TALK))
    )

    assert seen == {
        "_id": f"{MIA}/violation-1",
        "child_id": MIA,
        "id": "violation-1",
        "type": "rude_words",
        "severity": "high",
        "at": later(1),
        "conversation_id": TALK,
        "details": "2.details.ciphertext",
        "resolved_at": None,
        "outcome": None,
        "alerted": "threshold",
        "acknowledged_at": None,
    }


def test_a_resolution_and_the_first_acknowledgement_mark_their_violation_and_no_other():
    view = view_of(
        registered(), reported(1), reported(2), resolved(2, outcome=Outcome.FALSE_POSITIVE)
    )

    first, second = violation(view, 1), violation(view, 2)
    assert (first["outcome"], first["resolved_at"]) == (None, None)
    assert (second["outcome"], second["resolved_at"]) == ("false_positive", later(5))
    view = view_of(
        registered(), reported(1), reported(2), acknowledged(2), acknowledged(2, minutes=9)
    )

    assert violation(view, 1)["acknowledged_at"] is None
    assert violation(view, 2)["acknowledged_at"] == acknowledged(2).at


def test_a_second_report_counts_and_leaves_the_violation_as_it_was():
    once = view_of(registered(), reported(1), resolved(1))

    twice = view_of(registered(), reported(1), resolved(1), reported(1, Severity.HIGH, minutes=9))

    assert violation(twice) == violation(once)
    assert twice.documents[Model.SAFETY, MIA]["total_violations"] == 2
    assert twice.child is not None
    assert twice.child["safety_violations_count"] == 2


def test_what_was_never_reported_is_neither_resolved_nor_acknowledged():
    view = view_of(registered(), resolved(1), acknowledged(1))

    assert (Model.VIOLATIONS, f"{MIA}/violation-1") not in view.documents
    assert (Model.VIOLATIONS, f"{MIA}/violation-1") in places_of(resolved(1))
