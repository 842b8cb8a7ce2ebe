"""What parents see: their children, one child, and alerts as they come."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from query_service.pages.commands import Sent
from query_service.pages.inner_api import asked
from query_service.pages.sessions import Session
from query_service.pages.site import HOMES, PARENTS, Form, FormRoute, PageRoute, Site, notices
from shared.auth.access import Role
from shared.client.calls import path_of

HOME = HOMES[Role.PARENT]
CHILD = f"{HOME}/children/{{child_id}}"
SEEN = f"{CHILD}/violations/{{violation_id}}/acknowledgement"
DAYS = "30"


@dataclass(frozen=True, slots=True)
class Families:
    site: Site

    def routes(self) -> list[PageRoute | FormRoute]:
        return [
            PageRoute(HOME, PARENTS, self.dashboard),
            PageRoute(CHILD, PARENTS, self.child),
            FormRoute(SEEN, PARENTS, self.acknowledge),
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
        )
        refused = self.site.refused(request, *answers)
        if refused is not None:
            return refused
        profile, report, analytics, conversations = (answer.content for answer in answers)
        return self.site.renderer.page(
            request,
            "child.html",
            signed_in=session,
            profile=profile,
            report=report,
            analytics=analytics,
            most_messages=max(day["messages"] for day in analytics["days"]) or 1,
            conversations=conversations["items"],
            **notices(request, answers[0]),
        )

    async def acknowledge(self, request: Request, session: Session, form: Form) -> Response:
        """The parent has seen an incident: a command, then the page that it was sent from."""
        ids = request.path_params
        child, violation = str(ids["child_id"]), str(ids["violation_id"])
        path = path_of("children", child, "safety-violations", violation, "acknowledgement")
        back = HOME if form.get("from") == "dashboard" else f"{HOME}/children/{child}"
        return await self.site.send(request, session, Sent("POST", path, f"seen-{violation}"), back)

    async def stream(self, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        """Server-sent events of the family, as the API has them."""
        wanted = asked("parents", session.principal.subject, "stream")
        await self.site.api.stream(Request(scope), session.token, wanted, receive, send)
