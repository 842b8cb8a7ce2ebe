"""The running system, and a client of it for each of the people in the scenarios."""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import orjson
import uvloop
from rich.console import Console

from examples.story import ScenarioFailed, Story
from shared.auth.access import Principal, Role
from shared.auth.tokens import TokenIssuer
from shared.client import TeddyClient, TeddyProblem, Unreachable
from shared.clock import new_id, utc_now
from shared.signing import read_signing_key

STACK_FILE = Path(".teddy/stack.json")
VARIABLES = ("TEDDY_COMMAND_URL", "TEDDY_QUERY_URL", "TEDDY_SIGNING_KEY_FILE")
CONSENTS = [
    {"purpose": purpose, "notice_version": "2026-11", "method": "video_call"}
    for purpose in ("account", "conversations", "personalization")
]
"""What the parents of the scenarios consent to when they register a child."""

TOKEN_LIFE = timedelta(hours=1)
WIDTH = 100


class NoStack(Exception):
    """There is no running system to play the scenarios on."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a scenario plays on. Every run has people and bears of its own, so it can be repeated.

    `client` makes (once) the client of a subject in a role; `story` prints what happens.
    """

    story: Story
    command_url: str
    query_url: str
    issuer: TokenIssuer
    run: str
    stack: AsyncExitStack
    clients: dict[tuple[str, Role], TeddyClient]

    async def client(self, role: Role, subject: str) -> TeddyClient:
        known = self.clients.get((subject, role))
        if known is not None:
            return known
        token = self.token(role, subject)
        client = TeddyClient(self.command_url, self.query_url, token, observe=self.story.observe)
        self.clients[subject, role] = await self.stack.enter_async_context(client)
        return client

    def token(self, role: Role, subject: str) -> str:
        return self.issuer.issue(Principal(subject, role), utc_now(), TOKEN_LIFE)

    async def parent(self, name: str) -> TeddyClient:
        return await self.client(Role.PARENT, self.parent_id(name))

    async def bear(self, name: str) -> TeddyClient:
        return await self.client(Role.DEVICE, self.bear_id(name))

    async def officer(self) -> TeddyClient:
        return await self.client(Role.SAFETY_OFFICER, "officer-demo")

    async def admin(self) -> TeddyClient:
        return await self.client(Role.ADMIN, "admin-demo")

    def parent_id(self, name: str) -> str:
        return f"parent-{name}-{self.run}"

    def bear_id(self, name: str) -> str:
        return f"bear-{name}-{self.run}"

    def udid(self, name: str) -> str:
        return f"udid-{name}-{self.run}"


Scenario = Callable[[Stage], Awaitable[None]]


@asynccontextmanager
async def open_stage(console: Console) -> AsyncIterator[Stage]:
    """The stage on the system that the environment or `.teddy/stack.json` names."""
    settings = _settings()
    issuer = TokenIssuer(
        read_signing_key(Path(settings["TEDDY_SIGNING_KEY_FILE"])),
        settings.get("TEDDY_TOKEN_ISSUER", "teddy-local"),
        settings.get("TEDDY_TOKEN_AUDIENCE", "teddy"),
    )
    async with AsyncExitStack() as stack:
        yield Stage(
            story=Story(console),
            command_url=settings["TEDDY_COMMAND_URL"],
            query_url=settings["TEDDY_QUERY_URL"],
            issuer=issuer,
            run=new_id()[:8],
            stack=stack,
            clients={},
        )


def play(*scenarios: tuple[str, Scenario]) -> int:
    """Play scenarios, by title, in order; 0 when all went as expected, 1 at the first that did not,
    2 when there is nothing to play on."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    try:
        return uvloop.run(_play(console, scenarios))
    except NoStack as error:
        print(error, file=sys.stderr)
        return 2


async def _play(console: Console, scenarios: tuple[tuple[str, Scenario], ...]) -> int:
    async with open_stage(console) as stage:
        for number, (title, scenario) in enumerate(scenarios, 1):
            stage.story.title(number if len(scenarios) > 1 else None, title)
            try:
                await scenario(stage)
            except (ScenarioFailed, TeddyProblem, Unreachable) as error:
                console.print(f"  [bold red]✗ {error}[/]")
                return 1
        stage.story.summary()
        console.print()
        console.print("[bold green]all scenarios went as expected[/]")
        if not _named_by_environment():
            _say_where_to_look(console, stage)
    return 0


def _say_where_to_look(console: Console, stage: Stage) -> None:
    """Only of the stack that runs here: the user who named another one knows where it is."""
    for name, url in (("command", stage.command_url), ("query", stage.query_url)):
        console.print(f"the {name} API is documented at {url}/docs", highlight=False)
    token = stage.token(Role.PARENT, stage.parent_id("ada"))
    console.print(f"Ada's pages, for an hour: {stage.query_url}/sign-in#{token}", soft_wrap=True)
    console.print("`teddy status` shows every process and its lag", highlight=False)


def _named_by_environment() -> bool:
    return all(os.environ.get(name) for name in VARIABLES)


def _settings() -> Mapping[str, str]:
    """The environment when it names a stack, else what the local stack wrote down."""
    if _named_by_environment():
        return os.environ
    try:
        environment: dict[str, str] = orjson.loads(STACK_FILE.read_bytes())["environment"]
    except (OSError, orjson.JSONDecodeError, KeyError):
        environment = {}
    if not environment.keys() >= set(VARIABLES):
        names = ", ".join(VARIABLES)
        raise NoStack(f"no stack runs here: start one with `make up`, or set {names}")
    return environment
