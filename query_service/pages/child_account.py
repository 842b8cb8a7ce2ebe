"""A child's account as its parent sees and changes it: profile, alerts, consents, export, end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from query_service.pages import account_forms
from query_service.pages.account_forms import Notice, Read, Wrong, print_of
from query_service.pages.downloads import Download
from query_service.pages.inner_api import asked
from query_service.pages.preferences import lines_of
from query_service.pages.rendering import HEADERS, led_to
from query_service.pages.sessions import Session
from query_service.pages.site import (
    HOMES,
    INVALID,
    PARENTS,
    SAVED,
    VERSION,
    Form,
    FormRoute,
    PageRoute,
    Site,
    Take,
    not_saved,
    with_parameters,
)
from shared.auth.access import Role
from shared.events.child import AlertChannel, ConsentPurpose, Severity

CHILD = f"{HOMES[Role.PARENT]}/children/{{child_id}}"
CONSENT = f"{CHILD}/consents/{{purpose}}"
UNCHANGED = "unchanged"


def page_of(child: str) -> str:
    return CHILD.format(child_id=child)


@dataclass(frozen=True, slots=True)
class ChildAccount:
    """`notice`: None where the operator named none; then nobody consents here."""

    site: Site
    notice: Notice | None

    def routes(self) -> list[PageRoute | FormRoute]:
        forms: Mapping[str, Callable[[Form], Read]] = {
            "profile": account_forms.profile,
            "alert-policy": account_forms.alert_policy,
            "deactivation": account_forms.deactivation,
            "reactivation": account_forms.reactivation,
        }
        return [
            PageRoute(f"{CHILD}/export", PARENTS, self.export),
            FormRoute(CONSENT, PARENTS, self._of_a_purpose(self._consent)),
            FormRoute(
                f"{CONSENT}/withdrawal", PARENTS, self._of_a_purpose(account_forms.withdrawal)
            ),
            *(
                FormRoute(f"{CHILD}/{name}", PARENTS, partial(self.change, read))
                for name, read in forms.items()
            ),
        ]

    def shown(self, profile: Mapping[str, Any], policy: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the templates of the account need beside the API's answers."""
        fields = {name: profile[name] for name in account_forms.PROFILE}
        return {
            "policy": policy,
            "notice": self.notice,
            "purposes": [one.value for one in ConsentPurpose],
            "severities": [one.value for one in Severity],
            "channels": [one.value for one in AlertChannel],
            "prints": {name: print_of(value) for name, value in fields.items()},
            "preferences": lines_of(profile["preferences"]),
            "limits": account_forms,
        }

    async def change(
        self, read: Callable[[Form], Read], request: Request, session: Session, form: Form
    ) -> Response:
        """The command of a form, if it is about the reader's own child; then the child's page."""
        child = str(request.path_params["child_id"])
        back = page_of(child)
        (profile,) = await self.site.ask(request, session, asked("children", child))
        refused = self.site.refused(request, profile)
        if refused is not None:
            return refused
        version = form.get("version", "")
        if not VERSION.fullmatch(version):
            raise HTTPException(400)
        wanted = read(form)
        if isinstance(wanted, Wrong):
            return not_saved(back, INVALID, wanted.fields)
        if wanted is None:
            return led_to(with_parameters(back, (SAVED, UNCHANGED)))
        command = wanted.sent(child, version)
        return await self.site.send(request, session, command, back, wanted.kind)

    async def export(self, request: Request, session: Session) -> Response:
        """All that is stored about the child, as a file."""
        wanted = asked("children", str(request.path_params["child_id"]), "export")

        async def pass_on(send: Send) -> Response | None:
            api = self.site.api
            refusal = await api.pass_on(request, session.token, wanted, send, HEADERS)
            return None if refusal is None else self.site.refused(request, refusal)

        return Download(pass_on)

    def _of_a_purpose(self, read: Callable[[str, Form], Read]) -> Take:
        async def take(request: Request, session: Session, form: Form) -> Response:
            purpose = str(request.path_params["purpose"])
            if purpose not in list(ConsentPurpose):
                raise HTTPException(404)
            return await self.change(partial(read, purpose), request, session, form)

        return take

    def _consent(self, purpose: str, form: Form) -> Read:
        if self.notice is None:
            raise HTTPException(404)
        return account_forms.consent(purpose, form, self.notice)
