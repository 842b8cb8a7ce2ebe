"""What parents see: their children, one child, and alerts as they come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from query_service.pages.child_account import CHILD, ChildAccount, page_of
from query_service.pages.commands import Sent
from query_service.pages.erasures import Erasures
from query_service.pages.inner_api import asked
from query_service.pages.sessions import Session
from query_service.pages.site import (
    HOMES,
    PARENTS,
    Form,
    FormRoute,
    PageRoute,
    Site,
    cursor_of,
    notices,
    pages_of,
)
from shared.auth.access import Role
from shared.client.calls import path_of

HOME = HOMES[Role.PARENT]
SEEN = f"{CHILD}/violations/{{violation_id}}/acknowledgement"
DAYS = "30"
CONSENTS_ON_A_PAGE = "50"

MOST_TRENDS = 6
"""Children on a dashboard whose days are shown: each is one more question to the API, which counts
against its reader's limit, and on record."""


@dataclass(frozen=True, slots=True)
class Families:
    site: Site
    account: ChildAccount
    erasures: Erasures

    def routes(self) -> list[PageRoute | FormRoute]:
        return [
            PageRoute(HOME, PARENTS, self.dashboard),
            PageRoute(CHILD, PARENTS, self.child),
            PageRoute(f"{CHILD}/consents", PARENTS, self.consents),
            FormRoute(SEEN, PARENTS, self.acknowledge),
            *self.account.routes(),
            *self.erasures.routes(),
        ]

    async def dashboard(self, request: Request, session: Session) -> Response:
        """Every child of the parent who is signed in, and the latest alerts."""
        parent = session.principal.subject
        family, alerts = await self.site.ask(
            request,
            session,
            asked("parents", parent, "children", cursor=request.query_params.get("cursor")),
            asked("parents", parent, "alerts"),
        )
        refused = self.site.refused(request, family, alerts)
        if refused is not None:
            return refused
        return self.site.renderer.page(
            request,
            "dashboard.html",
            signed_in=session,
            family=family.content,
            alerts=alerts.content["items"],
            names={child["child_id"]: child["name"] for child in family.content["children"]},
            trends=await self._trends(request, session, family.content["children"]),
            paged="cursor" in request.query_params,
            **notices(request, family),
        )

    async def child(self, request: Request, session: Session) -> Response:
        """One child: safety, activity, conversations, account."""
        child = str(request.path_params["child_id"])
        answers = await self.site.ask(
            request,
            session,
            asked("children", child),
            asked("children", child, "safety-report"),
            asked("children", child, "analytics", period_days=DAYS),
            asked("children", child, "conversations", limit="10"),
            asked("children", child, "alert-policy"),
        )
        refused = await self.erasures.refused(request, session, *answers)
        if refused is not None:
            return refused
        profile, report, analytics, conversations, policy = (answer.content for answer in answers)
        return self.site.renderer.page(
            request,
            "child.html",
            signed_in=session,
            profile=profile,
            report=report,
            analytics=analytics,
            conversations=conversations["items"],
            **self.account.shown(profile, policy),
            **notices(request, answers[0]),
        )

    async def consents(self, request: Request, session: Session) -> Response:
        """How a child's consents changed: a page of its own, for each reads the event store."""
        child = str(request.path_params["child_id"])
        wanted = asked(
            "children", child, "consents", limit=CONSENTS_ON_A_PAGE, cursor=cursor_of(request)
        )
        (found,) = await self.site.ask(request, session, wanted)
        refused = await self.erasures.refused(request, session, found)
        if refused is not None:
            return refused
        return self.site.renderer.page(
            request,
            "child_consents.html",
            signed_in=session,
            child=child,
            changes=found.content["items"],
            unreadable=found.content["unreadable"],
            **pages_of(request, found),
            **notices(request, found),
        )

    async def acknowledge(self, request: Request, session: Session, form: Form) -> Response:
        """The parent has seen an incident: a command, then the page that it was sent from."""
        ids = request.path_params
        child, violation = str(ids["child_id"]), str(ids["violation_id"])
        path = path_of("children", child, "safety-violations", violation, "acknowledgement")
        back = HOME if form.get("from") == "dashboard" else page_of(child)
        return await self.site.send(request, session, Sent("POST", path, f"seen-{violation}"), back)

    async def _trends(
        self, request: Request, session: Session, children: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """The last days of the first children, by child; of others none."""
        shown = [child["child_id"] for child in children[:MOST_TRENDS]]
        if not shown:
            return {}
        wanted = (asked("children", child, "series") for child in shown)
        answers = zip(shown, await self.site.ask(request, session, *wanted), strict=True)
        return {child: one.content["days"] for child, one in answers if not one.is_refusal}

    async def stream(self, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        """Server-sent events of the family, as the API has them."""
        wanted = asked("parents", session.principal.subject, "stream")
        await self.site.api.stream(Request(scope), session.token, wanted, receive, send)
