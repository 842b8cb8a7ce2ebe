"""The end of a child's data: a form that says what it does, and the receipt of what was done."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from query_service.pages.child_account import CHILD, page_of
from query_service.pages.commands import Sent
from query_service.pages.downloads import json_file
from query_service.pages.inner_api import ApiAnswer, Asked, asked
from query_service.pages.rendering import led_to
from query_service.pages.sessions import Session
from query_service.pages.site import (
    INVALID,
    PARENTS,
    Form,
    FormRoute,
    PageRoute,
    Site,
    not_saved,
    notices,
)
from shared.client.calls import path_of

NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Erasures:
    site: Site

    def routes(self) -> list[PageRoute | FormRoute]:
        return [
            PageRoute(f"{CHILD}/erasure", PARENTS, self.confirm),
            FormRoute(f"{CHILD}/erasure", PARENTS, self.erase),
            PageRoute(f"{CHILD}/erasure-receipt", PARENTS, self.receipt),
            PageRoute(f"{CHILD}/erasure-receipt/file", PARENTS, self.file),
        ]

    async def confirm(self, request: Request, session: Session) -> Response:
        """What is removed and what stays, and the form that asks for the child's name."""
        (profile,) = await self.site.ask(request, session, asked("children", _child(request)))
        refused = await self.refused(request, session, profile)
        if refused is not None:
            return refused
        return self.site.renderer.page(
            request,
            "erasure.html",
            signed_in=session,
            profile=profile.content,
            to_type=_to_type(profile.content),
            **notices(request, profile),
        )

    async def erase(self, request: Request, session: Session, form: Form) -> Response:
        """Erased only where the name was typed. Without a key: an erasure that is sent twice is
        one, and after the first no key could be recognised."""
        child = _child(request)
        (profile,) = await self.site.ask(request, session, asked("children", child))
        refused = await self.refused(request, session, profile)
        if refused is not None:
            return refused
        here = f"{page_of(child)}/erasure"
        if _folded(form.get("name", "")) != _folded(_to_type(profile.content)):
            return not_saved(here, INVALID, ["confirmation"])
        command = Sent("DELETE", path_of("children", child, "personal-data"))
        outcome = await self.site.commands.send(request, session.token, command)
        back = f"{page_of(child)}/erasure-receipt" if outcome.is_done else here
        return self.site.answered(outcome, back)

    async def receipt(self, request: Request, session: Session) -> Response:
        """What was removed where, and what is still to be done."""
        (receipt,) = await self.site.ask(request, session, _receipt_of(_child(request)))
        refused = self.site.refused(request, receipt)
        if refused is not None:
            return refused
        return self.site.renderer.page(
            request,
            "receipt.html",
            signed_in=session,
            receipt=receipt.content,
            **notices(request, receipt),
        )

    async def file(self, request: Request, session: Session) -> Response:
        """The receipt to keep, with its signature."""
        child = _child(request)
        (receipt,) = await self.site.ask(request, session, _receipt_of(child))
        refused = self.site.refused(request, receipt)
        return refused or json_file(f"erasure-receipt-{child}", receipt.content)

    async def refused(
        self, request: Request, session: Session, *answers: ApiAnswer
    ) -> Response | None:
        """What to show instead of a child's page: the receipt, where the child was erased."""
        refused = self.site.refused(request, *answers)
        if refused is not None and refused.status_code == NOT_FOUND:
            child = _child(request)
            (receipt,) = await self.site.ask(request, session, _receipt_of(child))
            if not receipt.is_refusal:
                return led_to(f"{page_of(child)}/erasure-receipt")
        return refused


def _child(request: Request) -> str:
    return str(request.path_params["child_id"])


def _receipt_of(child: str) -> Asked:
    return asked("children", child, "erasure-receipt")


def _to_type(profile: Mapping[str, Any]) -> str:
    """The child's name; its id where the name cannot be read."""
    return str(profile["name"] or profile["child_id"])


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip())
