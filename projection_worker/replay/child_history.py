"""One child's events up to a point, and its read models at that point."""

from dataclasses import dataclass
from datetime import datetime

from projection_worker.projections.registry import ChildView
from projection_worker.projector import UNREADABLE
from projection_worker.replay.folding import fold
from projection_worker.replay.opened import Opened
from projection_worker.replay.refusals import NotFound, Refused
from shared.clock import iso
from shared.envelope import Commit, RecordedEvent
from shared.keyring.cipher import ChildCipher, SealBroken


@dataclass(frozen=True, slots=True)
class ChildHistory:
    """`commits` are all that hold one of `events`; `view` is their fold. `unopened`: why the first
    value that does not open does not."""

    child_id: str
    commits: list[Commit]
    events: list[RecordedEvent]
    view: ChildView
    cipher: ChildCipher | None
    unopened: SealBroken | None = None


async def history_of(on: Opened, child_id: str, until: int | datetime | None) -> ChildHistory:
    """Up to a version, or to what was recorded by a time. Raises NotFound or Refused."""
    commits = await on.store.load(child_id)
    if not commits:
        raise NotFound(f"no child {child_id} is in the event store")
    events = [event for commit in commits for event in commit.recorded_events()]
    if isinstance(until, int) and not 1 <= until <= len(events):
        raise Refused(f"--until: the child's versions are 1 to {len(events)}")
    chosen = [event for event in events if _is_within(event, until)]
    if not chosen:
        raise Refused(f"--until: the child's first event was recorded {iso(events[0].recorded_at)}")
    cipher = (await on.keyring.ciphers([child_id])).get(child_id)
    try:
        folded = fold(chosen, cipher, on.index)
    except UNREADABLE as error:
        raise NotFound(f"the history cannot be folded: {type(error).__name__}: {error}") from None
    within = [one for one in commits if one.first_version <= chosen[-1].version]
    return ChildHistory(child_id, within, chosen, folded.view, cipher, folded.unopened)


def _is_within(event: RecordedEvent, until: int | datetime | None) -> bool:
    if until is None:
        return True
    return event.version <= until if isinstance(until, int) else event.recorded_at <= until
