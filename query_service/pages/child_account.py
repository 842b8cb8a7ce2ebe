"""A child's account as its parent sees and changes it: profile, alerts, consents, export, end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from query_service.pages import account_forms
from query_service.pages.account_forms import VERSION, Notice, Read, Wrong, print_of
from query_service.pages.downloads import Export
from query_service.pages.inner_api import asked
from query_service.pages.preferences import lines_of
from query_service.pages.rendering import led_to
from query_service.pages.sessions import Session
from query_service.pages.site import HOMES, Form, FormRoute, PageRoute, Site, Take
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
            PageRoute(f"{CHILD}/export", Role.PARENT, self.export),
            FormRoute(CONSENT, Role.PARENT, self._of_a_purpose(self._consent)),
            FormRoute(
                f"{CONSENT}/withdrawal", Role.PARENT, self._of_a_purpose(account_forms.withdrawal)
            ),
            *(
                FormRoute(f"{CHILD}/{name}", Role.PARENT, partial(self.change, read))
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
            return led_to(f"{back}?{wanted.parameters}")
        if wanted is None:
            return led_to(f"{back}?saved={UNCHANGED}")
        command = wanted.sent(child, version)
        return await self.site.send(request, session, command, back, wanted.kind)

    async def export(self, request: Request, session: Session) -> Response:
        """All that is stored about the child, as a file."""
        wanted = asked("children", str(request.path_params["child_id"]), "export")
        return Export(self.site, request, session, wanted)

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
