from datetime import UTC, datetime

import click
import pytest

from projection_worker.replay.commands.console import Amount
from projection_worker.replay.commands.events import EventType, require_order

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


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
