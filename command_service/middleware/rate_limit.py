"""At most so many commands a second from one subject: a token bucket each."""

import math
from collections import OrderedDict
from collections.abc import Callable

from command_service.command_bus import Command, CommandContext, CommandResult, Next
from command_service.domain.child.errors import CommandRefused

REMEMBERED_SUBJECTS = 100_000


class TooManyCommands(CommandRefused):
    code = "too-many-requests"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("too many commands from this subject; slow down")
        self.retry_after_seconds = retry_after_seconds


class RateLimit:
    """`per_second` commands in the long run, `burst` at once. Counted in this process only.

    `monotonic` gives seconds. The least recently seen of many subjects starts with a full bucket
    again.
    """

    def __init__(self, per_second: float, burst: int, monotonic: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(
        self, command: Command, context: CommandContext, call: Next
    ) -> CommandResult:
        self._spend(f"{context.principal.role.value}:{context.principal.subject}")
        return await call(command, context)

    def _spend(self, subject: str) -> None:
        now = self._monotonic()
        tokens, since = self._buckets.pop(subject, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._per_second)
        enough = tokens >= 1
        self._buckets[subject] = (tokens - 1 if enough else tokens, now)
        if len(self._buckets) > REMEMBERED_SUBJECTS:
            self._buckets.popitem(last=False)
        if not enough:
            raise TooManyCommands(math.ceil((1 - tokens) / self._per_second))
