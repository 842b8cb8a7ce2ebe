"""What the release of projections 6 left behind, carried over by a rebuild."""

from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from bson import json_util

from projection_worker.projections import registry
from projection_worker.records import Delivered
from projection_worker.replay.rebuild.ledger import Source
from projection_worker.replay.rebuild.rebuild import RebuildRefused
from projection_worker.replay.verify.verifier import verifier_of
from projection_worker.session import open_stores
from projection_worker.settings import WorkerSettings
from shared.read_models import heartbeats
from shared.read_models.deliveries import deliveries
from shared.read_models.documents import Model
from shared.read_models.generations import read_catalog
from shared.read_models.heartbeats import Heartbeats
from tests.integration.projection.test_rebuild import FIRST, SECOND, World, world_settings
from tests.support.projection_facts import MIA
from tests.support.projection_side import delivered_of

RECORDED = Path(__file__).parents[2] / "golden/read_models/projections_6.json"
FORMER: dict[str, Any] = json_util.loads(
    RECORDED.read_text(encoding="utf-8"),
    json_options=json_util.CANONICAL_JSON_OPTIONS.with_options(tz_aware=True, tzinfo=UTC),
)
"""All databases as that release left them: children with conversations, violations, alerts that
somebody was and was not told of, and one who was erased; and the keys under which it is sealed."""

FORMER_PROJECTIONS = 6
ROUNDED = 0.05
"""How far the minutes of a conversation were from what they were, at most."""


@pytest_asyncio.fixture
async def left_behind(
    mongo_url: str,
    kafka_bootstrap: str,
    fresh_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[World]:
    settings = world_settings(tmp_path, mongo_url, fresh_database, kafka_bootstrap)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "keys.json").write_bytes(orjson.dumps(FORMER["key_file"]))
    async with open_stores(WorkerSettings()) as on:
        for name, documents in FORMER["database"].items():
            await on.database[name].insert_many(documents)
        # who answers once, while workers answer every second
        monkeypatch.setattr(heartbeats, "SEEN_SECONDS", 600)
        await Heartbeats(on.database).beat("a-worker-of-this-release", registry.VERSION)
        yield World(on)
        await on.store.close()


async def test_a_rebuild_carries_everything_over(left_behind: World) -> None:
    world = left_behind
    assert (await verifier_of(world.on, FIRST).verify()).found > 0
    # when
    await world.rebuilt()
    # then
    catalog = await read_catalog(world.on.database)
    kept = [(one.generation, one.projections) for one in catalog.kept]
    assert (catalog.live, kept) == (
        SECOND,
        [(FIRST, FORMER_PROJECTIONS), (SECOND, registry.VERSION)],
    )
    verification = await verifier_of(world.on, SECOND).verify()
    assert verification.clean, verification.differences
    assert verification.documents[Model.VIOLATIONS] > 0
    await _assert_same(world, Model.CHILDREN, rounded=("total_minutes",))
    await _assert_same(world, Model.CONVERSATIONS, rounded=("duration_minutes", "engagement_score"))
    await _assert_same(world, Model.ACTIVITY, rounded=("minutes",))
    await _assert_same(world, Model.ALERTS)


async def test_listed_violations_become_documents_as_they_are(left_behind: World) -> None:
    await left_behind.rebuilt()

    now = {one["_id"]: one for one in await left_behind.of_live(Model.VIOLATIONS)}
    expected: dict[str, Any] = {}
    reports = 0
    for child_id, safety in former("safety").items():
        for each in safety["violations"]:
            reports += 1
            key = f"{child_id}/{each['id']}"
            expected.setdefault(key, {"_id": key, "child_id": child_id, **each})
    assert now == expected
    assert reports > len(expected) > 5  # one was reported twice


