"""What parents see: their children, one child, and alerts as they come."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from query_service.pages.commands import CommandApi
from query_service.pages.inner_api import ApiAnswer, Asked, InnerApi, asked
from query_service.pages.rendering import Renderer, led_to
from query_service.pages.sessions import Session, Sessions, seen_by
from shared.auth.access import Role
from shared.client.calls import path_of

HOME, SIGN_IN = "/dashboard", "/sign-in"
DAYS = "30"
UNAUTHENTICATED = 401
LATE = "read-store-down"


@dataclass(frozen=True, slots=True)
class Families:
    api: InnerApi
    commands: CommandApi
    renderer: Renderer
    sessions: Sessions

    async def dashboard(self, request: Request, session: Session) -> Response:
        """Every child of the parent who is signed in, and the latest alerts."""
        if session.principal.role is not Role.PARENT:
            return self.renderer.page(request, "other_role.html", 403, signed_in=session)
        parent = session.principal.subject
        family, alerts = await self._ask(
            request,
            session,
            asked("parents", parent, "children", cursor=request.query_params.get("cursor")),
            asked("parents", parent, "alerts"),
        )
        refused = self._refused(request, family, alerts)
        if refused is not None:
            return refused
        names = {child["child_id"]: child["name"] for child in family.content["children"]}
        return self.renderer.page(
            request,
            "dashboard.html",
            signed_in=session,
            family=family.content,
            alerts=alerts.content["items"],
            names=names,
            paged="cursor" in request.query_params,
            not_saved="not-saved" in request.query_params,
            **_freshness(family),
        )

    async def child(self, request: Request, session: Session) -> Response:
        """One child: safety, activity, conversations, account."""
        child = str(request.path_params["child_id"])
        answers = await self._ask(
            request,
            session,
            asked("children", child),
            asked("children", child, "safety-report"),
            asked("children", child, "analytics", period_days=DAYS),
            asked("children", child, "conversations", limit="10"),
        )
        refused = self._refused(request, *answers)
        if refused is not None:
            return refused
        profile, report, analytics, conversations = (answer.content for answer in answers)
        return self.renderer.page(
            request,
            "child.html",
            signed_in=session,
            profile=profile,
            report=report,
            analytics=analytics,
            most_messages=max(day["messages"] for day in analytics["days"]) or 1,
            conversations=conversations["items"],
            not_saved="not-saved" in request.query_params,
            **_freshness(answers[0]),
        )

    async def acknowledge(
        self, request: Request, session: Session, form: Mapping[str, str]
    ) -> Response:
        """The parent has seen an incident: a command, then the page that it was sent from."""
        ids = request.path_params
        child, violation = str(ids["child_id"]), str(ids["violation_id"])
        path = path_of("children", child, "safety-violations", violation, "acknowledgement")
        outcome = await self.commands.send(request, session.token, path, f"seen-{violation}")
        back = HOME if form.get("from") == "dashboard" else f"{HOME}/children/{child}"
        if not outcome.is_done:
            return led_to(f"{back}?not-saved")
        response = led_to(back)
        if outcome.seen is not None:
            self.sessions.keep_seen(outcome.seen, response)
        return response

    async def stream(self, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        """Server-sent events of the family, as the API has them."""
        wanted = asked("parents", session.principal.subject, "stream")
        await self.api.stream(Request(scope), session.token, wanted, receive, send)

    async def _ask(self, request: Request, session: Session, *wanted: Asked) -> list[ApiAnswer]:
        """All of it, at once; the first waits for what its reader wrote."""
        first, *others = wanted
        answer = await self.api.get(request, session.token, first, seen_by(request))
        return [
            answer,
            *await asyncio.gather(*(self.api.get(request, session.token, one) for one in others)),
        ]

    def _refused(self, request: Request, *answers: ApiAnswer) -> Response | None:
        """What to show instead, where one of the answers is a refusal."""
        for answer in answers:
            if answer.status == UNAUTHENTICATED:
                return led_to(SIGN_IN)
            if answer.is_refusal:
                later = answer.headers.get("retry-after")
                headers = {"Retry-After": later} if later else {}
                return self.renderer.error(request, answer.status, headers)
        return None


def _freshness(answer: ApiAnswer) -> Mapping[str, Any]:
    """`late`: the read store is away. `as_of`: until when everything is included, if known."""
    late = LATE in answer.headers.get("cache-status", "")
    return {"late": late, "as_of": answer.headers.get("x-as-of")}
