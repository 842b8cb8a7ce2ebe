"""The pages beside a provider at which their readers sign in."""

import time
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import httpx2

from query_service.pages.begun_sign_ins import BegunSignIns
from query_service.pages.provider import Client, Provider
from query_service.pages.provider_sign_in import CALLBACK, AtProvider
from shared.clock import unix_seconds
from tests.support.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdProvider
from tests.support.pages import HERE, SECRET, PagesSide
from tests.support.query_side import QuerySide


class ProviderSide:
    """One process. `later`: seconds that its clocks are ahead."""

    def __init__(
        self, side: QuerySide, provider: OpenIdProvider, *, behind_tls: bool = False
    ) -> None:
        self.provider = provider
        self.later = 0.0
        side.verifier.expected = replace(side.verifier.expected, issuer=provider.issuer)
        callback = f"{HERE}{CALLBACK}"
        client = Client(provider.issuer, CLIENT_ID, CLIENT_SECRET, "openid", callback)
        begun = BegunSignIns(SECRET, behind_tls=behind_tls, now=lambda: unix_seconds() + self.later)
        at = AtProvider(Provider(client, lambda: time.monotonic() + self.later), begun)
        self.pages = PagesSide(side, behind_tls=behind_tls, at_provider=at)

    def browser(self, language: str = "en") -> httpx2.AsyncClient:
        return self.pages.browser(**{"Accept-Language": language})

    async def begin(self, browser: httpx2.AsyncClient, to: str | None = None) -> dict[str, str]:
        """What the provider is asked, once the browser is sent there."""
        answer = await browser.get("/sign-in/provider", params={} if to is None else {"to": to})
        assert answer.status_code == 303, answer.text
        address = urlsplit(answer.headers["Location"])
        assert f"{address.scheme}://{address.netloc}" == self.provider.issuer
        return dict(parse_qsl(address.query))

    async def sign_in(self, browser: httpx2.AsyncClient, to: str | None = None) -> httpx2.Response:
        """What a browser sees when it is back from the provider."""
        return await browser.get(self.provider.begun(await self.begin(browser, to)))
