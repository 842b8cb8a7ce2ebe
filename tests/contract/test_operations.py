"""What the query API reads of those who keep the read models up to date, as they wrote it."""

from datetime import UTC, datetime

from projection_worker.dead_letters.store import DeadLetters
from query_service.read_store.operations import MOST_CHILDREN, read_operations
from shared.mongo import Mongo
from shared.read_models.deliveries import deliveries, delivery_of
from shared.read_models.generations import Generation, begin_catalog
from shared.read_models.heartbeats import Heartbeats
from shared.read_models.operation_states import COLLECTION, newest_operations
from tests.support.command_side import StoppedClock
from tests.support.read_model_builders import NOON, alert_document


async def test_what_workers_wrote_is_what_operators_read(mongo_url: str, fresh_database: str):
    # given
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    assert (await read_operations(database)).workers == {}
    live = (await begin_catalog(database, projections=7)).live
    await Heartbeats(database).beat("worker-1", 7)
    # when
    for at in range(MOST_CHILDREN + 1):
        clock = StoppedClock(datetime.fromtimestamp(1_000 + at, UTC))
        await DeadLetters(database, clock, live).mark({f"child-{at:02}": "broken"})
    await DeadLetters(database, lambda: NOON, Generation(9)).mark({"other": "broken"})
    alert = alert_document("a1", child_id="child-00", channels=["email"])
    await deliveries(database).insert_one(dict(delivery_of(alert, "email", NOON)))
    # then
    known = await read_operations(database)
    assert known.catalog.live == live
    assert known.workers == {"worker-1": 7}
    assert known.dead_lettered == MOST_CHILDREN + 1
    assert [one.child_id for one in known.children] == [f"child-{at:02}" for at in range(50)]
    assert known.children[0].reason == "broken"
    (waiting,) = known.deliveries.items()
    assert (waiting[0], waiting[1].count, waiting[1].oldest) == (("email", "pending"), 1, NOON)
    await mongo.close()


async def test_what_a_newer_release_calls_an_operation_hides_no_other(
    mongo_url: str, fresh_database: str
):
    # given
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    asked = {"requested_by": "admin-1", "requested_at": NOON}
    await database[COLLECTION].insert_many(
        [
            {"_id": "op-1", "kind": "rebuild", "state": "done", **asked},
            {"_id": "op-2", "kind": "compact-store", "state": "paused", "by_hand": True, **asked},
        ]
    )
    # when
    found = await newest_operations(database, 20)
    # then
    assert [(one.operation_id, one.kind, one.state) for one in found] == [
        ("op-1", "rebuild", "done"),
        ("op-2", "compact-store", "paused"),
    ]
    await mongo.close()
