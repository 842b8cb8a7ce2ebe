"""Snapshots of folded children, sealed under the child's own key. Losing one costs only time."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace

import structlog

from command_service.aggregates import older_snapshot_layout
from command_service.aggregates.child_tasks import ChildTasks
from command_service.aggregates.snapshot_layout import SCHEMA, from_head, to_lines, with_line
from command_service.child.account import AccountStatus
from command_service.child.state import Child
from shared.event_store.envelope import StreamPosition
from shared.event_store.port import EventStore, Snapshot, SnapshotStore, StoreUnavailable
from shared.keyring.keyring import ChildCipher, ClosedCipher, SealBroken

PART_BYTES = 700 * 1_024
"""Of plaintext: sealed and in base64 a part stays below 1 MiB."""

IDS_AN_EVENT = 20
"""A child that keeps more ids has its snapshots less often, so that an event costs the writing of
so many ids at most, whatever the child weighs."""

IDS_AT_ONCE = 2_000
"""A command waits for the snapshot of a child that keeps no more; that of others is taken behind
it."""

WAITING_AT_MOST = 16
"""Children whose snapshot is being taken or waits for that: others' is taken after their next
command."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedChild:
    """A child folded up to `position`, `since_snapshot` events after its last snapshot. `is_whole`:
    every event was decoded. One of a later release is not: a snapshot without it would hide it from
    that release, so none is taken."""

    child: Child
    position: StreamPosition
    since_snapshot: int
    is_whole: bool = True


BEFORE_REGISTRATION = LoadedChild(Child(), StreamPosition(), 0)


class Snapshots:
    """Takes one each time `every` events came after the last, of a large child after more."""

    def __init__(
        self, store: SnapshotStore, events: EventStore, every: int, part_bytes: int = PART_BYTES
    ) -> None:
        self._store = store
        self._events = events
        self.every = every
        self._part_bytes = part_bytes
        self._taking = ChildTasks[bool]("snapshot_not_taken")
        self._turn = asyncio.Lock()

    async def find(self, child_id: str) -> Snapshot | None:
        """The newest, without its parts if those are kept apart; None when there is none of a
        schema known here."""
        snapshot = await self._store.latest(child_id)
        known = (SCHEMA, *older_snapshot_layout.SCHEMAS)
        return None if snapshot is None or snapshot.schema not in known else snapshot

    async def opened(self, snapshot: Snapshot, cipher: ChildCipher) -> LoadedChild | None:
        """The child as it was then; None when that cannot be read any more."""
        child_id = snapshot.child_id
        try:
            parts = await self._store.parts_of(snapshot)
            child = await _opened(replace(snapshot, parts=parts), cipher)
        except (SealBroken, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("snapshot_ignored", child_id=child_id, error=type(error).__name__)
            return None
        return LoadedChild(child, _position(snapshot), 0)

    async def take_if_due(
        self, child_id: str, loaded: LoadedChild, cipher: ChildCipher
    ) -> LoadedChild:
        """`loaded`, with its count started again if a snapshot was taken."""
        if not self._is_due(loaded, cipher):
            return loaded
        taken = await self._take(child_id, loaded, cipher)
        return replace(loaded, since_snapshot=0) if taken else loaded

    async def take_behind_a_command(
        self, child_id: str, loaded: LoadedChild, cipher: ChildCipher
    ) -> LoadedChild:
        """The same; a large child's is taken by a task of its own."""
        if loaded.child.ids <= IDS_AT_ONCE:
            return await self.take_if_due(child_id, loaded, cipher)
        is_taken = self._taking.get(child_id) is not None or len(self._taking) >= WAITING_AT_MOST
        if is_taken or not self._is_due(loaded, cipher):
            return loaded
        self._taking.begin(child_id, self._take_in_turn(child_id, loaded, cipher))
        return replace(loaded, since_snapshot=0)

    async def abandon(self, child_id: str) -> None:
        """Take none of the child any more, as far as one is being taken."""
        await self._taking.abandon(child_id)

    def _is_due(self, loaded: LoadedChild, cipher: ChildCipher) -> bool:
        if not loaded.is_whole or isinstance(cipher, ClosedCipher):
            return False
        if loaded.child.status is AccountStatus.ERASED:
            return False
        return loaded.since_snapshot >= max(self.every, loaded.child.ids // IDS_AN_EVENT)

    async def _take_in_turn(self, child_id: str, loaded: LoadedChild, cipher: ChildCipher) -> bool:
        async with self._turn:
            return await self._take(child_id, loaded, cipher)

    async def _take(self, child_id: str, loaded: LoadedChild, cipher: ChildCipher) -> bool:
        position = loaded.position
        parts = await self._sealed(loaded, cipher)
        snapshot = Snapshot(child_id, position.version, position.hash, SCHEMA, parts)
        try:
            await self._store.save(snapshot)
            # an erasure that came before this look is seen by it, one that comes after it removes
            # what was saved
            if await self._events.erased_among([child_id]):
                await self._store.delete(child_id)
        except StoreUnavailable:
            # the command is done: a failure must not reach its caller
            log.warning("snapshot_not_saved", child_id=child_id, version=position.version)
            return False
        return True

    async def _sealed(self, loaded: LoadedChild, cipher: ChildCipher) -> tuple[str, ...]:
        """Others run between its lines, and between its parts."""
        parts: list[str] = []
        text = bytearray()
        for line in to_lines(loaded.child):
            text += line
            while len(text) > self._part_bytes:
                part = bytes(text[: self._part_bytes])
                parts.append(cipher.seal(part, _place(loaded.position, len(parts))))
                del text[: self._part_bytes]
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        last = cipher.seal(bytes(text), _place(loaded.position, len(parts), is_last=True))
        return (*parts, last)


async def _opened(snapshot: Snapshot, cipher: ChildCipher) -> Child:
    if not snapshot.parts:
        raise ValueError("a newer snapshot has come meanwhile, or its parts are lost")
    if snapshot.schema == older_snapshot_layout.IN_ONE_TEXT:
        text = cipher.open(snapshot.parts[0], _whole(_position(snapshot)))
        return older_snapshot_layout.from_json(text)
    is_older = snapshot.schema == older_snapshot_layout.IN_LINES
    with_next = older_snapshot_layout.with_line if is_older else with_line
    lines = _lines(snapshot, cipher)
    child = from_head(next(lines, b""))
    for line in lines:
        await asyncio.sleep(0)
        child = with_next(child, line)
    return child


def _lines(snapshot: Snapshot, cipher: ChildCipher) -> Iterator[bytes]:
    rest, last = b"", len(snapshot.parts) - 1
    for number, part in enumerate(snapshot.parts):
        place = _place(_position(snapshot), number, is_last=number == last)
        *whole, rest = (rest + cipher.open(part, place)).split(b"\n")
        yield from whole


def _position(snapshot: Snapshot) -> StreamPosition:
    return StreamPosition(snapshot.version, snapshot.hash)


def _place(position: StreamPosition, number: int, *, is_last: bool = False) -> str:
    # a part opens as that one only, and the last one only as the last
    return f"{_whole(position)}\0{number}{'.' if is_last else ''}"


def _whole(position: StreamPosition) -> str:
    # with the hash: what is appended behind the snapshot is chained to it
    return f"snapshot@{position.version}\0{position.hash}"
