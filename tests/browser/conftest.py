"""One stack and one browser for all tests of the pages; each test has a family of its own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from deploy.local.state import StackFolder, StackState
from shared.auth.access import Role
from shared.client import TeddyClient
from shared.clock import new_id
from tests.browser.chromium import chromium
from tests.support import callers
from tests.support.consents import CONSENTS
from tests.support.own_servers import own_stack


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write", action="store_true", help="Write docs/images.")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackFolder]:
    with own_stack(tmp_path_factory.mktemp("stack")) as folder:
        yield folder


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        # without its sandbox, which root has not; it sees nothing but these pages
        running = await playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox"]
        )
        yield running
        await running.close()


@dataclass
class Family:
    """A parent with clients of the APIs, and what its browser complained about."""

    state: StackState
    parent_id: str = field(default_factory=lambda: f"parent-{new_id()[:8]}")
    complaints: list[str] = field(default_factory=list)
    clients: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def client(self, role: Role, subject: str) -> TeddyClient:
        """Closed with the family's test."""
        return await self.clients.enter_async_context(callers.client(self.state, role, subject))

    async def child(self, name: str, age: int = 6) -> tuple[str, TeddyClient]:
        """Its id, and its bear."""
        device = f"bear-{new_id()[:8]}"
        parent = await self.client(Role.PARENT, self.parent_id)
        answer = await parent.register_child(
            name, age, f"udid-{new_id()[:8]}", device_id=device, consents=CONSENTS
        )
        return answer["child_id"], await self.client(Role.DEVICE, device)

    @property
    def one_click(self) -> str:
        """An address that signs this parent in."""
        token = callers.token(self.state, Role.PARENT, self.parent_id)
        return f"{self.state.environment['TEDDY_QUERY_URL']}/sign-in#{token}"

    async def open(self, context: BrowserContext) -> Page:
        """The dashboard, signed in."""
        page = await context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(self.one_click)
        await page.wait_for_url("**/dashboard")
        return page


@pytest.fixture
async def family(state: StackState) -> AsyncIterator[Family]:
    family = Family(state)
    async with family.clients:
        yield family


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(locale="en-GB")
    yield context
    await context.close()
