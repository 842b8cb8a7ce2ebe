"""What became of alerts is told by no event: it goes over from generation to generation."""

from datetime import datetime

from shared.mongo import Database, Document, aggregate
from shared.read_models.deliveries import DELIVERIES_COLLECTION
from shared.read_models.generations import Generation
from shared.read_models.models import Model


async def carry_deliveries(database: Database, live: Generation, to: Generation) -> None:
    """Note in `to` every delivery that is noted in `live`; those of `to` itself stay. Of the alerts
    in `to`, only those that `live` does not have stay marked as `rebuilt`.

    Workers note new deliveries in both, so doing this once, after all alerts are there, is enough.
    """
    both = {"$mergeObjects": ["$$new.delivered", "$delivered"]}
    as_live = {"delivered": both, "rebuilt": {"$ifNull": ["$$new.rebuilt", "$$REMOVE"]}}
    pipeline: list[Document] = [
        {"$project": {"delivered": 1, "rebuilt": 1}},
        {
            "$merge": {
                "into": to.collection_name(Model.ALERTS),
                "on": "_id",
                "whenMatched": [{"$set": as_live}],
                "whenNotMatched": "discard",
            }
        },
    ]
    async for _ in aggregate(live.collection(database, Model.ALERTS), pipeline):
        raise AssertionError("$merge yields no documents")


async def carry_undelivered(
    database: Database, live: Generation, to: Generation, since: datetime
) -> None:
    """Mark in `to` the alerts raised in `live` since then that have no deliveries, as a release
    before deliveries left them: a worker makes those once `to` is live."""
    theirs = {"from": DELIVERIES_COLLECTION, "localField": "_id", "foreignField": "alert_id"}
    pipeline: list[Document] = [
        {"$match": {"raised_at": {"$gt": since}, "rebuilt": {"$ne": True}}},
        {"$lookup": {**theirs, "as": "deliveries"}},
        {"$match": {"deliveries": []}},
        {"$project": {"awaits_live": {"$literal": True}}},
        {
            "$merge": {
                "into": to.collection_name(Model.ALERTS),
                "on": "_id",
                "whenMatched": "merge",
                "whenNotMatched": "discard",
            }
        },
    ]
    async for _ in aggregate(live.collection(database, Model.ALERTS), pipeline):
        raise AssertionError("$merge yields no documents")
