"""The pages beside the API, in one process: which requests are whose."""

from collections.abc import Awaitable, Callable

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from query_service.pages.account_forms import Notice
from query_service.pages.analysts import Analysts
from query_service.pages.child_account import ChildAccount
from query_service.pages.commands import CommandApi
from query_service.pages.erasures import Erasures
from query_service.pages.families import HOME, Families
from query_service.pages.inner_api import InnerApi, only_hang_up
from query_service.pages.officers import FAMILY, Officers
from query_service.pages.operators import Operators
from query_service.pages.provider_sign_in import (
    AT_PROVIDER,
    CALLBACK,
    AtProvider,
    ProviderSignIn,
    link,
    wanted,
)
from query_service.pages.received_forms import read_form
from query_service.pages.rendering import HEADERS, Renderer, led_to
from query_service.pages.sessions import Session, Sessions, is_from_here, is_own_form
from query_service.pages.site import (
    HOMES,
    MOST_FORM_BYTES,
    SIGN_IN,
    Form,
    FormRoute,
    PageRoute,
    Roles,
    Show,
    Site,
    Take,
)
from shared.auth.access import Role
from shared.auth.keys import KeysUnavailable
from shared.http.request_checks import is_id

FIRST_SEGMENTS = frozenset({"", "assets", "sign-in", "sign-out"}) | {
    home.strip("/") for home in HOMES.values()
}
FORM_FIELD = "form_token"

log = structlog.get_logger(__name__)

Answer = Callable[[Request], Awaitable[Response]]
Follow = Callable[[Session, Scope, Receive, Send], Awaitable[None]]


