"""What a process has seen of the change feed: whether an answer that another process read shows it.

Positions of the feed are the versions of shared answers. An answer shows every notice of its tags
that its reader received before its position. Whoever finds it looks for later ones. Nothing has to
be deleted in time anywhere, and no clock decides."""

import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from query_service.cache.entries import Tag, changed_tags
from shared.read_models.notices import ChangeNotice

Position = tuple[int, ...]
"""By partition of the topic of changes: the offset behind the last notice received."""

REMEMBERED = 100_000
"""Notices, the last ones of a tag and partition: about 25 MB. What comes behind them forgets the
oldest, and with them all answers from before."""

DOUBT_SECONDS = 5.0
"""A topic that was deleted and made anew counts from 0 again. The other processes see that within
two probes of the feed: what they read until then, though this one knows better, is not trusted.
This and only this is measured by the processes' clocks."""

SKEW_SECONDS = 2.0
"""How far another machine's clock may be ahead for what it read to be trusted."""


@dataclass(slots=True, eq=False)
class FeedJournal:
    """`now`: seconds since the epoch."""

    now: Callable[[], float]
    most: int = REMEMBERED
    _position: list[int] = field(default_factory=list, init=False)
    _floor: list[int] = field(default_factory=list, init=False)
    _trusted_from: float = field(default=math.inf, init=False)
    _last: OrderedDict[tuple[Tag, int], tuple[int, float]] = field(
        default_factory=OrderedDict, init=False
    )

    @property
    def position(self) -> Position:
        return tuple(self._position)

    def begin(self, ends: Mapping[int, int]) -> None:
        """The feed is followed from these offsets, by partition; what was before is not known."""
        self._position = [ends[partition] for partition in sorted(ends)]
        self.forget()

    def forget(self) -> None:
        """Nothing that was read before now is trusted."""
        self._last.clear()
        self._floor = self._position.copy()
        self._trusted_from = self.now() + DOUBT_SECONDS

    def passed(self, partition: int, offset: int, notice: ChangeNotice | None) -> None:
        """A record was received; None: one behind which all is forgotten."""
        self._position[partition] = offset + 1
        if notice is None:
            return
        for tag in changed_tags(notice.child_id, notice.parent_id):
            _, before = self._last.pop((tag, partition), (0, 0.0))
            reached = max(before, math.inf if notice.marked else notice.version)
            self._last[tag, partition] = (offset, reached)
        while len(self._last) > self.most:
            (_, of), (forgotten, _) = self._last.popitem(last=False)
            self._floor[of] = max(self._floor[of], forgotten + 1)

    def shows(
        self, position: Position, read_at: float, tags: Collection[Tag], version: int | None
    ) -> bool:
        """Whether an answer with these tags, which shows all before `position` and was read at
        `read_at` (seconds since the epoch), shows all that was received here. `version`: of the one
        child that it is about."""
        if not self._trusted_from <= read_at <= self.now() + SKEW_SECONDS:
            return False
        if len(position) != len(self._floor):
            return False
        if any(at < floor for at, floor in zip(position, self._floor, strict=True)):
            return False
        return all(
            self._shows(tag, partition, at, version)
            for tag in tags
            for partition, at in enumerate(position)
        )

    def _shows(self, tag: Tag, partition: int, at: int, version: int | None) -> bool:
        offset, reached = self._last.get((tag, partition), (-1, 0.0))
        return offset < at or (version is not None and version >= reached)
