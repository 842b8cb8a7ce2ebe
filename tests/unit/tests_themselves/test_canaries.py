"""The life of the child whose canaries tests/e2e searches for passes through every command."""

from typing import Any, get_args

import httpx2
import pytest

from command_service.child.commands import ChildCommand, EraseChild
from shared.auth.access import Principal, Role
from tests.support.canaries import accepted
from tests.support.canaries.callers import STRANGER, SUBJECTS, Api, Callers
from tests.support.canaries.values import LABEL_MARK, MARK
from tests.support.command_side import CommandSide
from tests.support.routes import guarded


def callers_of(side: CommandSide) -> Callers:
    """Their commands only: there is no query in a life."""

    def api(role: Role, subject: str) -> Api:
        client = side.bare_client()
        client.headers["Authorization"] = side.bearer(Principal(subject, role))
        return Api(client, httpx2.AsyncClient())

    by_role = {role: api(role, subject) for role, subject in SUBJECTS.items()}
    return Callers(
        parent=by_role[Role.PARENT],
        bear=by_role[Role.DEVICE],
        officer=by_role[Role.SAFETY_OFFICER],
        analyst=by_role[Role.ANALYST],
        admin=by_role[Role.ADMIN],
        stranger=api(Role.PARENT, STRANGER),
        forgers=(),
    )


async def sent_in_a_life(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    side, commands = CommandSide(), list[Any]()
    dispatch = side.bus.dispatch

    async def watched(command: Any, context: Any) -> Any:
        commands.append(command)
        return await dispatch(command, context)

    monkeypatch.setattr(side.bus, "dispatch", watched)
    await accepted.live(callers_of(side))
    return commands


async def test_every_command_but_the_erasure_is_sent(monkeypatch: pytest.MonkeyPatch):
    commands = await sent_in_a_life(monkeypatch)
    assert {type(each) for each in commands} == set(get_args(ChildCommand)) - {EraseChild}


def test_what_the_story_does_not_tell_of_is_sent_with_canaries():
    bodies: dict[str, Any] = {
        route.operation: accepted.with_canaries(route) for route in guarded(CommandSide().app)
    }
    assert MARK.title() in bodies["DeactivateChild"]["reason"]
    assert LABEL_MARK.title() in bodies["GiveConsent"]["notice_version"]
    assert MARK.title() in bodies["ReportSafetyViolation"]["details"]
