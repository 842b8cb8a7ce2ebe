"""The changes of the last seconds: who opens a stream may have read the state just before them."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.read_models.notices import ChangeNotice

RECENT_SECONDS = 15.0
"""The longest from when a page was read until its stream is open, on a slow line."""

MOST_KEPT = 20_000
"""Of all families; beyond it the oldest are forgotten sooner."""


class _Change(NamedTuple):
    at: float
    notice: ChangeNotice


@dataclass(slots=True, eq=False)
class RecentChanges:
    """The latest change of each child. `clock`: seconds, never backwards."""

    clock: Callable[[], float] = time.monotonic
    most: int = MOST_KEPT
    _of_family: dict[str, dict[str, _Change]] = field(default_factory=dict, init=False)
    _in_order: deque[_Change] = field(default_factory=deque, init=False)

    def received(self, notice: ChangeNotice) -> None:
        change = _Change(self.clock(), notice)
        self._of_family.setdefault(notice.parent_id, {})[notice.child_id] = change
        self._in_order.append(change)
        self._forget_old(change.at)

    def of_family(self, parent_id: str) -> list[ChangeNotice]:
        self._forget_old(self.clock())
        return [change.notice for change in self._of_family.get(parent_id, {}).values()]

    def _forget_old(self, now: float) -> None:
        while self._in_order and (
            self._in_order[0].at < now - RECENT_SECONDS or len(self._in_order) > self.most
        ):
            self._forget(self._in_order.popleft())

    def _forget(self, change: _Change) -> None:
        """Unless the child changed again since."""
        notice = change.notice
        family = self._of_family.get(notice.parent_id, {})
        if family.get(notice.child_id) is not change:
            return
        del family[notice.child_id]
        if not family:
            del self._of_family[notice.parent_id]
