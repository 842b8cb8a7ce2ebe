"""What officers see of the audit trail: who looked at a child, and an incident's evidence."""

from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from query_service.pages.downloads import Download
from query_service.pages.inner_api import asked
from query_service.pages.rendering import HEADERS
from query_service.pages.sessions import Session
from query_service.pages.site import (
    HOMES,
    OFFICERS,
    PageRoute,
    Site,
    cursor_of,
    not_saved,
    notices,
    pages_of,
)
from shared.auth.access import Role

QUEUE = HOMES[Role.SAFETY_OFFICER]
CHILD = f"{QUEUE}/children/{{child_id}}"
VIOLATION = f"{CHILD}/violations/{{violation_id}}"

SAID_ON_A_PAGE = frozenset({"evidence-not-signed-yet", "evidence-too-long", "overloaded"})
"""Why there is no file, by the API's code. The page of who looked at the child says it: that one is
there for an erased child too."""

A_PAGE = "50"


@dataclass(frozen=True, slots=True)
class IncidentRecords:
    site: Site

    def routes(self) -> list[PageRoute]:
        return [
            PageRoute(f"{CHILD}/looks", OFFICERS, self.looks),
            PageRoute(f"{VIOLATION}/evidence", OFFICERS, self.evidence),
        ]

    async def looks(self, request: Request, session: Session) -> Response:
        """Who asked for what about the child: a page of its own, for each reads the trail. It asks
        for nothing else of the child, and so is there for an erased one, too."""
        child = str(request.path_params["child_id"])
        wanted = asked("children", child, "audit-records", limit=A_PAGE, cursor=cursor_of(request))
        (found,) = await self.site.ask(request, session, wanted)
        refused = self.site.refused(request, found)
        if refused is not None:
            return refused
        return self.site.renderer.page(
            request,
            "safety_looks.html",
            signed_in=session,
            child=child,
            looks=found.content["items"],
            findings=found.content["findings"],
            **pages_of(request, found),
            **notices(request, found),
        )

    async def evidence(self, request: Request, session: Session) -> Response:
        """The evidence of an incident, as a file."""
        return Download(partial(self._pass_on, request, session))

    async def _pass_on(self, request: Request, session: Session, send: Send) -> Response | None:
        child, violation = (str(request.path_params[one]) for one in ("child_id", "violation_id"))
        wanted = asked("children", child, "safety-violations", violation, "evidence")
        refusal = await self.site.api.pass_on(request, session.token, wanted, send, HEADERS)
        if refusal is None:
            return None
        if refusal.code in SAID_ON_A_PAGE:
            return not_saved(f"{QUEUE}/children/{child}/looks", refusal.code)
        return self.site.refused(request, refusal)
