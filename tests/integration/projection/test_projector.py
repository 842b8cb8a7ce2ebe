import asyncio
import random
from dataclasses import replace

import orjson
import pytest

from projection_worker.projecting.read_model_store import ReadModelStore, StaleBatch
from projection_worker.projecting.writes import FoldedChild
from projection_worker.records import RawRecord, deliver
from shared.events.child import ChildEvent, Severity
from shared.read_models.documents import Model
from shared.serialization.cloud_events import from_record, to_record
from shared.serialization.schema import SEALED
from tests.support.projection_facts import (
    MIA,
    TALK,
    deactivated,
    ended,
    erased,
    message,
    registered,
    reported,
    resolved,
    sealed,
    started,
    updated,
    view_of,
)
from tests.support.projection_side import GENERATION, ProjectionSide

OTHER = "0c9b7f6e-2222-4a7b-8a55-3f1f0a9d0002"
A_LIFE: list[ChildEvent] = [
    registered(),
    started(),
    message(learning_skills=("counting",)),
    reported(1, Severity.HIGH),
    reported(2),
    resolved(1, Severity.HIGH),
    updated(age=7),
    ended(),
    deactivated(),
]


def of_other(event: ChildEvent) -> ChildEvent:
    return replace(event, child_id=OTHER)


async def test_a_batch_becomes_documents_counters_notices_and_alerts(side: ProjectionSide) -> None:
    batch = await side.happened(*A_LIFE)

    projected = await side.project(batch)

    assert projected.applied == len(A_LIFE)
    assert [(n.child_id, n.parent_id, n.version) for n in projected.notices] == [
        (MIA, "parent-1", len(A_LIFE))
    ]
    assert [alert["rule"] for alert in projected.alerts] == ["threshold"]
    assert (await side.child(MIA))["version"] == len(A_LIFE)
    assert (await side.documents(Model.SYSTEM))["partition-0"]["counters"]["violations"] == 2
    assert (await side.verify()).clean


async def test_the_same_batch_again_changes_nothing_but_repeats_notices_and_alerts(
    side: ProjectionSide,
) -> None:
    batch = await side.happened(*A_LIFE)
    first = await side.project(batch)
    before = {model: await side.documents(model) for model in Model}

    again = await side.project(batch)

    assert again.applied == 0
    assert again.notices == first.notices
    assert [alert["_id"] for alert in again.alerts] == [alert["_id"] for alert in first.alerts]
    assert {model: await side.documents(model) for model in Model} == before


@pytest.mark.parametrize("seed", range(4))
async def test_any_split_duplication_and_loss_ends_in_the_same_documents(
    side: ProjectionSide, seed: int
) -> None:
    chance = random.Random(seed)
    lives = [event for pair in zip(A_LIFE, map(of_other, A_LIFE), strict=True) for event in pair]
    deliveries = await side.happened(*lives)
    kept = [d for d in deliveries if chance.random() > 0.2]
    last_of_each = deliveries[-2:]
    sequence = [d for d in (*kept, *last_of_each) for _ in range(chance.randint(1, 2))]

    while sequence:
        size = chance.randint(1, 5)
        await side.project(sequence[:size])
        sequence = sequence[size:]

    verification = await side.verify()
    assert verification.differences == []
    assert verification.children == 2


async def test_a_gap_is_refilled_from_the_event_store(side: ProjectionSide) -> None:
    first, *_lost, last = await side.happened(*A_LIFE)

    await side.project([first])
    projected = await side.project([last])

    assert projected.applied == len(A_LIFE) - 1
    assert (await side.verify()).clean


async def test_a_record_that_the_store_does_not_know_is_dead_lettered(side: ProjectionSide) -> None:
    first, second = await side.happened(registered(), updated(age=8))
    assert second.event is not None
    from_nowhere = replace(second, event=replace(second.event, version=9))

    projected = await side.project([first, from_nowhere])

    assert projected.applied == 2, "what the store does have was refilled"
    assert "GapInStream" in projected.dead_lettered[0].reason


async def test_a_poisoned_record_dead_letters_its_child_and_no_other(side: ProjectionSide) -> None:
    good = await side.happened(registered(), of_other(registered()))
    poisoned, after = await side.happened(updated(age=8), updated(age=9))
    fine = await side.happened(of_other(updated(age=10)))
    broken = deliver(replace(poisoned.raw, value=b"not json at all"))

    projected = await side.project([*good, broken, after, *fine])

    assert [dead_lettered.child_id for dead_lettered in projected.dead_lettered] == [MIA, MIA]
    assert "UndecodableEvent" in projected.dead_lettered[0].reason
    assert "earlier record" in projected.dead_lettered[1].reason
    assert (await side.child(MIA))["version"] == 1
    assert (await side.child(OTHER))["age"] == 10


async def test_later_batches_of_a_dead_lettered_child_are_dead_lettered_too(
    side: ProjectionSide,
) -> None:
    first, poisoned, after = await side.happened(registered(), updated(age=8), updated(age=9))
    await side.project([first, deliver(replace(poisoned.raw, headers=()))])

    projected = await side.project([after])

    assert projected.applied == 0
    letters = await side.database["dead_letters"].find({}).sort("offset", 1).to_list(None)
    assert [letter["offset"] for letter in letters] == [1, 2]
    assert letters[1]["value"] == after.raw.value
    assert letters[0]["child_id"] == MIA
    assert "ce_type" in letters[0]["reason"]


