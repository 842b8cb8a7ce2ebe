"""A receiver that is known to be away is asked once in a while, not for every alert."""

from collections.abc import Callable

FAILURES_TO_OPEN = 5
PROBE_EVERY_SECONDS = 30.0


class CircuitBreaker:
    """Open after `FAILURES_TO_OPEN` failures in a row; then one attempt each
    `PROBE_EVERY_SECONDS`, of which the first that works closes it. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures = 0
        self._probe_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._failures >= FAILURES_TO_OPEN

    def allowed(self, most: int) -> int:
        """How many attempts may begin now, at most `most`."""
        if not self.is_open:
            return most
        return min(most, 1) if self._monotonic() >= self._probe_at else 0

    def begin(self) -> None:
        """An attempt begins: while open, the next one has to wait."""
        if self.is_open:
            self._probe_at = self._monotonic() + PROBE_EVERY_SECONDS

    def withdrawn(self) -> None:
        """What was begun was not attempted: the next one need not wait for it."""
        if self.is_open:
            self._probe_at = self._monotonic()

    def worked(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        self._probe_at = self._monotonic() + PROBE_EVERY_SECONDS
