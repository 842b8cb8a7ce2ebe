"""Which workers run, beside the generations of the read models: `{_id: <name>, projections: 2,
seen_at: ...}` in `projection_workers`, by the server's clock."""

from collections.abc import Mapping

from shared.mongo import Collection, Database

COLLECTION = "projection_workers"
SEEN_SECONDS = 10


class Heartbeats:
    """Workers answer every second; one that was silent for `SEEN_SECONDS` does not count."""

    def __init__(self, database: Database) -> None:
        self._workers: Collection = database[COLLECTION]

    async def beat(self, worker: str, projections: int) -> None:
        """`worker` runs. Also forgets those that have been silent for an hour."""
        seen = {"projections": projections, "seen_at": "$$NOW"}
        await self._workers.update_one({"_id": worker}, [{"$set": seen}], upsert=True)
        await self._workers.delete_many({"$expr": _silent_for(3_600)})

    async def present(self, projections: int) -> list[str]:
        """Those that run with this version of the projections."""
        found = await self.all_present()
        return [name for name, version in found.items() if version == projections]

    async def all_present(self) -> Mapping[str, int]:
        """The version of the projections of each that runs, by its name."""
        wanted = {"$expr": {"$not": [_silent_for(SEEN_SECONDS)]}}
        found = await self._workers.find(wanted).to_list(None)
        return {worker["_id"]: worker["projections"] for worker in found}


def _silent_for(seconds: int) -> dict[str, list[object]]:
    earliest = {"$dateSubtract": {"startDate": "$$NOW", "unit": "second", "amount": seconds}}
    return {"$lt": ["$seen_at", earliest]}
