"""What holds for every past and every command, tried with generated ones."""

from datetime import timedelta
from functools import reduce
from typing import Any, get_args, get_type_hints

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
    ConsentPurpose,
    ConversationEnded,
    ConversationStarted,
    SafetyViolationReported,
    SafetyViolationResolved,
)
from shared.personal import Personal
from tests.support.child_facts import (
    ADA,
    ALLOWED,
    DEACTIVATE,
    END,
    MESSAGE,
    NOON,
    REACTIVATE,
    REGISTER,
    REPORT,
    RESOLVE,
    START,
    TALK,
    VIOLATION,
    give,
    update,
    withdraw,
)

IDS = st.sampled_from([TALK, VIOLATION, "00000000-0000-4000-8000-000000000001"])
MOMENTS = st.integers(0, 10**6).map(lambda seconds: NOON + timedelta(seconds=seconds))
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
ACCEPTABLE = st.sampled_from(
    [*CONSENTS, START, MESSAGE, END, REPORT, RESOLVE, DEACTIVATE, REACTIVATE]
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
    except CommandRefused:
        return
    assert all(event.child_id == command.child_id for event in decided)
    assert all(event.at == command.at for event in decided)


@settings(max_examples=150, deadline=None)
@given(LIVES)
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
    assert not child.consents or ConsentPurpose.ACCOUNT in child.consents
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
    child = reduce(evolve, ALLOWED, Child())
    for changes in (first, second):
        try:
            child = reduce(evolve, decide(update(**changes), child), child)
        except CommandRefused:
            return
    # when, then
    assert decide(update(**second), child) == []
    assert UNCHANGED not in second.values()
