"""Every refusal has its place in the one table of problems."""

from command_service.api.errors import REFUSALS, problem_of
from command_service.bus.errors import (
    ChildBusy,
    ChildLoading,
    ConcurrentUpdate,
    Forbidden,
    KeyUnavailable,
)
from command_service.child.errors import CommandRefused, ConsentRequired, FieldError, InvalidCommand
from shared.events.child import ConsentPurpose

ARGUMENTS = {
    InvalidCommand: ([FieldError("age", "must be between 3 and 12", "3..12")],),
    Forbidden: ("the role analyst may not send EraseChild",),
    ConsentRequired: (ConsentPurpose.CONVERSATIONS,),
}


def test_every_refusal_is_in_the_table_with_a_code_of_its_own():
    refusals = CommandRefused.__subclasses__()
    assert set(refusals) == set(REFUSALS)
    assert len({refusal.code for refusal in refusals}) == len(refusals)


def test_only_what_the_same_request_may_get_past_says_when_to_come_again():
    says = {
        kind
        for kind in REFUSALS
        if "Retry-After" in problem_of(kind(*ARGUMENTS.get(kind, ()))).headers
    }
    assert says == {ConcurrentUpdate, ChildBusy, ChildLoading, KeyUnavailable}


def test_every_refusal_becomes_a_problem_that_says_what_is_the_matter():
    for kind, (status, title) in REFUSALS.items():
        problem = problem_of(kind(*ARGUMENTS.get(kind, ())))
        assert (problem.status, problem.code, problem.title) == (status, kind.code, title)
        assert problem.detail.endswith(".")
