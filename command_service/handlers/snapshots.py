"""Snapshots of folded children, sealed under the child's own key. Losing one costs only time."""

from dataclasses import replace

import structlog

from command_service.handlers.aggregate_cache import LoadedChild
from command_service.handlers.snapshot_layout import SCHEMA, from_json, to_json
from shared.envelope import StreamPosition
from shared.event_store.port import Snapshot, SnapshotStore, StoreUnavailable
from shared.keyring.cipher import ChildCipher, ClosedCipher, SealBroken

log = structlog.get_logger(__name__)


class Snapshots:
    """Takes one each time `every` events came after the last."""

    def __init__(self, store: SnapshotStore, every: int) -> None:
        self._store = store
        self._every = every

    async def latest(self, child_id: str, cipher: ChildCipher) -> LoadedChild | None:
        """None when there is none of today's schema that opens."""
        snapshot = await self._store.latest(child_id)
        if snapshot is None or snapshot.schema != SCHEMA:
            return None
        position = StreamPosition(snapshot.version, snapshot.hash)
        try:
            child = from_json(cipher.open(snapshot.payload, _place(position)))
        except (SealBroken, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("snapshot_ignored", child_id=child_id, error=type(error).__name__)
            return None
        return LoadedChild(child, position, 0)

    async def take_if_due(
        self, child_id: str, loaded: LoadedChild, cipher: ChildCipher
    ) -> LoadedChild:
        """`loaded`, with its count started again if a snapshot was taken."""
        if loaded.since_snapshot < self._every or isinstance(cipher, ClosedCipher):
            return loaded
        position = loaded.position
        payload = cipher.seal(to_json(loaded.child), _place(position))
        snapshot = Snapshot(child_id, position.version, position.hash, SCHEMA, payload)
        try:
            await self._store.save(snapshot)
        except StoreUnavailable:
            # the command is done: its caller must not hear of a failure
            log.warning("snapshot_not_saved", child_id=child_id, version=position.version)
            return loaded
        return replace(loaded, since_snapshot=0)


def _place(position: StreamPosition) -> str:
    # with the hash: what is appended behind the snapshot is chained to it
    return f"snapshot@{position.version}\0{position.hash}"