class Pages:
    """Answers what is a page's, and leaves every other request to `app`, as it came."""

    def __init__(
        self,
        app: ASGIApp,
        sessions: Sessions,
        commands: CommandApi,
        notice: Notice | None = None,
        at_provider: AtProvider | None = None,
    ) -> None:
        self._app = app
        self._at_provider = at_provider
        self._notice = notice
        self._sessions = sessions
        self._renderer = Renderer(behind_tls=sessions.behind_tls)
        self._site = Site(InnerApi(app), commands, self._renderer, sessions)
        self._router = Router(self._routes(), redirect_slashes=False, default=self._nothing_here)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and _is_of_a_page(scope["path"]):
            return self._answer({**scope, "state": only_hang_up(scope)}, receive, send)
        return self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._router(scope, receive, send)
        except HTTPException as refused:
            page = self._renderer.error(Request(scope), refused.status_code, refused.headers)
        except KeysUnavailable:
            page = self._renderer.error(Request(scope), 503, {"Retry-After": "5"})
        else:
            return
        await page(scope, receive, send)

    def _routes(self) -> list[Route]:
        account, erasures = ChildAccount(self._site, self._notice), Erasures(self._site)
        families, officers = Families(self._site, account, erasures), Officers(self._site)
        sections = (families, officers, Analysts(self._site), Operators(self._site))
        parents_follow = _Stream(self._sessions, Role.PARENT, families.stream)
        officers_follow = _Stream(self._sessions, Role.SAFETY_OFFICER, officers.stream)
        return [
            Route("/", self._signed_in(self._home), methods=["GET"]),
            Route("/assets/{digest}/{name}", self._asset),
            Route(SIGN_IN, self._sign_in_page, methods=["GET"]),
            Route(SIGN_IN, self._sign_in, methods=["POST"]),
            *self._provider_routes(),
            Route("/sign-out", self._signed_in(self._with_form(self._sign_out)), methods=["POST"]),
            Route(f"{HOME}/stream", parents_follow, methods=["GET"]),
            Route(f"{FAMILY}/stream", officers_follow, methods=["GET"]),
            *(self._route(one) for section in sections for one in section.routes()),
        ]

    def _provider_routes(self) -> list[Route]:
        if self._at_provider is None:
            return []
        pages = ProviderSignIn(self._at_provider, self._sessions, self._renderer)
        return [
            Route(AT_PROVIDER, self._guarded(pages.begin), methods=["GET"]),
            Route(CALLBACK, self._guarded(pages.finish), methods=["GET"]),
        ]

    def _guarded(self, answer: Answer) -> Answer:
        """For who is not signed in yet."""

        async def guarded(request: Request) -> Response:
            return await self._foreseen(request, answer(request))

        return guarded

    def _route(self, one: PageRoute | FormRoute) -> Route:
        if isinstance(one, PageRoute):
            return Route(one.path, self._signed_in(one.show, one.roles), methods=["GET"])
        take = self._with_form(one.take, one.most_bytes)
        return Route(one.path, self._signed_in(take, one.roles), methods=["POST"])

    def _signed_in(self, show: Show, roles: Roles | None = None) -> Answer:
        """For whoever is signed in, or only as one of `roles`."""

        async def answer(request: Request) -> Response:
            if not all(is_id(value) for value in request.path_params.values()):
                raise HTTPException(404)
            session = await self._sessions.of(request)
            if session is None:
                return led_to(SIGN_IN if self._at_provider is None else wanted(request))
            if roles is not None and session.principal.role not in roles:
                return self._renderer.page(request, "other_role.html", 403, signed_in=session)
            return await self._foreseen(request, show(request, session))

        return answer

    def _with_form(self, take: Take, most_bytes: int = MOST_FORM_BYTES) -> Show:
        """For who sends a form that was made for them."""

        async def answer(request: Request, session: Session) -> Response:
            form = await read_form(request, most_bytes)
            if not is_own_form(request, form.get(FORM_FIELD, ""), session):
                raise HTTPException(403)
            return await take(request, session, form)

        return answer

    async def _foreseen(self, request: Request, answer: Awaitable[Response]) -> Response:
        """What nobody foresaw is a page, too, for people's eyes; the log has the rest."""
        try:
            return await answer
        except (HTTPException, KeysUnavailable):
            raise
        except Exception as error:
            log.exception("page_failed", error=type(error).__name__)
            return self._renderer.error(request, 500)

    async def _home(self, request: Request, session: Session) -> Response:
        home = HOMES.get(session.principal.role)
        if home is None:
            return self._renderer.page(request, "other_role.html", 403, signed_in=session)
        return led_to(home)

    async def _nothing_here(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._renderer.error(Request(scope), 404)(scope, receive, send)

    async def _asset(self, request: Request) -> Response:
        found = self._renderer.assets.answer(**request.path_params)
        return found or self._renderer.error(request, 404)

    async def _sign_in_page(self, request: Request) -> Response:
        return self._sign_in_form(request, refused=False)

    def _sign_in_form(self, request: Request, *, refused: bool) -> Response:
        return self._renderer.page(
            request,
            "sign_in.html",
            401 if refused else 200,
            refused=refused,
            by_link=self._sessions.by_link and not refused,
            at_provider=None if self._at_provider is None else link(request),
        )

    async def _sign_in(self, request: Request) -> Response:
        """From a token to a session; only from the page itself, or another site could sign a
        browser in as somebody it knows."""
        form = await read_form(request)
        if not is_from_here(request):
            raise HTTPException(403)
        session = await self._sessions.begin(form.get("token", "").strip())
        if session is None:
            return self._sign_in_form(request, refused=True)
        response = led_to(HOMES.get(session.principal.role, "/"))
        self._sessions.keep(session, response)
        return response

    async def _sign_out(self, _request: Request, _session: Session, _form: Form) -> Response:
        response = led_to(SIGN_IN)
        self._sessions.end(response)
        return response


def _is_of_a_page(path: str) -> bool:
    """A request's target may also be `*`, or an address with its scheme: that is no page's."""
    return path.startswith("/") and path.split("/", 2)[1] in FIRST_SEGMENTS


class _Stream:
    """An ASGI endpoint for one role: events go out as the API has them."""

    def __init__(self, sessions: Sessions, role: Role, follow: Follow) -> None:
        self._sessions = sessions
        self._role = role
        self._follow = follow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            session = await self._sessions.of(Request(scope))
        except KeysUnavailable:
            session = None
        if session is not None and session.principal.role is not self._role:
            await Response(status_code=403, headers=HEADERS)(scope, receive, send)
        elif session is None or scope["method"] != "GET":
            response = Response(status_code=401 if session is None else 200, headers=HEADERS)
            await response(scope, receive, send)
        else:
            await self._follow(session, scope, receive, send)
