"""What becomes of an offered commit when its place or its idempotency key is taken already."""

from shared.envelope import Commit
from shared.event_store.port import AlreadyCommitted, VersionConflict


def outcome_when_taken(
    offered: Commit, at_its_place: Commit | None, with_its_key: Commit | None
) -> Commit:
    """The stored commit when it is this very offer, made before by a caller that did not hear back.

    Otherwise raises AlreadyCommitted when its idempotency key is in the store, VersionConflict when
    only its place is taken. Equal hashes mean one offer: they cover the whole content.
    """
    if at_its_place is not None and at_its_place.hash == offered.hash:
        return at_its_place
    if with_its_key is not None:
        raise AlreadyCommitted(with_its_key)
    raise VersionConflict(offered.child_id, offered.first_version - 1)
