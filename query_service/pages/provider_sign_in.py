"""Signing in at the OpenID provider: the way there, and the way back."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import structlog
from starlette.requests import Request
from starlette.responses import Response

from query_service.pages.begun_sign_ins import Begun, BegunSignIns
from query_service.pages.provider import (
    AnswerNotTrusted,
    CodeRefused,
    NoCode,
    OtherIssuer,
    Provider,
    ProviderAway,
    StillAway,
)
from query_service.pages.rendering import Renderer, led_to
from query_service.pages.sessions import MOST_TOKEN_CHARACTERS, Session, Sessions
from query_service.pages.site import HOMES, SIGN_IN, with_parameters
from shared.auth.unfit import Unfit, unfit

AT_PROVIDER, CALLBACK = f"{SIGN_IN}/provider", f"{SIGN_IN}/callback"
BACK = "to"
"""The parameter that says which page a reader wanted."""

MOST_PATH_CHARACTERS = 256
OWN_PAGE = re.compile(r"/[a-z]+(/[A-Za-z0-9-]+)*")

Failure = Literal["denied", "unknown", "refused", "distrusted", "away", "unfit"]
STATUSES: Mapping[Failure, int] = {
    "denied": 403,
    "unknown": 400,
    "refused": 502,
    "distrusted": 502,
    "away": 503,
    "unfit": 403,
}
"""Why nobody is signed in. `denied`: the reader or the provider said no. `unknown`: this browser
began no such sign-in, too long ago, or finished it. `refused`: the provider gave no tokens.
`distrusted`: what it gave is not for this sign-in. `unfit`: its access token is not one of ours."""

OF_ANYBODY: frozenset[Failure] = frozenset({"denied", "unknown"})
"""What no operator needs to look into, and anybody could fill a log with."""

OTHER_SITES = frozenset({"cross-site", "same-site"})
RETRY_SECONDS = "5"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AtProvider:
    """What a sign-in there needs."""

    provider: Provider
    begun: BegunSignIns


class Failed(Exception):
    """Nobody is signed in. `why_unfit`: what is wrong with the access token, where that is why."""

    def __init__(
        self, failure: Failure, why_unfit: Unfit | Literal["length"] | None = None
    ) -> None:
        super().__init__(failure)
        self.failure = failure
        self.why_unfit = why_unfit


class ProviderSignIn:
    """The pages of it."""

    def __init__(self, at: AtProvider, sessions: Sessions, renderer: Renderer) -> None:
        self._provider = at.provider
        self._begun = at.begun
        self._sessions = sessions
        self._renderer = renderer

    async def begin(self, request: Request) -> Response:
        """To the provider; for whom another site sent here, to the page to sign in on. So no site
        can sign a reader in anew, or put an end to what this browser began."""
        back = own_page(request.query_params.get(BACK))
        if request.headers.get("sec-fetch-site") in OTHER_SITES:
            return led_to(_to(SIGN_IN, back))
        try:
            url, begun = await self._provider.begin(back)
        except ProviderAway as error:
            return self._failed(request, Failed("away"), error)
        response = led_to(url)
        self._begun.keep(begun, response)
        return response

    async def finish(self, request: Request) -> Response:
        """Back from the provider. An answer that is not to what this browser began ends nothing."""
        begun = self._begun.of(request)
        if begun is None or not _is_meant(request, begun) or not self._begun.take(begun):
            return self._failed(request, Failed("unknown"))
        try:
            session = await self._session(request, begun)
        except Failed as failed:
            response = self._failed(request, failed, failed.__cause__)
            if failed.failure == "away":  # may be asked again, with the same answer
                self._begun.give_back(begun)
                return response
        else:
            # The browser came from another site, and takes no `Strict` cookie along on the way
            # that began there: from this page on it does.
            response = self._renderer.page(
                request, "signed_in.html", next_page=_next_page(begun, session)
            )
            self._sessions.keep(session, response)
        self._begun.end(response)
        return response

    async def _session(self, request: Request, begun: Begun) -> Session:
        """Raises Failed, KeysUnavailable."""
        token = await self._access_token(request, begun)
        session = await self._sessions.begin(token)
        if session is not None:
            return session
        is_long = len(token) > MOST_TOKEN_CHARACTERS
        raise Failed("unfit", "length" if is_long else unfit(token, self._sessions.expected))

    async def _access_token(self, request: Request, begun: Begun) -> str:
        """Raises Failed."""
        said = request.query_params
        try:
            await self._provider.check_issuer(said.get("iss"))
            if (refusal := said.get("error")) is None:
                return await self._provider.access_token(said.get("code", ""), begun)
        except CodeRefused as error:
            raise Failed("refused") from error
        except AnswerNotTrusted as error:
            raise Failed("distrusted") from error
        except ProviderAway as error:
            raise Failed("away") from error
        raise Failed("denied" if refusal == "access_denied" else "refused")

    def _failed(
        self, request: Request, failed: Failed, cause: BaseException | None = None
    ) -> Response:
        if failed.failure not in OF_ANYBODY:
            reason = failed.why_unfit or (str(cause) if cause else None)
            level = logging.INFO if _is_of_browser(failed, cause) else logging.WARNING
            log.log(level, "sign_in_failed", failure=failed.failure, reason=reason)
        response = self._renderer.page(
            request,
            "sign_in_failed.html",
            STATUSES[failed.failure],
            failure=failed.failure,
            why_unfit=failed.why_unfit,
            again=AT_PROVIDER,
        )
        if failed.failure == "away":
            response.headers["Retry-After"] = RETRY_SECONDS
        return response


def _is_of_browser(failed: Failed, cause: BaseException | None) -> bool:
    """Whether nothing that the provider said itself is the reason: anybody can bring an address."""
    if cause is None:
        return failed.failure != "unfit"
    return isinstance(cause, NoCode | OtherIssuer | StillAway)


def _is_meant(request: Request, begun: Begun) -> bool:
    """Whether an answer is one to what was begun, and could be read in one way only."""
    said = request.query_params
    is_plain = len(dict(said)) == len(said.multi_items())
    return is_plain and begun.has_state(said.get("state", ""))


def own_page(path: str | None) -> str:
    """`path` where it is one of these pages, whole and without parameters; else the first page."""
    if path is None or len(path) > MOST_PATH_CHARACTERS or not OWN_PAGE.fullmatch(path):
        return "/"
    return path if f"/{path.split('/')[1]}" in HOMES.values() else "/"


def wanted(request: Request) -> str:
    """The page to sign in on, for who wanted `request`'s page."""
    return _to(SIGN_IN, own_page(request.url.path) if request.method == "GET" else "/")


def link(request: Request) -> str:
    """From the page to sign in on to the provider."""
    return _to(AT_PROVIDER, own_page(request.query_params.get(BACK)))


def _to(address: str, page: str) -> str:
    """`address`, which is told that the reader wants `page` then."""
    return address if page == "/" else with_parameters(address, (BACK, page))


def _next_page(begun: Begun, session: Session) -> str:
    """What the reader wanted, unless it is another role's."""
    home = HOMES.get(session.principal.role, "/")
    return begun.back if f"{begun.back}/".startswith(f"{home}/") else home
