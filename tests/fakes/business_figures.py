"""The figures of business, counted in memory."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from query_service.read_store.business_figures import (
    RECENT,
    SOON,
    BusinessFigures,
    OpenViolations,
    Resolutions,
    two_days,
)
from shared.read_models.deliveries import DeliveryDocument
from shared.read_models.documents import ActivityDocument, ChildDocument, ViolationDocument


def figures_of(
    children: Iterable[ChildDocument],
    activity: Iterable[ActivityDocument],
    violations: Iterable[ViolationDocument] | None,
    deliveries: Iterable[DeliveryDocument],
    now: datetime,
) -> BusinessFigures:
    """`children`: those that are not erased. `violations` None: nobody knows."""
    days, since = two_days(now), now - RECENT
    registered = (one["created_at"].astimezone(UTC).date().isoformat() for one in children)
    known = None if violations is None else list(violations)
    return BusinessFigures(
        registrations=Counter(day for day in registered if day in days),
        active_children=Counter(one["day"] for one in activity if one["day"] in days),
        open_violations=None if known is None else _open(known),
        resolutions=None if known is None else _resolutions(known, since),
        deliveries=Counter(
            (one["channel"], one["state"]) for one in deliveries if one["raised_at"] >= since
        ),
    )


def _open(violations: Iterable[ViolationDocument]) -> Mapping[str, OpenViolations]:
    found: dict[str, OpenViolations] = {}
    for one in (each for each in violations if each["outcome"] is None):
        before = found.get(one["severity"], OpenViolations(0, one["at"]))
        oldest = min(before.oldest, one["at"])
        found[one["severity"]] = OpenViolations(before.count + 1, oldest)
    return found


def _resolutions(
    violations: Iterable[ViolationDocument], since: datetime
) -> Mapping[str, Resolutions]:
    found: dict[str, Resolutions] = {}
    for one in violations:
        if one["resolved_at"] is None or one["resolved_at"] < since:
            continue
        took = one["resolved_at"] - one["at"]
        before = found.get(one["severity"], Resolutions(0, 0, 0.0))
        found[one["severity"]] = Resolutions(
            before.count + 1, before.soon + (took <= SOON), before.seconds + took.total_seconds()
        )
    return found
