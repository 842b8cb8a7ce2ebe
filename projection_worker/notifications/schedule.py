"""When a delivery that did not work is tried again: from seconds to hours, over three days."""

import random
from datetime import timedelta

MINUTE, HOUR = 60.0, 3_600.0
PAUSES = (
    5.0,
    30.0,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    *[8 * HOUR] * 8,
)
"""Seconds after the first, second, ... attempt; behind the last one there is none any more."""

JITTER = 0.2
"""Part of a pause by which it may be longer or shorter: what failed together is not tried together
again."""

GIVEN_UP_AFTER = timedelta(days=3)


def pause_after(attempts: int) -> float | None:
    """Seconds until the next attempt; None: there were enough."""
    if attempts > len(PAUSES):
        return None
    jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, hides nothing
    return PAUSES[max(attempts, 1) - 1] * jitter