async def test_the_safety_document_keeps_its_counters_and_counts_what_was_told_late(
    left_behind: World,
) -> None:
    await left_behind.rebuilt()

    safety = {one["_id"]: one for one in await left_behind.of_live(Model.SAFETY)}
    for child_id, one in former("safety").items():
        late = [v for v in one["violations"] if v["severity"] in {"high", "critical"}]
        expected = {name: value for name, value in one.items() if name != "violations"}
        expected["told_late"] = sum(1 for v in late if v["alerted"] != "threshold")
        assert safety[child_id] == expected
    assert safety["leo"]["told_late"] == 1


async def test_who_was_told_is_told_nothing_again(left_behind: World) -> None:
    world = left_behind
    before = await deliveries(world.on.database).find({}).sort("_id", 1).to_list(None)
    noted = {one["alert_id"] for one in before if one["state"] == "delivered"}
    assert noted
    await world.rebuilt()
    # when the whole topic comes again
    projected = await world.workers.project(await _everything(world))
    # then
    assert not noted & {alert["_id"] for alert in projected.alerts}
    after = await deliveries(world.on.database).find({}).sort("_id", 1).to_list(None)
    assert after == before
    delivered = {one["_id"]: one["delivered"] for one in await world.of_live(Model.ALERTS)}
    assert {key for key, channels in delivered.items() if channels} == noted
    assert delivered == {key: one["delivered"] for key, one in former("alerts").items()}


async def test_of_the_erased_a_tombstone_is_left(left_behind: World) -> None:
    await left_behind.rebuilt()

    children = {one["_id"]: one for one in await left_behind.of_live(Model.CHILDREN)}
    assert (children["emma"]["status"], children["emma"]["name"]) == ("erased", None)
    for model in (Model.CONVERSATIONS, Model.VIOLATIONS, Model.ACTIVITY, Model.ALERTS):
        owners = {one["child_id"] for one in await left_behind.of_live(model)}
        assert owners == {MIA, "leo"}, model


async def test_an_open_conversation_goes_on(left_behind: World) -> None:
    await left_behind.rebuilt()

    talks = {one["conversation_id"]: one for one in await left_behind.of_live(Model.CONVERSATIONS)}
    assert talks["open"]["ended_at"] is None
    assert (talks["open"]["message_count"], talks["open"]["duration_minutes"]) == (1, 0.0)


async def test_short_conversations_count_as_their_minutes(left_behind: World) -> None:
    await left_behind.rebuilt()

    (mia,) = [one for one in await left_behind.of_live(Model.CHILDREN) if one["_id"] == MIA]
    assert mia["total_minutes"] == pytest.approx(12.55 + 6 * 2.9 / 60)


async def test_models_of_other_projections_cannot_be_carried_over(left_behind: World) -> None:
    with pytest.raises(RebuildRefused, match="generation 1 is of projections 6"):
        await left_behind.rebuild().begin(frozenset({Model.SAFETY}), Source.STORE)

    assert (await read_catalog(left_behind.on.database)).unfinished is None


def former(model: str) -> dict[str, Any]:
    """The documents of the live generation, by id."""
    return {one["_id"]: one for one in FORMER["database"][f"{model}__g1"]}


async def _assert_same(world: World, model: Model, rounded: tuple[str, ...] = ()) -> None:
    before, now = former(model), {one["_id"]: one for one in await world.of_live(model)}
    assert before.keys() == now.keys()
    for key, one in before.items():
        exact = {name: value for name, value in one.items() if name not in rounded}
        assert {name: value for name, value in now[key].items() if name not in rounded} == exact
        for name in rounded:
            conversations = one.get("conversation_count", one.get("conversations", 2))
            assert now[key][name] == pytest.approx(one[name], abs=2 * ROUNDED * conversations)


async def _everything(world: World) -> list[Delivered]:
    """All events, as the topic holds them."""
    commits = [commit async for commit in world.on.store.scan(None)]
    events = [event for commit in commits for event in commit.recorded_events()]
    return [delivered_of(event, offset) for offset, event in enumerate(events)]
