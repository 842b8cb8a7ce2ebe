"""Children whose data does not open, among others: read models are made, compared and shown."""

import os

import orjson
import pytest

from projection_worker.projecting import decoding
from projection_worker.replay.__main__ import main
from shared.event_store.port import StoreUnavailable
from shared.events.child import Severity
from shared.read_models.documents import Model
from shared.read_models.generations import live_generation
from tests.integration.projection.test_rebuild import SECOND, World, another, world
from tests.support.commands import Said, called
from tests.support.projection_facts import MIA, registered, reported, sealed, updated

__all__ = ["world"]

OTHER = "emma"
OTHER_FILES = pytest.mark.parametrize(
    "change", [{"wrapped": bytes(60)}, {"kek_id": "kek-9"}], ids=["same id", "unknown id"]
)


async def replay(*arguments: str) -> Said:
    return await called(main, arguments, os.environ)


async def close_key(world: World, change: dict[str, object]) -> None:
    """Mia's data key is of another key file from now on."""
    keys = world.on.commits["child_keys"]  # of these tests, all lies in one database
    result = await keys.update_one({"_id": MIA}, {"$set": change})
    assert result.modified_count == 1
    world.side.keyring.forget(MIA)


@pytest.fixture
async def lived(world: World) -> World:
    await world.happened(registered(), reported(1, Severity.HIGH), another(OTHER))
    return world


@OTHER_FILES
async def test_a_verify_compares_all_children_and_names_the_one(
    lived: World, change: dict[str, object]
) -> None:
    # given
    await close_key(lived, change)

    # when
    said = await replay("verify")

    # then
    assert (said.code, said.err) == (1, "")
    assert f"child {MIA} cannot be decrypted: " in said.out
    assert "differences: 0, shown: 0, children that cannot be decrypted: 1" in said.out
    assert OTHER not in said.out


async def test_a_difference_of_a_child_that_does_not_open_is_found(lived: World) -> None:
    # given
    await close_key(lived, {"wrapped": bytes(60)})
    await lived.change(await live_generation(lived.on.database), Model.CHILDREN, total_messages=12)

    # when
    said = await replay("verify")

    # then
    assert said.code == 1
    assert f"children/{MIA} total_messages: events say 0, read model has 12" in said.out


@OTHER_FILES
@pytest.mark.parametrize("models", ["all", "safety"])
async def test_a_rebuild_makes_all_children_and_names_the_one(
    lived: World, change: dict[str, object], models: str
) -> None:
    # given
    await close_key(lived, change)

    # when
    said = await replay("rebuild", "--model", models)

    # then the new generation is live, with both children
    assert said.code == 0, said.err
    noted = [line for line in said.err.splitlines() if line.startswith("child ")]
    assert [line.partition(": ")[0] for line in noted] == [
        f"child {MIA} cannot be decrypted, it has no search tokens or labels"
    ]
    assert await live_generation(lived.on.database) == SECOND
    children = {one["_id"]: one for one in await lived.of_live(Model.CHILDREN)}
    assert children.keys() == {MIA, OTHER}
    assert children[MIA]["safety_violations_count"] == 1
    assert [one["_id"] for one in await lived.of_live(Model.SAFETY)] == [MIA]


@OTHER_FILES
async def test_a_history_is_shown_with_what_does_not_open_marked(
    lived: World, change: dict[str, object]
) -> None:
    # given
    await close_key(lived, change)

    # when
    said = await replay("show", "--child", MIA, "--reveal", "--format", "json")

    # then
    assert said.code == 0
    assert said.err.startswith("note: some values cannot be decrypted: ")
    assert len(said.err.splitlines()) == 1
    shown = orjson.loads(said.out)
    assert shown["history"][0]["data"]["name"] == "(does not open)"
    assert shown["read_models"]["children"][0]["safety_violations_count"] == 1


async def test_the_worker_projects_a_child_whose_key_does_not_open(lived: World) -> None:
    # given what happened to it, and to another one
    renamed = await lived.side.happened(updated(name=sealed("name"), age=7))
    tom = await lived.side.happened(another("tom"))
    await close_key(lived, {"wrapped": bytes(60)})

    # when
    projected = await lived.side.project([*renamed, *tom])

    # then nothing is dead-lettered, and all that can be read is in the read models
    assert (projected.dead_lettered, projected.applied) == ((), 2)
    assert (await lived.side.child(MIA))["safety_violations_count"] == 1


async def test_the_worker_waits_a_while_for_a_key_that_may_be_on_its_way(
    lived: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    batch = await lived.side.happened(updated(name=sealed("name")))
    await close_key(lived, {"kek_id": "kek-9"})
    with pytest.raises(StoreUnavailable, match="kek-9"):
        await lived.side.another_projector().project(batch)

    # when it has waited
    monkeypatch.setattr(decoding, "KEY_PATIENCE_SECONDS", 0.0)
    projected = await lived.side.another_projector().project(batch)

    # then
    assert (projected.dead_lettered, projected.applied) == ((), 1)
