"""A parent who signs in at a provider of another site, in a real browser over a stack."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.async_api import BrowserContext, expect

from deploy.local.state import StackState
from shared.signing import read_signing_key
from tests.browser.conftest import Family
from tests.browser.test_accessibility import violations
from tests.support.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    OpenIdProvider,
    openid_provider,
)
from tests.support.own_servers import own_stack, state_of
from tests.support.tokens import Forger

SOON = 30_000
OTHER_SITE = "localhost"
"""For browsers another site than 127.0.0.1, whatever the port."""


@dataclass(frozen=True)
class Meeting:
    """A stack, and the provider that its pages know."""

    state: StackState
    provider: OpenIdProvider


@pytest.fixture(scope="module")
async def meeting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Meeting]:
    nobody = Forger(Ed25519PrivateKey.generate(), "teddy-local", "teddy")
    async with openid_provider(nobody, OTHER_SITE) as provider:
        given = {
            "TEDDY_PAGES_OIDC_ISSUER": provider.issuer,
            "TEDDY_PAGES_OIDC_CLIENT_ID": CLIENT_ID,
            "TEDDY_PAGES_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        }
        with pytest.MonkeyPatch.context() as environment:
            for name, value in given.items():
                environment.setenv(name, value)
            with own_stack(tmp_path_factory.mktemp("stack")) as folder:
                state = state_of(folder)
                # the stack's services know no keys but those of the stack
                key_file = Path(state.environment["TEDDY_SIGNING_KEY_FILE"])
                provider.forger.key = read_signing_key(key_file)
                yield Meeting(state, provider)


async def test_a_parent_signs_in_at_the_provider_and_out_again(
    meeting: Meeting, context: BrowserContext
):
    # given a family that the provider knows
    family = Family(meeting.state)
    meeting.provider.subject = family.parent_id
    async with family.clients:
        child, _ = await family.child("Lena Weiss")
    page = await context.new_page()
    page.on("console", lambda message: family.complaints.append(message.text))
    # when a page of it is asked for
    here = meeting.state.environment["TEDDY_QUERY_URL"]
    await page.goto(f"{here}/dashboard/children/{child}")
    await expect(page.get_by_label("Access token")).to_be_visible()
    assert await violations(page) == []
    await page.get_by_role("link", name="Sign in at your provider").click()
    await page.get_by_role("button", name="Allow").click()
    # then that page is shown, and the address has no code any more
    await expect(page.get_by_role("heading", level=1)).to_have_text("Lena Weiss", timeout=SOON)
    assert page.url == f"{here}/dashboard/children/{child}"
    session = next(one for one in await context.cookies() if one["name"] == "teddy_session")
    assert (session["sameSite"], session["httpOnly"]) == ("Strict", True)
    await page.goto(f"{here}/dashboard")
    await expect(page.locator("#children")).to_contain_text("Lena Weiss", timeout=SOON)
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/sign-in")
    assert await context.cookies() == []
    assert family.complaints == []


async def test_a_reader_whom_the_provider_gave_no_role_is_told_so(
    meeting: Meeting, context: BrowserContext
):
    meeting.provider.access_claims = {"role": None}
    page = await context.new_page()
    await page.goto(f"{meeting.state.environment['TEDDY_QUERY_URL']}/sign-in")
    await page.get_by_role("link", name="Sign in at your provider").click()
    await page.get_by_role("button", name="Allow").click()
    await expect(page.get_by_role("alert")).to_have_text(re.compile("has no role"))
    assert await violations(page) == []
    await page.get_by_role("link", name="Try again").click()
    await expect(page.get_by_role("button", name="Allow")).to_be_visible()
