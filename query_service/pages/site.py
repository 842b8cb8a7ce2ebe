"""What every page works with, and how a page is made of answers and a form becomes a command."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from query_service.pages.commands import CommandApi, Outcome, Sent
from query_service.pages.inner_api import ApiAnswer, Asked, InnerApi
from query_service.pages.rendering import Renderer, led_to
from query_service.pages.sessions import Session, Sessions, seen_by
from shared.auth.access import Role

SIGN_IN = "/sign-in"
HOMES: Mapping[Role, str] = {
    Role.PARENT: "/dashboard",
    Role.SAFETY_OFFICER: "/safety",
    Role.ANALYST: "/analytics",
}
"""Where each role begins; there are no pages for a role that is not here."""

UNAUTHENTICATED = 401
LATE = "read-store-down"
NOT_SAVED = "not-saved"

MOST_FORM_BYTES = 32 * 1_024
"""A text of 2,000 characters in any script has room: each is up to 12 bytes."""

Roles = frozenset[Role]
PARENTS: Roles = frozenset({Role.PARENT})
OFFICERS: Roles = frozenset({Role.SAFETY_OFFICER})
ANALYSTS: Roles = frozenset({Role.ANALYST, Role.ADMIN})

Form = Mapping[str, str]
Show = Callable[[Request, Session], Awaitable[Response]]
Take = Callable[[Request, Session, Form], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class PageRoute:
    """A page that `show`s, for some roles. `{names}` of the path are ids."""

    path: str
    roles: Roles
    show: Show


@dataclass(frozen=True, slots=True)
class FormRoute:
    """What a page's form is sent to; `take` gets fields that came with a good form token."""

    path: str
    roles: Roles
    take: Take
    most_bytes: int = MOST_FORM_BYTES


@dataclass(frozen=True, slots=True)
class Site:
    api: InnerApi
    commands: CommandApi
    renderer: Renderer
    sessions: Sessions

    async def ask(self, request: Request, session: Session, *wanted: Asked) -> list[ApiAnswer]:
        """All of it, at once; the first waits for what its reader wrote."""
        first, *others = wanted
        answer = await self.api.ask(request, session.token, first, seen_by(request))
        return [
            answer,
            *await asyncio.gather(*(self.api.ask(request, session.token, one) for one in others)),
        ]

    def refused(self, request: Request, *answers: ApiAnswer) -> Response | None:
        """What to show instead, where one of the answers is a refusal."""
        for answer in answers:
            if answer.status == UNAUTHENTICATED:
                return led_to(SIGN_IN)
            if answer.is_refusal:
                return self.renderer.error(request, answer.status, later(answer))
        return None

    async def send(self, request: Request, session: Session, command: Sent, back: str) -> Response:
        """A command, then the page at `back`, which says so where it was not done."""
        outcome = await self.commands.send(request, session.token, command)
        return self.answered(outcome, back)

    def answered(self, outcome: Outcome, back: str, done: str | None = None) -> Response:
        """To `back`, which shows what was done, or says why it was not. `done`: where else what was
        done is seen."""
        if not outcome.is_done:
            return not_saved(back, outcome.code)
        response = led_to(done or back)
        if outcome.seen is not None:
            self.sessions.keep_seen(outcome.seen, response)
        return response


def not_saved(back: str, code: str) -> Response:
    """To `back`, which says in words what `code` stands for: one of the command API, or of a form
    that was not filled in."""
    return led_to(with_parameter(back, NOT_SAVED, code))


def with_parameter(path: str, name: str, value: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{urlencode({name: value})}"


def later(answer: ApiAnswer) -> dict[str, str]:
    """The header that says when to ask again, where the answer has one."""
    seconds = answer.headers.get("retry-after")
    return {"Retry-After": seconds} if seconds else {}


def notices(request: Request, answer: ApiAnswer) -> Mapping[str, Any]:
    """Of a page whose main content is `answer`. `late`: the read store is away. `as_of`: until when
    everything is included, if known. `not_saved`: the code of why the command before was not done,
    empty where nobody said; None where there is nothing to say."""
    late = LATE in answer.headers.get("cache-status", "")
    return {
        "late": late,
        "as_of": answer.headers.get("x-as-of"),
        "not_saved": request.query_params.get(NOT_SAVED),
    }
