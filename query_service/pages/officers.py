"""What safety officers see and do: the incidents of all children, and one child's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from query_service.pages.commands import Sent
from query_service.pages.incident_records import CHILD, QUEUE, VIOLATION, IncidentRecords
from query_service.pages.inner_api import asked
from query_service.pages.officer_forms import (
    MOST_NOTE,
    MOST_REASON,
    NotFilledIn,
    assignment,
    reopening,
    resolution,
)
from query_service.pages.sessions import Session
from query_service.pages.site import (
    OFFICERS,
    Form,
    FormRoute,
    PageRoute,
    Site,
    not_saved,
    notices,
)
from shared.clock import utc_now

FAMILY = f"{QUEUE}/families/{{parent_id}}"

ASKED_OF_QUEUE = ("status", "severity", "assignee", "sort", "cursor")
"""Parameters of the page that are the API's, which judges them."""

ASKED_OF_CHILD = ("cursor",)
GONE = frozenset({"child-erased", "child-not-found"})
"""Refusals after which the child has no page that could say so."""

MINUTE, HOUR, DAY = 60, 3_600, 86_400

Age = tuple[str, int]
Made = Callable[[str, str, Form], Sent]
"""From the ids of child and violation and a form; raises NotFilledIn."""


@dataclass(frozen=True, slots=True)
class Officers:
    site: Site

    def routes(self) -> list[PageRoute | FormRoute]:
        return [
            PageRoute(QUEUE, OFFICERS, self.queue),
            PageRoute(CHILD, OFFICERS, self.child),
            FormRoute(f"{VIOLATION}/assignee", OFFICERS, self.assign),
            FormRoute(f"{VIOLATION}/resolution", OFFICERS, self.resolve),
            FormRoute(f"{VIOLATION}/reopening", OFFICERS, self.reopen),
            *IncidentRecords(self.site).routes(),
        ]

    async def queue(self, request: Request, session: Session) -> Response:
        """Incidents of all children, those first that the reader chose."""
        chosen = chosen_of(ASKED_OF_QUEUE, request.query_params)
        (found,) = await self.site.ask(request, session, asked("safety-violations", **chosen))
        refused = self.site.refused(request, found)
        if refused is not None:
            return refused
        following = found.content["next_cursor"]
        return self.site.renderer.page(
            request,
            "safety_queue.html",
            signed_in=session,
            violations=found.content["items"],
            chosen=chosen,
            shown=urlencode(chosen),
            more=urlencode(chosen | {"cursor": following}) if following else None,
            first=urlencode({name: chosen[name] for name in chosen if name != "cursor"}),
            age=ages_at(utc_now()),
            **notices(request, found),
        )

    async def child(self, request: Request, session: Session) -> Response:
        """One child: who it is, how safe, and its incidents with what is to be done about them."""
        child = str(request.path_params["child_id"])
        chosen = chosen_of(ASKED_OF_CHILD, request.query_params)
        answers = await self.site.ask(
            request,
            session,
            asked("children", child),
            asked("children", child, "safety-report", limit="1"),
            asked("safety-violations", child_id=child, status="all", sort="newest", **chosen),
        )
        refused = self.site.refused(request, *answers)
        if refused is not None:
            return refused
        profile, report, found = (answer.content for answer in answers)
        following = found["next_cursor"]
        return self.site.renderer.page(
            request,
            "safety_child.html",
            signed_in=session,
            profile=profile,
            report=report,
            violations=found["items"],
            shown=urlencode(chosen),
            more=urlencode({"cursor": following}) if following else None,
            most_note=MOST_NOTE,
            most_reason=MOST_REASON,
            age=ages_at(utc_now()),
            **notices(request, answers[0]),
        )

    async def assign(self, request: Request, session: Session, form: Form) -> Response:
        """The officer takes an incident, or lets go of it."""
        subject = session.principal.subject
        return await self._send(request, session, form, partial(assignment, subject=subject))

    async def resolve(self, request: Request, session: Session, form: Form) -> Response:
        """The officer says whether it was an incident."""
        return await self._send(request, session, form, resolution)

    async def reopen(self, request: Request, session: Session, form: Form) -> Response:
        """The officer takes a resolution back."""
        return await self._send(request, session, form, reopening)

    async def stream(self, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        """Server-sent events of a child's family, as the API has them."""
        request = Request(scope)
        wanted = asked("parents", str(request.path_params["parent_id"]), "stream")
        await self.site.api.stream(request, session.token, wanted, receive, send)

    async def _send(self, request: Request, session: Session, form: Form, made: Made) -> Response:
        """The command that is `made` of a form, and the page that the form was on."""
        ids = request.path_params
        child, violation = str(ids["child_id"]), str(ids["violation_id"])
        back = page_of(form, child)
        try:
            command = made(child, violation, form)
        except NotFilledIn as mistake:
            return not_saved(back, mistake.code)
        outcome = await self.site.commands.send(request, session.token, command)
        if outcome.code in GONE:
            return not_saved(QUEUE, outcome.code)
        return self.site.answered(outcome, back, done_at(back, violation))


def chosen_of(names: tuple[str, ...], given: Mapping[str, str]) -> dict[str, str]:
    """Those of `names` that something was given for: an empty choice of a form is none."""
    return {name: given[name] for name in names if given.get(name)}


def is_of_queue(form: Form) -> bool:
    return form.get("from") == "queue"


def page_of(form: Form, child: str) -> str:
    """Where a form was: the queue or the child's page, as it was shown."""
    names = ASKED_OF_QUEUE if is_of_queue(form) else ASKED_OF_CHILD
    shown = urlencode(chosen_of(names, dict(parse_qsl(form.get("shown", "")))))
    path = QUEUE if is_of_queue(form) else f"{QUEUE}/children/{child}"
    return f"{path}?{shown}" if shown else path


def done_at(back: str, violation: str) -> str:
    """Where on the page `back` it is seen what a form did: at the incident."""
    return f"{back}#violation-{violation}"


def ages_at(now: datetime) -> Callable[[str], Age]:
    """How long before `now` something happened, in a unit that the texts name."""

    def age(at: str) -> Age:
        seconds = (now - datetime.fromisoformat(at)).total_seconds()
        if seconds < MINUTE:
            return "now", 0
        if seconds < HOUR:
            return "minutes", int(seconds // MINUTE)
        if seconds < DAY:
            return "hours", int(seconds // HOUR)
        days = int(seconds // DAY)
        return ("day" if days == 1 else "days"), days

    return age
