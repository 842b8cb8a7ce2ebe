"""A child of a case's own, which the load leaves alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

import httpx2

from shared.auth.access import Role
from shared.clock import new_id
from shared.events.child import AlertChannel
from shared.read_models.deliveries import DeliveryState, deliveries
from shared.read_models.documents import Model
from shared.read_models.generations import live_generation
from tests.faults.world import World
from tests.support.callers import token
from tests.support.commands import teddy_process
from tests.support.consents import CONSENTS
from tests.support.waiting import eventually

PROJECTED_SECONDS = 30.0
TOLD_SECONDS = 30.0
CHANGE_SECONDS = 0.1


class NotIsolated(Exception):
    """Another child than the spoilt one was held up, or the spoilt one was not dead-lettered."""


@dataclass(slots=True)
class OwnChild:
    """`version`: where its stream ends, as the API answered last."""

    world: World
    child_id: str
    parent: str
    version: int

    @classmethod
    async def registered(cls, world: World) -> Self:
        """It is in the read models, too."""
        parent = f"load-parent-{world.run}-{new_id()}"
        async with world.as_parent(parent) as http:
            bear = {"udid": new_id(), "device_id": _bear_of(parent)}
            body = {"name": "Mia", "age": 6, "consents": CONSENTS, **bear}
            answer = (await http.post("/v1/children", json=body)).raise_for_status().json()
        child = cls(world, answer["child_id"], parent, answer["version"])
        world.parents[child.child_id] = parent
        await child.is_projected()
        return child

    async def changes(self) -> None:
        """A command that always makes one event."""
        await self.sends("PATCH", "/profile", {"preferences": {"note": new_id()}})

    @property
    def bear(self) -> str:
        """The token of its bear."""
        return token(self.world.state, Role.DEVICE, _bear_of(self.parent))

    async def sends(
        self, method: str, rest: str, body: dict[str, Any], bearer: str | None = None
    ) -> dict[str, Any]:
        """The answer to a command, of its parent unless told otherwise; it has to be accepted."""
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        path = f"/v1/children/{self.child_id}{rest}"
        async with self.world.as_parent(self.parent) as http:
            sent = await http.request(method, path, json=body, headers=headers)
        answer: dict[str, Any] = sent.raise_for_status().json()
        self.version = answer["version"]
        return answer

    async def is_projected(self, seconds: float = PROJECTED_SECONDS) -> None:
        """Until the read models have all that the API answered."""
        await eventually(self.projected_version, seconds, lambda version: version >= self.version)

    async def projected_version(self) -> int:
        """How far the live read models are; 0: they do not have it."""
        generation = await live_generation(self.world.on.database)
        children = generation.collection(self.world.on.database, Model.CHILDREN)
        child = await children.find_one({"_id": self.child_id})
        return 0 if child is None else int(child["version"])

    async def raises_an_alert(self) -> str:
        """By a critical violation, whose id it gives."""
        report = {"type": "rude_words", "severity": "critical", "details": "Heard it."}
        answer = await self.sends("POST", "/safety-violations", report)
        violation_id: str = answer["violation_id"]
        return violation_id

    async def is_notified(
        self, violation_id: str, channel: str = AlertChannel.IN_APP, seconds: float = TOLD_SECONDS
    ) -> None:
        """Until the alert of this violation is delivered on `channel`."""
        wanted = {"violation_id": violation_id, "channel": channel}
        wanted["state"] = DeliveryState.DELIVERED
        await eventually(lambda: deliveries(self.world.on.database).find_one(wanted), seconds)

    async def reads(self, rest: str = "") -> httpx2.Response:
        """What the query API answers its parent."""
        url = self.world.state.environment["TEDDY_QUERY_URL"]
        async with self.world.as_parent(self.parent, url) as http:
            return await http.get(f"/v1/children/{self.child_id}{rest}")

    async def is_dead_lettered(self, value: bytes | None = None) -> None:
        """With the bytes that were sent, where they are known; `teddy` lists it."""
        known = {} if value is None else {"value": value}
        letters = self.world.on.database["dead_letters"]
        wanted = {"child_id": self.child_id, **known}
        await eventually(lambda: letters.find_one(wanted), PROJECTED_SECONDS)
        listed = await teddy_process(self.world.folder, "dead-letter", "list")
        if self.child_id not in listed.out:
            raise NotIsolated(f"{self.child_id} is not listed: {listed}")

    async def is_redriven(self, *options: str) -> None:
        redrive = ("dead-letter", "redrive", "--child", self.child_id, *options)
        done = await teddy_process(self.world.folder, *redrive)
        if done.code != 0:
            raise NotIsolated(f"not redriven: {done.err}")
        await self.is_projected()


@asynccontextmanager
async def life_goes_on(child: OwnChild) -> AsyncIterator[None]:
    """Commands to this child and to new ones as long as the block, however long the load takes;
    they may be answered 503, or not at all."""
    going = asyncio.create_task(_change_and_register(child))
    try:
        yield
    finally:
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)


async def _change_and_register(child: OwnChild) -> None:
    changes = f"/v1/children/{child.child_id}/profile"
    async with child.world.as_parent(child.parent) as http:
        while True:
            new = {"name": "Mia", "age": 6, "udid": new_id(), "consents": CONSENTS}
            with suppress(httpx2.TransportError):  # the command API is what the case kills
                note = {"preferences": {"note": new_id()}}
                await http.patch(changes, json=note)
                await http.post("/v1/children", json=new)
            await asyncio.sleep(CHANGE_SECONDS)


def _bear_of(parent: str) -> str:
    return f"bear-of-{parent}"
