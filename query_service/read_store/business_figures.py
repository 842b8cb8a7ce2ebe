"""How the system is used and how its incidents are dealt with: numbers of no one in particular."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

RECENT = timedelta(days=30)
"""Of resolutions and notifications: those of so long before now."""

SOON = timedelta(hours=24)
"""After it happened, within which a violation is better resolved."""

A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OpenViolations:
    """How many of a severity nobody resolved yet, and when the oldest of them happened."""

    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Resolutions:
    """How many violations of a severity were resolved, how many of them within SOON, and how long
    all of them together took from when they happened, in seconds."""

    count: int
    soon: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessFigures:
    """`registrations` (without erased children) and `active_children` by UTC day (ISO): of today
    and yesterday. By severity: `open_violations`, and `resolutions` of RECENT; None while the
    read models are of projections before VIOLATIONS_APART. `deliveries`, by channel and state, of
    alerts raised in RECENT. What there is none of is missing; what could not be counted in time is
    None."""

    registrations: Mapping[str, int] | None = field(default_factory=dict)
    active_children: Mapping[str, int] | None = field(default_factory=dict)
    open_violations: Mapping[str, OpenViolations] | None = None
    resolutions: Mapping[str, Resolutions] | None = None
    deliveries: Mapping[tuple[str, str], int] | None = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        return None not in (
            self.registrations,
            self.active_children,
            self.open_violations,
            self.resolutions,
            self.deliveries,
        )


def two_days(now: datetime) -> tuple[str, str]:
    """Yesterday and today, in UTC (ISO)."""
    today = now.astimezone(UTC).date()
    return (today - A_DAY).isoformat(), today.isoformat()
