"""Generated events as the event store holds them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from shared.event_store.envelope import RecordedEvent
from shared.events.child import ChildEvent
from shared.events.personal import PersonalDataErased
from shared.keyring.keyring import ChildCipher
from shared.keyring.search_index import SearchIndex
from shared.serialization.events import decode, encode
from shared.serialization.schema import UndecodableEvent
from tests.support.child_facts import ADA
from tests.support.generated_lives import EVENTS

CIPHER = ChildCipher(ADA, bytes(32))
OTHER_CIPHER = ChildCipher(ADA, bytes(range(32)))
INDEX = SearchIndex(bytes(32))
RECORDED = datetime(2026, 11, 23, 13, tzinfo=UTC)


def as_recorded(events: Sequence[ChildEvent]) -> list[RecordedEvent]:
    """Each in its place, sealed with `CIPHER`."""
    return [_recorded(event, version) for version, event in enumerate(events, 1)]


def _recorded(event: ChildEvent, version: int) -> RecordedEvent:
    encoded = encode(event, version, CIPHER)
    return RecordedEvent(
        ADA,
        version,
        encoded.type,
        encoded.schema_version,
        encoded.occurred_at,
        RECORDED,
        encoded.data,
        "correlation-1",
    )


def _is_storable(event: ChildEvent) -> bool:
    """Without half of a surrogate pair, a number past 64 bits, a value that is gone already: no
    store is ever offered those."""
    try:
        encode(event, 1, CIPHER)
    except (TypeError, PersonalDataErased):
        return False
    return True


STORED = EVENTS.filter(_is_storable)


def _is_readable(event: ChildEvent) -> bool:
    """Without names that are no text: nothing finds those, so no projection takes them."""
    try:
        decode(_recorded(event, 1), CIPHER, INDEX)
    except UndecodableEvent:
        return False
    return True


READABLE = STORED.filter(_is_readable)
