"""The pages over the query service in memory, and a command API that notes what reaches it."""

import re
from collections.abc import Callable

import httpx2

from query_service.pages.account_forms import Notice
from query_service.pages.commands import CommandApi
from query_service.pages.provider_sign_in import AtProvider
from query_service.pages.served_pages import install_pages
from query_service.pages.sessions import Sessions
from shared.auth.access import Principal
from shared.events.child import ConsentMethod
from tests.support.query_side import QuerySide

HERE = "http://pages.example"
SECRET = bytes(range(32))
NOTICE = Notice("2026-11", "https://provider.example/privacy", ConsentMethod.VIDEO_CALL)


class CommandApiSeen:
    """Answers commands as `answer` says; `requests`: what came, in order."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []
        self.answer: Callable[[], httpx2.Response] = lambda: httpx2.Response(200, json={})

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self.answer()


class PagesSide:
    """The same as a browser has it: cookies are kept, redirects are not followed by themselves."""

    def __init__(
        self,
        side: QuerySide,
        *,
        behind_tls: bool = False,
        by_link: bool = False,
        notice: Notice | None = None,
        at_provider: AtProvider | None = None,
    ) -> None:
        self.side = side
        self.commands = CommandApiSeen()
        api = CommandApi("http://command", httpx2.MockTransport(self.commands))
        sessions = Sessions(side.verifier, SECRET, behind_tls=behind_tls, by_link=by_link)
        install_pages(side.app, sessions, api, notice, at_provider)

    def browser(self, **headers: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.side.app, raise_app_exceptions=False),
            base_url=HERE,
            headers={"Accept-Language": "en", **headers},
        )

    def token(self, principal: Principal) -> str:
        return self.side.bearer(principal)["Authorization"].removeprefix("Bearer ")

    async def sign_in(self, browser: httpx2.AsyncClient, principal: Principal) -> httpx2.Response:
        return await browser.post("/sign-in", data={"token": self.token(principal)})


def form_token_of(page: str) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page)
    assert found is not None
    return found[1]