async def test_parking_a_record_twice_keeps_one_letter(side: ProjectionSide) -> None:
    first, poisoned = await side.happened(registered(), updated(age=8))
    broken = deliver(replace(poisoned.raw, value=b"{}"))

    await side.project([first, broken])
    await side.project([first, broken])

    assert await side.database["dead_letters"].count_documents({}) == 1


async def test_a_record_without_a_child_is_dead_lettered_alone(side: ProjectionSide) -> None:
    stray = deliver(RawRecord("topic", 0, 5, None, b"{}", ()))

    projected = await side.project([stray, *await side.happened(registered())])

    assert projected.applied == 1
    assert len(projected.dead_lettered) == 1
    assert await side.database["parked_children"].count_documents({}) == 0


async def test_a_key_that_is_not_the_subject_is_dead_lettered(side: ProjectionSide) -> None:
    (delivered,) = await side.happened(registered())
    moved = deliver(replace(delivered.raw, key=OTHER.encode()))

    projected = await side.project([moved])

    assert "ce_subject" in projected.dead_lettered[0].reason


async def test_a_ciphertext_of_another_child_is_not_believed(side: ProjectionSide) -> None:
    (mine,) = await side.happened(registered())
    (theirs,) = await side.happened(of_other(registered()))
    assert mine.raw.value is not None
    swapped = mine.raw.value.replace(MIA.encode(), OTHER.encode())
    forged = deliver(replace(theirs.raw, value=swapped))

    projected = await side.project([forged])

    # the event store has the last word
    assert (projected.dead_lettered, projected.applied) == ((), 1)
    (stored,) = await side.store.load(OTHER)
    name = orjson.loads(stored.events[0].data)["name"][SEALED]
    assert (await side.child(OTHER))["name"] == f"1.name.{name}"


async def test_what_does_not_open_and_the_event_store_does_not_have_is_dead_lettered(
    side: ProjectionSide,
) -> None:
    # given a record of the next version, with what was sealed for another
    await side.project(await side.happened(registered()))
    (real,) = await side.happened(updated(name=sealed("name")))
    assert real.raw.value is not None
    unknown = to_record(replace(from_record(real.raw.value, real.raw.headers), version=3))
    raw = replace(real.raw, value=unknown.value, headers=tuple(unknown.headers))
    forged = deliver(raw)

    projected = await side.project([real, forged])

    assert projected.applied == 1
    assert "SealBroken" in projected.dead_lettered[0].reason


async def test_a_zombies_late_write_is_discarded(side: ProjectionSide) -> None:
    await side.project(await side.happened(registered()))
    zombie_saw = await side.child(MIA)
    await side.project(await side.happened(updated(age=9)))
    view = view_of(registered(), updated(age=4))
    assert view.child is not None
    store = ReadModelStore(side.mongo, side.database, GENERATION)

    with pytest.raises(StaleBatch):
        await store.write(
            [FoldedChild(zombie_saw, view, "zombie")],  # type: ignore[arg-type]
            await store.cutoff(),
        )

    assert (await side.child(MIA))["age"] == 9
    assert "zombie" not in await side.documents(Model.SYSTEM)


async def test_what_remains_of_no_child_is_written_over(side: ProjectionSide) -> None:
    # given a conversation that an older copy of the database left behind
    (born, began) = await side.happened(registered(), started())
    remains = {"_id": f"{MIA}/{TALK}", "child_id": MIA, "message_count": 7}
    await GENERATION.collection(side.database, Model.CONVERSATIONS).insert_one(remains)
    # when
    await side.project([born, began])
    # then
    talk = (await side.documents(Model.CONVERSATIONS))[f"{MIA}/{TALK}"]
    assert talk["message_count"] == 0
    assert (await side.child(MIA))["version"] == 2


async def test_two_workers_on_the_same_records_apply_each_event_once(side: ProjectionSide) -> None:
    batch = await side.happened(*A_LIFE, *map(of_other, A_LIFE))
    other = side.another_projector()

    one, two = await asyncio.gather(side.project(batch), other.project(batch))

    assert one.applied + two.applied == 2 * len(A_LIFE)
    assert (await side.verify()).clean


async def test_replaying_everything_after_an_erasure_brings_nothing_back(
    side: ProjectionSide,
) -> None:
    batch = await side.happened(*A_LIFE, erased())
    await side.project(batch)

    await side.project(batch)

    assert await side.documents(Model.ALERTS) == {}
    assert (await side.child(MIA))["status"] == "erased"


async def test_an_alert_keeps_when_it_was_delivered(side: ProjectionSide) -> None:
    batch = await side.happened(registered(), reported(1, Severity.CRITICAL))
    (alert,) = (await side.project(batch)).alerts

    first = await side.delivered(alert["_id"])
    noted = (await side.documents(Model.ALERTS))[alert["_id"]]["delivered"]
    second = await side.delivered(alert["_id"])
    await side.project(batch)

    assert (first, second) == (True, False)
    stored = (await side.documents(Model.ALERTS))[alert["_id"]]
    assert stored["delivered"] == noted
    assert list(noted) == ["in_app"]


async def test_names_are_found_by_tokens_and_never_stand_in_plaintext(side: ProjectionSide) -> None:
    await side.project(await side.happened(registered()))

    child = await side.child(MIA)
    assert child["name_tokens"] == list(side.index.tokens_of("secret"))
    assert "secret" not in str(child)
