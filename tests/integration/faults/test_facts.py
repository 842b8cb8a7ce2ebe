"""What the fault harness loads from real servers shows what is wrong there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from projection_worker.dead_letters.store import DeadLetters
from projection_worker.projecting.decoding import EventSource
from projection_worker.projecting.projector import Projector
from projection_worker.projecting.read_model_store import ReadModelStore
from projection_worker.session import Stores, open_stores
from projection_worker.settings import WorkerSettings
from shared.clock import utc_now
from shared.read_models.deliveries import DeliveryState, deliveries
from shared.read_models.documents import Model
from shared.read_models.generations import Generation
from tests.faults.checker import Facts, check
from tests.faults.facts import load_facts
from tests.support.commits import an_offer
from tests.support.projection_side import delivered_of
from tests.support.worker_process import World, worker_world

CANARY = "kanari load-parent-0123abcd"
GENERATION = Generation(1)


@pytest_asyncio.fixture
async def world(
    mongo_url: str, kafka_bootstrap: str, fresh_database: str, tmp_path: Path
) -> AsyncIterator[World]:
    async with worker_world(mongo_url, kafka_bootstrap, fresh_database, tmp_path) as world:
        yield world


@pytest_asyncio.fixture
async def on(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stores]:
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    async with open_stores(WorkerSettings()) as on:
        yield on


@pytest_asyncio.fixture
async def child_id(world: World, on: Stores, tmp_path: Path) -> str:
    """A child with two events, which are projected and which a log mentions; its alert is told."""
    child_id = await world.happenings.a_registered_child(CANARY)
    await world.happenings.a_severe_violation(child_id)
    projector = Projector(
        ReadModelStore(on.read, on.database, GENERATION),
        EventSource(on.store, on.keyring, on.index),
        DeadLetters(on.database, utc_now, GENERATION),
    )
    commits = await on.store.load(child_id)
    events = [event for commit in commits for event in commit.recorded_events()]
    await projector.project([delivered_of(one, at) for at, one in enumerate(events)])
    await deliveries(on.database).update_many({}, {"$set": {"state": DeliveryState.DELIVERED}})
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "worker.log").write_text(f"projected {child_id}")
    return child_id


async def facts_of(on: Stores, folder: Path, settle_seconds: float = 0.0) -> Facts:
    return await load_facts(
        on, folder / "logs", [CANARY], topic_is_whole=True, settle_seconds=settle_seconds
    )


def kinds(facts: Facts) -> set[str]:
    return {one.kind for one in check([], facts)}


async def test_a_clean_run_is_clean_and_everything_was_looked_at(
    on: Stores, child_id: str, tmp_path: Path
) -> None:
    facts = await facts_of(on, tmp_path)

    assert kinds(facts) == set()
    assert [commit.last_version for commit in facts.commits[child_id]] == [1, 2]
    assert [place for place in facts.published or () if place[0] == child_id] == [
        (child_id, 1),
        (child_id, 2),
    ]
    found = {place for place, text in facts.texts.items() if child_id.encode() in text}
    assert "the topic teddy.child.events.v1" in found
    assert f"the collection {on.settings.read_database}.commits" in found
    assert "the log worker.log" in found


async def test_keys_of_commands_that_changed_nothing_are_loaded_apart(
    on: Stores, child_id: str, tmp_path: Path
) -> None:
    last = (await on.store.load(child_id))[-1].position
    kept = await on.store.append(an_offer(child_id, last, events=0, key="key-1"))

    facts = await facts_of(on, tmp_path)

    assert facts.unchanged == [kept]
    assert kinds(facts) == set()


async def test_an_event_that_was_applied_twice_is_found(
    on: Stores, world: World, child_id: str, tmp_path: Path
) -> None:
    children = GENERATION.collection(world.database, Model.CHILDREN)
    await children.update_one({"_id": child_id}, {"$inc": {"safety_violations_count": 1}})

    facts = await facts_of(on, tmp_path)

    assert "safety_violations_count: 1 expected, 2 found" in "".join(facts.read_model_differences)


async def test_a_version_that_the_read_models_lack_is_found(
    on: Stores, world: World, child_id: str, tmp_path: Path
) -> None:
    await world.happenings.a_severe_violation(child_id)

    facts = await facts_of(on, tmp_path)

    assert {"lag", "read-model"} <= kinds(facts)


async def test_a_commit_that_vanished_from_the_middle_is_found(
    on: Stores, world: World, child_id: str, tmp_path: Path
) -> None:
    await world.happenings.a_severe_violation(child_id)
    gone = await world.database["commits"].delete_one({"_id": {"$regex": f"^{child_id}@0*2$"}})

    facts = await facts_of(on, tmp_path)

    assert gone.deleted_count == 1
    assert "gap" in kinds(facts)


@pytest.mark.parametrize("state", [DeliveryState.PENDING, DeliveryState.FAILED])
async def test_an_alert_that_nobody_was_told_of_is_found(
    on: Stores, child_id: str, tmp_path: Path, state: DeliveryState
) -> None:
    await deliveries(on.database).update_one({}, {"$set": {"state": state}})

    facts = await facts_of(on, tmp_path)

    assert kinds(facts) == {"undelivered"}
    assert f"is {state} after 0 attempts" in facts.undelivered[0]


async def test_an_alert_that_nobody_is_to_deliver_is_found(
    on: Stores, child_id: str, tmp_path: Path
) -> None:
    await deliveries(on.database).delete_many({})

    facts = await facts_of(on, tmp_path)

    assert kinds(facts) == {"undelivered"}
    assert "nobody is to deliver it" in facts.undelivered[0]


async def test_a_child_that_is_still_dead_lettered_is_found(
    on: Stores, child_id: str, tmp_path: Path
) -> None:
    await DeadLetters(on.database, utc_now, GENERATION).mark({child_id: "odd"})

    facts = await facts_of(on, tmp_path)

    assert "dead-lettered" in kinds(facts)


async def test_a_personal_value_in_a_document_is_found(
    on: Stores, world: World, child_id: str, tmp_path: Path
) -> None:
    await world.database["notes"].insert_one({"deep": [{"inside": f"it is {CANARY}-7"}]})

    facts = await facts_of(on, tmp_path)

    (leak,) = [one for one in check([], facts) if one.kind == "leak"]
    assert "notes" in leak.detail
