from collections.abc import Sequence

from shared.events.child import AlertChannel, ChildEvent, Severity
from shared.read_models.documents import AlertDocument
from shared.read_models.models import Model
from tests.support.projection_facts import (
    MIA,
    deactivated,
    policy,
    registered,
    reported,
    view_of,
)

HOUR = 60


def alerts_after(*events: ChildEvent) -> Sequence[AlertDocument]:
    return view_of(registered(), *events).alerts


def test_high_and_critical_are_alerted_at_once() -> None:
    alerts = alerts_after(
        reported(1, Severity.LOW), reported(2, Severity.HIGH), reported(3, Severity.CRITICAL)
    )

    assert [alert["violation_id"] for alert in alerts] == ["violation-2", "violation-3"]
    assert {alert["rule"] for alert in alerts} == {"threshold"}


def test_an_alert_names_parent_event_and_channels() -> None:
    (alert,) = alerts_after(reported(1, Severity.HIGH))

    assert alert["_id"] == f"{MIA}@2:threshold"
    assert alert["event_id"] == f"{MIA}@2"
    assert alert["parent_id"] == "parent-1"
    assert alert["channels"] == ["in_app"]
    assert alert["delivered"] == {}


def test_three_medium_ones_within_a_day_are_alerted_together() -> None:
    alerts = alerts_after(*(reported(number, minutes=number * HOUR) for number in range(1, 4)))

    assert [(alert["rule"], alert["violation_id"]) for alert in alerts] == [
        ("count", "violation-3")
    ]


def test_the_next_group_of_three_is_alerted_again() -> None:
    alerts = alerts_after(*(reported(number, minutes=number) for number in range(1, 8)))

    assert [alert["violation_id"] for alert in alerts] == ["violation-3", "violation-6"]


def test_medium_ones_outside_the_window_do_not_count() -> None:
    alerts = alerts_after(*(reported(number, minutes=number * 13 * HOUR) for number in range(4)))

    assert alerts == ()


def test_low_ones_never_add_up() -> None:
    alerts = alerts_after(*(reported(number, Severity.LOW) for number in range(1, 10)))

    assert alerts == ()


def test_the_childs_own_policy_decides() -> None:
    strict = policy(threshold=Severity.MEDIUM, channels=(AlertChannel.WEBHOOK,))

    (alert,) = alerts_after(strict, reported(1, Severity.MEDIUM))

    assert (alert["rule"], alert["channels"]) == ("threshold", ["webhook"])


def test_with_a_higher_threshold_high_ones_add_up() -> None:
    relaxed = policy(threshold=Severity.CRITICAL, count=2)

    alerts = alerts_after(
        relaxed, reported(1, Severity.HIGH), reported(2, Severity.MEDIUM, minutes=2)
    )

    assert [alert["rule"] for alert in alerts] == ["count"]


def test_a_deactivated_child_still_raises_alerts() -> None:
    alerts = alerts_after(deactivated(), reported(1, Severity.CRITICAL))

    assert len(alerts) == 1


def test_the_safety_document_counts_what_parents_were_told() -> None:
    view = view_of(registered(), reported(1, Severity.HIGH), reported(2, Severity.LOW))

    assert view.documents[Model.SAFETY, MIA]["parent_notifications_sent"] == 1
