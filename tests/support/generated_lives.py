"""Commands, events and whole lives of a child, generated: what fits together and what does not; and
events as the event store holds them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any, get_args, get_type_hints

from hypothesis import strategies as st

from command_service.child.commands import ChildCommand, UpdateChildProfile
from command_service.child.decider import evolve
from command_service.child.errors import CommandRefused
from command_service.child.state import Child
from shared.event_store.envelope import RecordedEvent
from shared.events.child import ChildEvent, ConsentPurpose
from shared.events.personal import Personal, PersonalDataErased
from shared.keyring.keyring import ChildCipher
from shared.keyring.search_index import SearchIndex
from shared.serialization.events import decode, encode
from shared.serialization.schema import UndecodableEvent
from tests.support.child_facts import (
    ACKNOWLEDGE,
    ADA,
    ASSIGN,
    DEACTIVATE,
    END,
    ERASE,
    MESSAGE,
    NOON,
    REACTIVATE,
    REGISTER,
    REOPEN,
    REPORT,
    RESOLVE,
    START,
    TALK,
    VIOLATION,
    give,
    update,
    withdraw,
)
from tests.support.decider_spec import events_of

IDS = st.sampled_from([TALK, VIOLATION, "00000000-0000-4000-8000-000000000001"])
NEAR = st.integers(0, 10**6).map(lambda seconds: NOON + timedelta(seconds=seconds))
FAR = st.sampled_from([datetime(year, 12, 31, 23, 59, tzinfo=UTC) for year in (1, 1969, 9999)])
MOMENTS = NEAR | FAR
ANY_TEXT = st.text(st.characters(), max_size=12) | st.just("TEDDY-0000-0001")
ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
ANY_OBJECT = st.dictionaries(ANY_TEXT, ANY_JSON, max_size=3)
LABELS = st.lists(ANY_TEXT, max_size=3).map(tuple)
PERSONAL = st.builds(Personal, st.none() | ANY_TEXT | ANY_OBJECT | st.lists(ANY_TEXT, max_size=2))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "child_id": st.just(ADA),
    "at": MOMENTS,
    "started_at": MOMENTS,
    "conversation_id": IDS,
    "violation_id": IDS,
    "age": st.integers(0, 15),
    "count": st.integers(0, 110),
    "window_hours": st.integers(0, 800),
    "word_count": st.integers(-1, 11_000),
    "preferences": st.none() | ANY_OBJECT,
    "interests": st.none() | LABELS,
    "cleared": LABELS,
    "flagged_categories": LABELS,
    "learning_skills": LABELS,
}

UPDATES = st.fixed_dictionaries(
    {},
    optional={
        "name": ANY_TEXT,
        "age": FIELDS["age"],
        "device_id": st.none() | ANY_TEXT,
        "preferences": FIELDS["preferences"],
        "learning_style": st.none() | ANY_TEXT,
        "interests": FIELDS["interests"],
    },
)


def built(kind: type[Any]) -> st.SearchStrategy[Any]:
    if kind is UpdateChildProfile:
        return UPDATES.map(lambda changes: update(**changes))
    return st.builds(kind, **{name: values(name, hint) for name, hint in hints(kind).items()})


def hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def values(name: str, hint: Any) -> st.SearchStrategy[Any]:
    """Anything that the type of a field allows, and ids that repeat."""
    optional = st.none() if type(None) in get_args(hint) else st.nothing()
    if "Personal" in str(hint):
        return optional | PERSONAL
    if name in FIELDS:
        return optional | FIELDS[name]
    if "str" in str(hint):
        return optional | ANY_TEXT
    return st.from_type(hint)


COMMANDS = st.one_of([built(kind) for kind in get_args(ChildCommand)])
EVENTS = st.one_of([built(kind) for kind in get_args(ChildEvent)])
CONSENTS = [ask for each in ConsentPurpose for ask in (give(each), withdraw(each))]
IN_TALK = replace(REPORT, violation_id=TALK, conversation_id=TALK)
ACCEPTABLE = st.sampled_from(
    [
        *CONSENTS,
        START,
        MESSAGE,
        END,
        REPORT,
        IN_TALK,
        RESOLVE,
        REOPEN,
        ASSIGN,
        ACKNOWLEDGE,
        DEACTIVATE,
        REACTIVATE,
        ERASE,
    ]
)
# half of the commands fit to each other: generated ones alone hardly ever meet an open conversation
LIVES = st.lists(
    st.booleans().flatmap(lambda fits: ACCEPTABLE if fits else COMMANDS), max_size=30
).map(lambda commands: [REGISTER, *commands])


def valid_past(commands: list[ChildCommand]) -> tuple[Child, list[ChildEvent]]:
    """What happened when `commands` were asked one after the other, refusals left out."""
    child, happened = Child(), list[ChildEvent]()
    for command in commands:
        try:
            events = events_of(command, child)
        except CommandRefused:
            continue
        happened += events
        child = reduce(evolve, events, child)
    return child, happened


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
