"""Opens the fresh events of a batch, each with its child's key."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from projection_worker.projecting.sequencing import ChildSequence
from shared.event_store.envelope import RecordedEvent
from shared.event_store.port import EventStore
from shared.events.child import ChildEvent
from shared.keyring.keyring import ChildCipher, ClosedCipher, Keyring, SealBroken, UnknownKek
from shared.keyring.search_index import SearchIndex
from shared.serialization.events import decode_what_opens
from shared.serialization.schema import UndecodableEvent

log = structlog.get_logger(__name__)

KEY_PATIENCE_SECONDS = 30.0
"""The file of a rotation may be on its way to this machine; longer than that, all children behind
one such child would be late."""


@dataclass(frozen=True, slots=True)
class KeyPatience:
    """For each key that is unknown, from when it was first met on."""

    seconds: float
    monotonic: Callable[[], float] = time.monotonic
    _first_met: dict[str, float] = field(default_factory=dict, init=False)

    def wait_for(self, ciphers: Iterable[ChildCipher]) -> None:
        """Raises UnknownKek while one of `ciphers` may still come."""
        now = self.monotonic()
        for cipher in ciphers:
            error = cipher.error if isinstance(cipher, ClosedCipher) else None
            if (
                isinstance(error, UnknownKek)
                and now - self._first_met.setdefault(str(error), now) < self.seconds
            ):
                raise error


@dataclass(frozen=True, slots=True)
class EventSource:
    """The event store, and what its events are opened with. `index`: of the words of names."""

    store: EventStore
    keyring: Keyring
    index: SearchIndex


Decoded = tuple[RecordedEvent, ChildEvent]
UNREADABLE = (UndecodableEvent, SealBroken, ValueError, KeyError, TypeError)
"""What decoding an event may raise: the record's own fault."""


class Decoder:
    """`takes_sealed`: events are the event store's own, so what does not open will not come better
    from anywhere, and stays sealed; else its key is waited for, with `patience` or with some of its
    own."""

    def __init__(
        self,
        source: EventSource,
        patience: KeyPatience | None = None,
        *,
        takes_sealed: bool = False,
    ) -> None:
        self._source = source
        self._patience = patience or KeyPatience(0.0 if takes_sealed else KEY_PATIENCE_SECONDS)
        self._takes_sealed = takes_sealed

    async def decode(self, sequences: Sequence[ChildSequence]) -> Mapping[str, Decoded]:
        """Every fresh event by its id, opened with its child's key. Of what does not open the event
        store has the last word; what it does not have is dead-lettered. What does not open there
        either stays sealed: a child is not left out for its name's sake."""
        ciphers = await self._source.keyring.ciphers(
            [one.child_id for one in sequences if one.fresh]
        )
        self._patience.wait_for(ciphers.values())
        decoded: dict[str, Decoded] = {}
        for one in sequences:
            cipher = ciphers.get(one.child_id)
            sealed_stays = self._takes_sealed or isinstance(cipher, ClosedCipher)
            for recorded in one.fresh:
                try:
                    event, broken = decode_what_opens(recorded, cipher, self._source.index)
                    if broken is not None and not sealed_stays:
                        stored = await self._as_stored(recorded, broken)
                        event, broken = decode_what_opens(stored, cipher, self._source.index)
                except UNREADABLE as error:
                    if one.ends_after(recorded):
                        continue  # of an erased child nothing has to be read
                    one.dead_letter_from(recorded.version, error)
                    break
                one.unopened = one.unopened or broken
                decoded[recorded.event_id] = (recorded, event)
            if one.unopened is not None:
                log.error("child_not_decrypted", child_id=one.child_id, reason=str(one.unopened))
        return decoded

    async def _as_stored(self, recorded: RecordedEvent, broken: SealBroken) -> RecordedEvent:
        """The event as the event store has it, of which the record says something that does not
        open. Raises `broken` when the store has none."""
        for commit in await self._source.store.load(recorded.child_id, recorded.version - 1, 1):
            for stored in commit.recorded_events():
                if stored.version == recorded.version:
                    return stored
        raise broken
