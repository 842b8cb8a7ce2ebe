"""Which workers are there, by the version of their projections."""

from shared.mongo import Collection, Database

COLLECTION = "projection_workers"
SEEN_SECONDS = 10


class RollCall:
    """Workers answer every second; one that was silent for `SEEN_SECONDS` does not count."""

    def __init__(self, database: Database) -> None:
        self._workers: Collection = database[COLLECTION]

    async def answer(self, worker: str, projections: int) -> None:
        """`worker` runs. Also forgets those that have been silent for an hour."""
        seen = {"projections": projections, "seen_at": "$$NOW"}
        await self._workers.update_one({"_id": worker}, [{"$set": seen}], upsert=True)
        await self._workers.delete_many({"$expr": _silent_for(3_600)})

    async def present(self, projections: int) -> list[str]:
        wanted = {"projections": projections, "$expr": {"$not": [_silent_for(SEEN_SECONDS)]}}
        return [worker["_id"] for worker in await self._workers.find(wanted).to_list(None)]


def _silent_for(seconds: int) -> dict[str, list[object]]:
    earliest = {"$dateSubtract": {"startDate": "$$NOW", "unit": "second", "amount": seconds}}
    return {"$lt": ["$seen_at", earliest]}
