"""Given events, when a command, then events or a refusal: the whole domain in one sentence."""

from dataclasses import dataclass
from functools import reduce

import pytest

from command_service.child.commands import ChildCommand
from command_service.child.decider import decide, evolve, in_normal_form
from command_service.child.errors import CommandRefused, FieldError, InvalidCommand
from command_service.child.state import Child
from shared.events.child import ChildEvent


def events_of(command: ChildCommand, child: Child) -> list[ChildEvent]:
    """As the bus has it decided: in normal form, or refused before."""
    return decide(in_normal_form(command), child)


def given(*events: ChildEvent) -> "Given":
    return Given(reduce(evolve, events, Child()))


def wrong_length(field: str, least: int, most: int) -> FieldError:
    limit = f"{least}..{most} characters"
    return FieldError(field, f"must have {least} to {most} characters", limit)


def out_of_range(field: str, least: int, most: int) -> FieldError:
    return FieldError(field, f"must be between {least} and {most}", f"{least}..{most}")


@dataclass(frozen=True)
class Given:
    child: Child

    def when(self, command: ChildCommand) -> "When":
        return When(self.child, command)


@dataclass(frozen=True)
class When:
    child: Child
    command: ChildCommand

    def events(self) -> list[ChildEvent]:
        return events_of(self.command, self.child)

    def then(self, *events: ChildEvent) -> None:
        assert self.events() == list(events)

    def then_nothing_happens(self) -> None:
        self.then()

    def then_refused(self, refusal: type[CommandRefused]) -> None:
        with pytest.raises(refusal) as raised:
            events_of(self.command, self.child)
        assert type(raised.value) is refusal

    def then_invalid(self, *errors: FieldError) -> None:
        with pytest.raises(InvalidCommand) as raised:
            events_of(self.command, self.child)
        assert raised.value.errors == errors
