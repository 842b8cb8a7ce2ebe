from datetime import UTC, datetime

import click
import pytest

from projection_worker.replay.commands.parameters import (
    Amount,
    EventType,
    moment_of,
    require_order,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-11-23T12:00:00Z", "2026-11-23T12:00Z", "2026-11-23T14:00:00.000+02:00"]
)
def test_a_time_with_its_zone_is_a_moment(text: str) -> None:
    assert moment_of(text) == NOON


def test_a_date_is_its_beginning_in_utc() -> None:
    assert moment_of("2026-11-23") == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "",
        "12:00",
        "2026-11-23T12:00:00",
        "2026-13-01",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_is_no_moment_is_none(text: str) -> None:
    assert moment_of(text) is None


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "-1", "much"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Amount(0).convert(text, None, None)


def test_a_type_that_is_nearly_right_is_answered_with_the_right_one() -> None:
    with pytest.raises(click.BadParameter, match=r"did you mean ChildRegistered\?"):
        EventType().convert("ChildRegisterd", None, None)


def test_a_type_that_is_far_off_is_answered_with_all_of_them() -> None:
    with pytest.raises(click.BadParameter, match=r"there are AlertPolicyConfigured, .*Resolved"):
        EventType().convert("xyzzy", None, None)


def test_a_time_that_lies_behind_another_leaves_nothing_between() -> None:
    require_order(NOON, None)
    require_order(None, NOON)
    with pytest.raises(click.UsageError):
        require_order(NOON, NOON)
