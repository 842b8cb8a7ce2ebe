"""Counters in this process. The library's own walks over all of them at every request."""

from collections import OrderedDict
from collections.abc import Callable

MOST_COUNTERS = 100_000


class MemoryCounters:
    """At most `most`: the one that was not used for the longest begins anew."""

    def __init__(self, monotonic: Callable[[], float], most: int = MOST_COUNTERS) -> None:
        self._monotonic = monotonic
        self._most = most
        self._counters: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = self._monotonic()
        count, ends_at = self._counters.pop(key, (0, now + expiry))
        if ends_at <= now:
            count, ends_at = 0, now + expiry
        self._counters[key] = (count + amount, ends_at)
        if len(self._counters) > self._most:
            self._counters.popitem(last=False)
        return count + amount
