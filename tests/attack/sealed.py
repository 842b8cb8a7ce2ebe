"""Sealed values and data keys, moved by somebody who may write the databases."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from shared.clock import new_id
from shared.read_models.documents import Model
from shared.read_models.generations import live_generation
from tests.attack.row import Broken
from tests.attack.wire import request, send
from tests.attack.world import Document, World
from tests.support.consents import CONSENTS
from tests.support.waiting import STARTED, eventually

Attack = Callable[[World], Awaitable[str]]
Change = Callable[[Document, Document], Document]
"""From the wrapped key of a child and of another one to the fields that are set of the first."""


@asynccontextmanager
async def _written(world: World, child: str) -> AsyncIterator[tuple[Any, Document]]:
    """The live collection of profiles and the child's document there, put back behind."""
    async with _profiles(world) as documents:
        before = await documents.find_one({"_id": child})
        assert before is not None, f"the read models hold no {child}"
        try:
            yield documents, before
        finally:
            await documents.replace_one({"_id": before["_id"]}, before)
            await _forget_answers(world)


@asynccontextmanager
async def _profiles(world: World) -> AsyncIterator[Any]:
    """Of the generation that answers: rebuilds make new ones."""
    async with world.collection("read", "read_model_pointer") as pointer:
        live = await live_generation(pointer.database)
    async with world.collection("read", live.collection_name(Model.CHILDREN)) as documents:
        yield documents


async def _forget_answers(world: World) -> None:
    """What the cache holds was read before."""
    (await world.callers["admin"].queries.delete("/v1/cache")).raise_for_status()


async def _answers(world: World, child: str) -> str:
    """What the routes that open values of the read models say to its family and to an admin. An
    export brings the events, too, which hold every value in its own place."""
    await _forget_answers(world)
    family, reported = world.words["family"], []
    for who in ("family", "admin"):
        for path in (
            f"/v1/children/{child}",
            f"/v1/children?parent_id={family}",
            f"/v1/parents/{family}/children",
        ):
            reported.append(await _reported(world, who, path))
    return "\n".join(reported)


async def _reported(world: World, who: str, path: str) -> str:
    """On a connection of its own: what does not open is answered 500, and that one is closed."""
    line = f"Authorization: Bearer {world.bearer(who)}"
    answer = await send(world.address("query"), request("GET", path, [line]))
    return f"{answer.status} {answer.body.decode()}"


def moved(source: str, target: str) -> Attack:
    async def does(world: World) -> str:
        """A sealed value of the child, in another of its fields."""
        child, secret = world.words["child"], world.words[source]
        async with _written(world, child) as (documents, before):
            change = {target: before[source], source: None}
            await documents.update_one({"_id": before["_id"]}, {"$set": change})
            reported = await _answers(world, child)
        if secret in reported:
            raise Broken(f"the {source} is shown as the {target}")
        return "shown nowhere"

    return does


async def moved_to_another_child(world: World) -> str:
    child, other = world.words["child"], world.words["other"]
    async with _written(world, other) as (documents, before), _written(world, child) as (_, own):
        await documents.update_one({"_id": before["_id"]}, {"$set": {"name": own["name"]}})
        await _forget_answers(world)
        answers = [
            await _reported(world, "stranger", path)
            for path in (f"/v1/children/{other}", f"/v1/parents/{world.words['stranger']}/children")
        ]
    if any(world.words["name"] in answer for answer in answers):
        raise Broken("the stranger is shown the family's child's name")
    return f"{', '.join(answer[:3] for answer in answers)}, not the name"


async def unseen_child(world: World, name: str) -> str:
    """A child whose data key no query has asked for yet."""
    body = {"name": name, "age": 7, "udid": f"TEDDY-{new_id()}", "consents": CONSENTS}
    answer = await world.callers["family"].commands.post("/v1/children", json=body)
    answer.raise_for_status()
    child: str = answer.json()["child_id"]
    async with _profiles(world) as documents:
        await eventually(lambda: documents.find_one({"_id": child}), STARTED)
    return child


def data_key(change: Change) -> Attack:
    async def does(world: World) -> str:
        """The child's wrapped key was altered: nothing opens, and nobody else is harmed."""
        name = f"Sealed{new_id()[:8]}"
        child = await unseen_child(world, name)
        async with world.collection("keys", "child_keys") as keys:
            before = await keys.find_one({"_id": child})
            other = await keys.find_one({"_id": world.words["other"]})
            await keys.update_one({"_id": child}, {"$set": change(before, other)})
            try:
                reported = await _answers(world, child)
                theirs = await _reported(world, "family", f"/v1/children/{world.words['child']}")
            finally:
                await keys.replace_one({"_id": child}, before)
        if name not in await _answers(world, child):
            raise Broken("it does not open with its own key either: nothing was shown")
        if name in reported or world.words["name"] not in theirs:
            raise Broken("it opened, or others do not open any more")
        return "does not open, others do"

    return does
