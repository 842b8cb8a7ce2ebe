"""The stack that is attacked, a family with a child, and everybody else who has a token."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pymongo

from deploy import cli
from deploy.local.state import StackFolder, StackState
from shared.auth.access import Role
from shared.clock import new_id
from shared.signing import read_signing_key
from tests.attack.wire import request
from tests.support.callers import token
from tests.support.commands import Said, called
from tests.support.consents import CONSENTS
from tests.support.greedy_caller import LOOPBACK, Address
from tests.support.tokens import Forger, attacks
from tests.support.waiting import STARTED, eventually

ANSWER_SECONDS = 30.0
ISSUER, AUDIENCE = "teddy-local", "teddy"
NEWCOMER = "a newcomer"
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody on both APIs."""

    subject: str
    commands: httpx2.AsyncClient
    queries: httpx2.AsyncClient


@dataclass
class World:
    """`timed`: whether promises of time are judged. `words`: what rows put into their requests.
    `bearers` and `callers`: by their names there. `forged`: the Authorization headers of each
    forgery. `written`: all that was found written after the canaries' life, by place."""

    folder: StackFolder
    state: StackState
    timed: bool = False
    words: dict[str, str] = field(default_factory=dict)
    bearers: dict[str, str] = field(default_factory=dict)
    callers: dict[str, Caller] = field(default_factory=dict)
    forged: Mapping[str, list[str]] = field(default_factory=dict)
    written: dict[str, bytes] = field(default_factory=dict)

    def address(self, api: str) -> Address:
        return LOOPBACK, self.state.ports[api]

    def bearer(self, caller: str) -> str:
        """The token of one of `callers`, or of a parent whom nobody has seen yet, who has used up
        none of its rates."""
        if caller == NEWCOMER:
            return self.parent_s_bearer(f"newcomer-{new_id()}")
        return self.bearers[caller]

    def new_bearer(self, role: Role, subject: str) -> str:
        return token(self.state, role, subject)

    def parent_s_bearer(self, parent: str) -> str:
        return self.new_bearer(Role.PARENT, parent)

    @property
    def forger(self) -> Forger:
        """Has the issuer's own key: what it makes is refused for what it says, or is good."""
        return Forger(read_signing_key(self.signing_key_file), ISSUER, AUDIENCE)

    @property
    def signing_key_file(self) -> Path:
        return Path(self.state.environment["TEDDY_SIGNING_KEY_FILE"])

    async def teddy(self, *arguments: str, **settings: str) -> Said:
        """The command `teddy` of an operator of this stack."""
        call = ["--dir", str(self.folder.path), *arguments]
        return await called(cli.main, call, {**self.state.environment, **settings})

    @asynccontextmanager
    async def collection(self, database: str, name: str) -> AsyncIterator[Any]:
        """In the hands of somebody with the database's password. `database`: write, read, keys,
        audit."""
        url = self.state.environment[f"TEDDY_{database.upper()}_MONGO_URL"]
        async with pymongo.AsyncMongoClient[Document](url) as client:
            yield client[f"teddy_{database}"][name]

    async def register(self, caller: str, **more: Any) -> str:
        """The id of a new child of the caller, which the query API shows."""
        by = self.callers[caller]
        child = {"name": "Mia", "age": 7, "udid": f"TEDDY-{new_id()}", "consents": CONSENTS}
        answer = await by.commands.post("/v1/children", json=child | more)
        answer.raise_for_status()
        child_id: str = answer.json()["child_id"]
        shown = f"/v1/children/{child_id}"
        await eventually(lambda: by.queries.get(shown), STARTED, lambda answer: answer.is_success)
        return child_id


@asynccontextmanager
async def world_of(folder: StackFolder, *, timed: bool = False) -> AsyncIterator[World]:
    """A family with a child that has a bear, and one whose child is erased; a stranger with the
    same; and staff."""
    state = folder.load()
    assert state is not None
    run = new_id()[:8]
    world = World(folder, state, timed)
    people = {
        "family": (Role.PARENT, f"family-{run}"),
        "stranger": (Role.PARENT, f"stranger-{run}"),
        "bear": (Role.DEVICE, f"bear-{run}"),
        "another bear": (Role.DEVICE, f"another-bear-{run}"),
        "officer": (Role.SAFETY_OFFICER, f"officer-{run}"),
        "analyst": (Role.ANALYST, f"analyst-{run}"),
        "admin": (Role.ADMIN, f"admin-{run}"),
    }
    async with AsyncExitStack() as stack:
        for name, (role, subject) in people.items():
            world.bearers[name] = bearer = world.new_bearer(role, subject)
            commands, queries = [
                await stack.enter_async_context(_client(state, api, bearer))
                for api in ("COMMAND", "QUERY")
            ]
            world.callers[name] = Caller(subject, commands, queries)
        world.forged = attacks(world.forger)
        await _live(world, run)
        yield world


def _client(state: StackState, api: str, bearer: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=state.environment[f"TEDDY_{api}_URL"],
        headers={"Authorization": f"Bearer {bearer}"},
        timeout=ANSWER_SECONDS,
    )


async def _live(world: World, run: str) -> None:
    family, stranger = world.callers["family"], world.callers["stranger"]
    name, udid = f"Kanari{run}", f"TEDDY-KANARI-{run}"
    bear, another = (world.callers[one].subject for one in ("bear", "another bear"))
    child = await world.register("family", name=name, udid=udid, device_id=bear)
    other = await world.register("stranger", device_id=another)
    erased = await world.register("family")
    at = f"/v1/children/{child}"
    report = {"type": "content", "severity": "high"}
    reported = await family.commands.post(f"{at}/safety-violations", json=report)
    talk = await world.callers["bear"].commands.post(f"{at}/conversations", json={})
    gone = await family.commands.delete(f"/v1/children/{erased}/personal-data")
    for answer in (reported, talk, gone):
        answer.raise_for_status()
    receipt = f"/v1/children/{erased}/erasure-receipt"
    await eventually(lambda: family.queries.get(receipt), STARTED, lambda given: given.is_success)
    world.words |= {
        "child": child,
        "other": other,
        "erased": erased,
        "family": family.subject,
        "stranger": stranger.subject,
        "name": name,
        "udid": udid,
        "run": run,
        "violation": reported.json()["violation_id"],
        "talk": talk.json()["conversation_id"],
        "token": reported.headers["Consistency-Token"],
    }


@dataclass(frozen=True, slots=True)
class Stream:
    """`status` 200 is one that was opened."""

    status: int
    reader: asyncio.StreamReader

    async def ends(self, seconds: float) -> bytes:
        """All that it said until it ended; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            return await self.reader.read()

    async def receives(self, word: str, seconds: float) -> bytes:
        """What it says up to `word`; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            return await self.reader.readuntil(word.encode())

    async def says(self, seconds: float) -> bytes:
        """All that it says in `seconds`, or until it ends."""
        said = bytearray()
        try:
            async with asyncio.timeout(seconds):
                while more := await self.reader.read(65_536):
                    said += more
        except TimeoutError:
            pass
        return bytes(said)


@asynccontextmanager
async def following(world: World, bearer: str, parent_id: str) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection(*world.address("query"))
    path = f"/v1/parents/{parent_id}/stream"
    try:
        writer.write(request("GET", path, [f"Authorization: Bearer {bearer}"]))
        head = await reader.readuntil(b"\r\n\r\n")
        yield Stream(int(head[9:12]), reader)
    finally:
        writer.close()
