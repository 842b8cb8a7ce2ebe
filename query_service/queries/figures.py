"""The figures of business as the system's analytics show them."""

from collections.abc import Mapping
from datetime import date, datetime

from pydantic import Field

from query_service.queries.answers import AnswerModel
from query_service.read_store.business_figures import BusinessFigures, Resolutions, two_days
from shared.events.child import AlertChannel, Severity
from shared.read_models.deliveries import DeliveryState

SECONDS_AN_HOUR = 3_600
NOT_COUNTED = "null: not counted in time."


class DayFigures(AnswerModel):
    day: date
    registrations: int | None = Field(
        description=f"Of children who were not erased since; {NOT_COUNTED}"
    )
    active_children: int | None = Field(
        description=f"Children of whom anything happened on this day; {NOT_COUNTED}"
    )


class ResolutionFigures(AnswerModel):
    resolved: int = Field(description="Number of resolved violations.")
    within_24_hours: int = Field(description="Of these, those resolved within 24 hours.")
    average_hours: float | None = Field(
        description="From when they happened until they were resolved; null: none was."
    )


class NotificationFigures(AnswerModel):
    delivered: int = Field(description="Delivered ones.")
    failed: int = Field(description="Those that were given up.")
    pending: int = Field(description="Those that are still tried.")
    success: float | None = Field(
        description="Delivered ones divided by delivered and failed ones, 0 to 1; null: none of "
        "either."
    )


def days_of(figures: BusinessFigures, now: datetime) -> list[DayFigures]:
    return [
        DayFigures(
            day=date.fromisoformat(day),
            registrations=_of_day(figures.registrations, day),
            active_children=_of_day(figures.active_children, day),
        )
        for day in two_days(now)
    ]


def _of_day(counted: Mapping[str, int] | None, day: str) -> int | None:
    return None if counted is None else counted.get(day, 0)


def open_by_severity(figures: BusinessFigures) -> dict[Severity, int] | None:
    known = figures.open_violations
    if known is None:
        return None
    return {one: known[one].count if one in known else 0 for one in Severity}


def resolutions_of(figures: BusinessFigures) -> dict[Severity, ResolutionFigures] | None:
    known = figures.resolutions
    return None if known is None else {one: _resolved(known.get(one)) for one in Severity}


def _resolved(known: Resolutions | None) -> ResolutionFigures:
    if known is None:
        return ResolutionFigures(resolved=0, within_24_hours=0, average_hours=None)
    hours = round(known.seconds / known.count / SECONDS_AN_HOUR, 2)
    return ResolutionFigures(resolved=known.count, within_24_hours=known.soon, average_hours=hours)


def notifications_of(figures: BusinessFigures) -> dict[AlertChannel, NotificationFigures] | None:
    known = figures.deliveries
    return None if known is None else {one: _notified(known, one) for one in AlertChannel}


def _notified(
    deliveries: Mapping[tuple[str, str], int], channel: AlertChannel
) -> NotificationFigures:
    delivered, failed, pending = (
        deliveries.get((channel, state), 0)
        for state in (DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.PENDING)
    )
    ended = delivered + failed
    return NotificationFigures(
        delivered=delivered,
        failed=failed,
        pending=pending,
        success=round(delivered / ended, 4) if ended else None,
    )
