"""Lives of seeded children: valid, repeatable, and of every kind that a search asks for."""

from collections import Counter
from datetime import UTC, datetime
from functools import reduce

import pytest

from command_service.api.command_route import RequestKeys
from command_service.child.account import AccountStatus
from command_service.child.decider import decide, evolve, in_normal_form
from command_service.child.state import Child
from deploy.seed.lives import CHILDREN_A_PARENT, Lives
from projection_worker.projections.children import evolve as shown
from projection_worker.projections.rules import DEFAULT_RULES
from shared.events.child import ChildEvent, ChildRegistered, SafetyViolationReported
from shared.read_models.deliveries import NOTIFIED_WITHIN
from shared.read_models.documents import EngagementLevel, SafetyStatus

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
KEYS = RequestKeys(bytes(32))
MANY = 4_000


def lives(seed: int = 1, events: float = 6.0) -> Lives:
    return Lives(seed, UNTIL, KEYS, events)


def happened(of: Lives, number: int) -> tuple[Child, list[ChildEvent]]:
    """What the domain makes of the commands, and the child after it. Raises CommandRefused."""
    child, events = Child(), list[ChildEvent]()
    for step in of.of(number):
        decided = decide(step.command, child)
        child, events = reduce(evolve, decided, child), events + decided
    return child, events


def test_every_command_is_valid_and_in_its_normal_form() -> None:
    for number in range(500):
        assert happened(lives(events=12), number)[1]
        for step in lives().of(number):
            assert in_normal_form(step.command) is step.command


def test_the_same_seed_makes_the_same_lives_and_another_one_others() -> None:
    assert lives().of(7) == lives().of(7)
    assert lives().of(7) != lives(seed=2).of(7)


def test_no_two_children_share_a_bear_and_families_have_several() -> None:
    registrations = [lives().of(number)[0].command for number in range(30)]
    assert len({one.child_id for one in registrations}) == 30
    assert len({vars_of(one, "udid") for one in registrations}) == 30
    assert len({vars_of(one, "device_id") for one in registrations}) == 30
    assert len({vars_of(one, "parent_id") for one in registrations}) == 30 // CHILDREN_A_PARENT


def vars_of(command: object, name: str) -> object:
    return getattr(command, name)


def test_nothing_is_later_than_asked_and_no_violation_is_recent_enough_to_notify_a_parent() -> None:
    for number in range(MANY):
        _, events = happened(lives(), number)
        times = [event.at for event in events]
        assert times == sorted(times)
        assert times[-1] <= UNTIL
        reports = [one.at for one in events if isinstance(one, SafetyViolationReported)]
        assert all(UNTIL - at > NOTIFIED_WITHIN for at in reports)


def test_every_status_level_and_age_is_found() -> None:
    # given
    statuses, safety, engagement, ages = Counter[str](), Counter[str](), Counter[str](), set[int]()
    # when
    for number in range(MANY):
        child, events = happened(lives(), number)
        document = None
        for event in events:
            document = shown(document, event, DEFAULT_RULES)
        assert document is not None
        statuses[child.status] += 1
        safety[document["safety_status"]] += 1
        engagement[document["engagement_level"]] += 1
        ages.add(document["age"])
    # then
    assert {AccountStatus.ACTIVE, AccountStatus.DEACTIVATED} == set(statuses)
    assert set(safety) == set(SafetyStatus)
    assert set(engagement) == set(EngagementLevel)
    assert ages == set(range(3, 13))


@pytest.mark.parametrize("asked", [4.5, 6.0, 12.0])
def test_children_have_as_many_events_as_asked_for_on_average(asked: float) -> None:
    events = sum(len(happened(lives(events=asked), number)[1]) for number in range(MANY))
    assert events / MANY == pytest.approx(asked, rel=0.07)


def test_a_registration_has_the_key_under_which_the_app_would_send_it_again() -> None:
    first, *others = lives().of(3)
    assert first.request is not None
    assert first.request.derived_id("child") == first.command.child_id
    assert all(step.request is None for step in others)
    assert isinstance(decide(first.command, Child())[0], ChildRegistered)
