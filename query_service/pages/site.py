"""What every page works with, and how a page is made of answers and a form becomes a command."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
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
    Role.ADMIN: "/console",
}
"""Where each role begins; there are no pages for a role that is not here."""

UNAUTHENTICATED = 401
LATE = "read-store-down"
NOT_SAVED, WRONG, SAVED = "not-saved", "wrong", "saved"
"""Parameters by which a page says what became of a form."""

MOST_FORM_BYTES = 64 * 1_024
"""Preferences of 8 KiB have room, or a text of 2,000 characters in any script."""

Roles = frozenset[Role]
PARENTS: Roles = frozenset({Role.PARENT})
OFFICERS: Roles = frozenset({Role.SAFETY_OFFICER})
ADMINS: Roles = frozenset({Role.ADMIN})
ANALYSTS: Roles = frozenset({Role.ANALYST, Role.ADMIN})

INVALID = "invalid-request"
CODE = re.compile(r"[a-z]+(-[a-z]+){0,7}")
FIELD = re.compile(r"[a-z_]{1,32}")
VERSION = re.compile(r"[0-9]{1,15}")
"""Of a child, as a form was shown with it."""

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
        """All of it, with what its reader wrote: an answer without it, from a cache that was not
        yet told, would stay on a page that shows the rest. The first waits for that, and where it
        does so in vain no other does."""
        seen, (first, *others) = seen_by(request), wanted
        answer = await self.api.ask(request, session.token, first, seen)
        if answer.lacks_own:
            seen = None
        more = (self.api.ask(request, session.token, one, seen) for one in others)
        return [answer, *await asyncio.gather(*more)]

    def refused(self, request: Request, *answers: ApiAnswer) -> Response | None:
        """What to show instead, where one of the answers is a refusal."""
        for answer in answers:
            if answer.status == UNAUTHENTICATED:
                return led_to(SIGN_IN)
            if answer.is_refusal:
                return self.renderer.error(request, answer.status, later(answer))
        return None

    async def send(
        self, request: Request, session: Session, command: Sent, back: str, saved: str | None = None
    ) -> Response:
        """A command, then the page at `back`, which says whether it was done. `saved`: what to say
        was done, where the page itself does not show it."""
        outcome = await self.commands.send(request, session.token, command)
        done = None if saved is None else with_parameters(back, (SAVED, saved))
        return self.answered(outcome, back, done)

    def answered(self, outcome: Outcome, back: str, done: str | None = None) -> Response:
        """To `back`, which shows what was done, or says why it was not. `done`: where else what was
        done is seen."""
        if not outcome.is_done:
            return not_saved(back, outcome.code, outcome.wrong)
        response = led_to(done or back)
        if outcome.seen is not None:
            self.sessions.keep_seen(outcome.seen, response)
        return response


def not_saved(back: str, code: str, wrong: Iterable[str] = ()) -> Response:
    """To `back`, which says in words what `code` stands for: one of the command API, or of a form
    that was not filled in; and `wrong`, the names of fields. There are texts for these; nothing
    else is taken from an address."""
    known = code if CODE.fullmatch(code) else ""
    fields = [(WRONG, one) for one in dict.fromkeys(wrong) if FIELD.fullmatch(one)]
    return led_to(with_parameters(back, (NOT_SAVED, known), *fields))


def with_parameters(path: str, *parameters: tuple[str, str]) -> str:
    return f"{path}{'&' if '?' in path else '?'}{urlencode(parameters)}"


def later(answer: ApiAnswer) -> dict[str, str]:
    """The header that says when to ask again, where the answer has one."""
    seconds = answer.headers.get("retry-after")
    return {"Retry-After": seconds} if seconds else {}


def cursor_of(request: Request) -> str | None:
    return request.query_params.get("cursor") or None


def pages_of(request: Request, answer: ApiAnswer) -> Mapping[str, Any]:
    """Of a list: `more`, the query that leads to its next page, None behind the last one; and
    `is_first`."""
    following = answer.content["next_cursor"]
    more = urlencode({"cursor": following}) if following else None
    return {"more": more, "is_first": cursor_of(request) is None}


def notices(request: Request, answer: ApiAnswer) -> Mapping[str, Any]:
    """Of a page whose main content is `answer`. `late`: the read store is away. `lacks_own`: what
    its reader wrote is not shown yet. `as_of`: until when everything is included, if known.
    `not_saved`: the code of why the command before was not done, empty where nobody said, None
    where there is nothing to say; `wrong`: the fields that kept it from being done; `saved`: what
    was done."""
    late = LATE in answer.headers.get("cache-status", "")
    return {
        "late": late,
        "lacks_own": answer.lacks_own,
        "as_of": answer.headers.get("x-as-of"),
        "not_saved": request.query_params.get(NOT_SAVED),
        "wrong": request.query_params.getlist(WRONG),
        "saved": request.query_params.get(SAVED),
    }
