"""Times as commands are told them."""

from datetime import UTC, datetime

import pytest

from shared.command_line import moment_of

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
