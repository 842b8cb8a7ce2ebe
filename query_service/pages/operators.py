"""What operators see and do: whether anything is silently stale, what stands in the way, and what
workers are asked to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from query_service.pages.inner_api import asked
from query_service.pages.operation_forms import NotAnOperation, operation
from query_service.pages.processes import vitals_of
from query_service.pages.protection import PROTECTION, protection_of
from query_service.pages.sessions import Session
from query_service.pages.site import (
    ADMINS,
    HOMES,
    Form,
    FormRoute,
    PageRoute,
    Site,
    not_saved,
    notices,
)
from shared.auth.access import Role
from shared.clock import new_id

CONSOLE = HOMES[Role.ADMIN]
ASKED_FOR = "asked-for"
"""What was done by a form of the console."""

OWN = frozenset(
    {
        "GetSystemStatus",
        "GetOperations",
        "GetCacheStatistics",
        "GetRecentRequests",
        "GetSystemProcesses",
        "GetSystemProtection",
        "GetSystemAnalytics",
    }
)
"""What the console itself asks for, each time that it is shown."""

FLOW = ("command", "store", "relay", "worker", "models", "query", "parents")
"""The parts that an event comes through, in order."""

BROKEN: Mapping[str, str] = {
    "no-command-api": "command",
    "no-relay": "relay",
    "relay-late": "relay",
    "no-worker": "worker",
    "nothing-projected": "worker",
    "read-models-late": "models",
    "children-dead-lettered": "models",
    "deliveries-failed": "parents",
    "deliveries-waiting": "parents",
}
"""By the code of a finding, the part that it is about."""

REMEDIES: Mapping[str, str] = {
    "no-command-api": "teddy status",
    "no-relay": "teddy status",
    "relay-late": "teddy logs relay",
    "no-worker": "teddy status",
    "nothing-projected": "teddy status",
    "read-models-late": "teddy status",
    "children-dead-lettered": "teddy dead-letter list",
    "deliveries-failed": "teddy notifications list --state failed",
    "deliveries-waiting": "teddy notifications list --state pending",
}
"""The command with which to begin."""


@dataclass(frozen=True, slots=True)
class Operators:
    site: Site

    def routes(self) -> list[PageRoute | FormRoute]:
        return [
            PageRoute(CONSOLE, ADMINS, self.console),
            FormRoute(f"{CONSOLE}/operations", ADMINS, self.start),
        ]

    async def console(self, request: Request, session: Session) -> Response:
        """The state of the system as the API knows it, and of the process that answers. What
        cannot be read of processes or protection, or takes too long to count, takes nothing else
        away."""
        *answers, processes, protection, numbers = await self.site.ask(
            request,
            session,
            asked("system", "status"),
            asked("system", "operations"),
            asked("cache"),
            asked("system", "requests"),
            asked("system", "processes"),
            PROTECTION,
            asked("system", "analytics"),
        )
        refused = self.site.refused(request, *answers)
        if refused is not None:
            return refused
        status, operations, cache, requests = (answer.content for answer in answers)
        return self.site.renderer.page(
            request,
            "console.html",
            signed_in=session,
            system=status,
            operations=operations["operations"],
            once=new_id(),
            numbers=None if numbers.is_refusal else numbers.content,
            cache=cache,
            requests=requests,
            own=OWN,
            flow=flow_of(status),
            vitals=vitals_of(processes),
            remedies=REMEDIES,
            **protection_of(protection),
            **notices(request, answers[0]),
        )

    async def start(self, request: Request, session: Session, form: Form) -> Response:
        """An operation is asked for; the console shows how far it is."""
        try:
            command = operation(form)
        except NotAnOperation:
            return not_saved(CONSOLE, "form-incomplete")
        return await self.site.send(request, session, command, CONSOLE, ASKED_FOR)


def flow_of(status: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Each part of the flow, and whether a finding is about it."""
    broken = {BROKEN.get(finding["code"]) for finding in status["findings"]}
    return [(part, part in broken) for part in FLOW]
