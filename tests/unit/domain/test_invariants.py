"""What holds for every past and every command, tried with generated ones."""

from datetime import UTC, datetime
from functools import reduce
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from command_service.domain.child.commands import UNCHANGED, ChildCommand, UpdateChildProfile
from command_service.domain.child.decide import decide
from command_service.domain.child.errors import CommandRefused
from command_service.domain.child.evolve import evolve
from command_service.domain.child.normal_form import in_normal_form
from command_service.domain.child.state import AccountStatus, Child
from shared.events.child import (
    ChildEvent,
    ConversationEnded,
    ConversationStarted,
    SafetyViolationReported,
    SafetyViolationResolved,
)
from shared.personal import Personal
from tests.support.child_facts import ADA

IDS = st.sampled_from([f"00000000-0000-4000-8000-00000000000{n}" for n in range(4)])
MOMENTS = st.datetimes(
    datetime(2020, 1, 1),
    datetime(2030, 1, 1),
    timezones=st.just(UTC),  # noqa: DTZ001 - made aware by `timezones`
)
ANY_TEXT = st.text(st.characters(), max_size=12) | st.just("TEDDY-0000-0001")
ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
ANY_OBJECT = st.dictionaries(ANY_TEXT, ANY_JSON, max_size=3)
LABELS = st.lists(ANY_TEXT, max_size=3).map(tuple)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "child_id": st.just(ADA),
    "at": MOMENTS,
    "conversation_id": IDS,
    "violation_id": IDS,
    "age": st.integers(0, 15),
    "count": st.integers(0, 110),
    "window_hours": st.integers(0, 800),
    "word_count": st.integers(-1, 11_000),
    "preferences": st.none() | ANY_OBJECT,
    "interests": st.none() | LABELS,
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

st.register_type_strategy(str, ANY_TEXT)
st.register_type_strategy(
    Personal, st.builds(Personal, st.none() | ANY_TEXT | ANY_OBJECT | st.lists(ANY_TEXT))
)


def built(kind: type[Any]) -> st.SearchStrategy[Any]:
    if kind is UpdateChildProfile:
        return st.builds(
            lambda at, changes: UpdateChildProfile(child_id=ADA, at=at, **changes), MOMENTS, UPDATES
        )
    known = {name: values for name, values in FIELDS.items() if name in kind.__dataclass_fields__}
    return st.builds(kind, **known)


COMMANDS = st.one_of([built(kind) for kind in get_args(ChildCommand)])
EVENTS = st.one_of(
    [st.builds(kind, child_id=st.just(ADA), at=MOMENTS) for kind in get_args(ChildEvent)]
)


def valid_past(commands: list[ChildCommand]) -> tuple[Child, list[ChildEvent]]:
    """What happened when `commands` were asked one after the other, refusals left out."""
    child, happened = Child(), list[ChildEvent]()
    for command in commands:
        try:
            events = decide(command, child)
        except CommandRefused:
            continue
        happened += events
        child = reduce(evolve, events, child)
    return child, happened


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=15))
def test_evolve_takes_any_events_in_any_order(events: list[ChildEvent]):
    assert isinstance(reduce(evolve, events, Child()), Child)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=6), COMMANDS)
def test_decide_raises_nothing_but_refusals(events: list[ChildEvent], command: ChildCommand):
    child = reduce(evolve, events, Child())
    try:
        decided = decide(command, child)
    except CommandRefused as refusal:
        assert refusal.code
    else:
        assert all(event.child_id == command.child_id for event in decided)
        assert all(event.at == command.at for event in decided)


@settings(max_examples=150, deadline=None)
@given(st.lists(COMMANDS, max_size=30))
def test_no_sequence_of_commands_breaks_the_invariants(commands: list[ChildCommand]):
    # when
    child, happened = valid_past(commands)
    # then
    kinds = [type(event).__name__ for event in happened]
    assert kinds.count("ChildRegistered") == (child.status is not AccountStatus.UNREGISTERED)
    assert kinds[:1] in ([], ["ChildRegistered"])
    assert 0 <= kinds.count("ChildDeactivated") - kinds.count("ChildReactivated") <= 1
    assert "ChildErased" not in kinds[:-1]
    started = [e.conversation_id for e in happened if isinstance(e, ConversationStarted)]
    ended = [e.conversation_id for e in happened if isinstance(e, ConversationEnded)]
    assert len(set(started)) == len(started)
    assert len(set(ended)) == len(ended)
    assert set(ended) <= set(started)
    reported = [e.violation_id for e in happened if isinstance(e, SafetyViolationReported)]
    resolved = [e.violation_id for e in happened if isinstance(e, SafetyViolationResolved)]
    assert len(set(reported)) == len(reported)
    assert len(set(resolved)) == len(resolved)
    assert set(resolved) <= set(reported)
    if child.status in (AccountStatus.ACTIVE, AccountStatus.DEACTIVATED):
        assert set(child.open_conversations) == set(started) - set(ended)
        assert {v for v, each in child.violations.items() if each.resolved} == set(resolved)


@settings(max_examples=150, deadline=None)
@given(COMMANDS)
def test_the_normal_form_of_a_normal_form_is_itself(command: ChildCommand):
    try:
        normal = in_normal_form(command)
    except CommandRefused:
        return
    assert in_normal_form(normal) == normal


@settings(max_examples=100, deadline=None)
@given(UPDATES, UPDATES)
def test_the_same_update_twice_changes_nothing_more(first: dict[str, Any], second: dict[str, Any]):
    # given
    from tests.support.child_facts import REGISTERED, update

    child = evolve(Child(), REGISTERED)
    for changes in (first, second):
        try:
            child = reduce(evolve, decide(update(**changes), child), child)
        except CommandRefused:
            return
    # when, then
    assert decide(update(**second), child) == []
    assert UNCHANGED not in second.values()
