"""What every page works with, and how a page is made of answers and a form becomes a command."""

import asyncio
import re
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
HOMES: Mapping[Role, str] = {Role.PARENT: "/dashboard"}
"""Where each role begins; there are no pages for a role that is not here."""

UNAUTHENTICATED = 401
LATE = "read-store-down"
CODE = re.compile(r"[a-z]+(-[a-z]+){0,7}")
FIELD = re.compile(r"[a-z_]{1,32}")

Form = Mapping[str, str]
Show = Callable[[Request, Session], Awaitable[Response]]
Take = Callable[[Request, Session, Form], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class PageRoute:
    """A page that `show`s, for one role. `{names}` of the path are ids."""

    path: str
    role: Role
    show: Show


@dataclass(frozen=True, slots=True)
class FormRoute:
    """What a page's form is sent to; `take` gets fields that came with a good form token."""

    path: str
    role: Role
    take: Take


@dataclass(frozen=True, slots=True)
class Site:
    api: InnerApi
    commands: CommandApi
    renderer: Renderer
    sessions: Sessions

    async def ask(self, request: Request, session: Session, *wanted: Asked) -> list[ApiAnswer]:
        """All of it, at once; the first waits for what its reader wrote."""
        first, *others = wanted
        answer = await self.api.get(request, session.token, first, seen_by(request))
        return [
            answer,
            *await asyncio.gather(*(self.api.get(request, session.token, one) for one in others)),
        ]

    def refused(self, request: Request, *answers: ApiAnswer) -> Response | None:
        """What to show instead, where one of the answers is a refusal."""
        for answer in answers:
            if answer.status == UNAUTHENTICATED:
                return led_to(SIGN_IN)
            if answer.is_refusal:
                later = answer.headers.get("retry-after")
                headers = {"Retry-After": later} if later else {}
                return self.renderer.error(request, answer.status, headers)
        return None

    async def send(
        self, request: Request, session: Session, command: Sent, back: str, saved: str = ""
    ) -> Response:
        """A command, then the page at `back`, which says whether it was done."""
        outcome = await self.commands.send(request, session.token, command)
        return self.answered(outcome, back, saved)

    def answered(self, outcome: Outcome, back: str, saved: str = "") -> Response:
        """To `back`, which shows what was done, or says why it was not. `saved`: what to say was
        done, where the page itself does not show it."""
        if not outcome.is_done:
            return led_to(f"{back}?{why_not(outcome)}")
        response = led_to(f"{back}?saved={saved}" if saved else back)
        if outcome.seen is not None:
            self.sessions.keep_seen(outcome.seen, response)
        return response


def why_not(outcome: Outcome) -> str:
    """The parameters by which a page knows what to say of a command that was not done: codes and
    names of fields, for which it has texts of its own."""
    code = str(outcome.problem.get("code", ""))
    errors = outcome.problem.get("errors")
    listed = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    fields = [str(one.get("field", "")).partition(".")[0] for one in listed]
    wrong = [("wrong", field) for field in dict.fromkeys(fields) if FIELD.fullmatch(field)]
    return urlencode([("not-saved", code if CODE.fullmatch(code) else ""), *wrong])


def notices(request: Request, answer: ApiAnswer) -> Mapping[str, Any]:
    """Of a page whose main content is `answer`. `late`: the read store is away. `as_of`: until when
    everything is included, if known. `not_saved`: why the command before was not done, None where
    it was; `wrong`: the fields that kept it from being done; `saved`: what was done."""
    late = LATE in answer.headers.get("cache-status", "")
    return {
        "late": late,
        "as_of": answer.headers.get("x-as-of"),
        "not_saved": request.query_params.get("not-saved"),
        "wrong": request.query_params.getlist("wrong"),
        "saved": request.query_params.get("saved"),
    }
