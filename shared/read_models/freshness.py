"""Up to when everything that was stored is in the read models: noted by the workers, told by the
queries.

It is taken from samples of the newest commits and lies a second or two in the past while all is
well; read models that stand still keep the time at which they stopped. By the clock of the server
of the read models, so that no worker's clock counts.
"""

from datetime import datetime
from typing import cast

from shared.mongo import Database

COLLECTION = "projected_through"
LIVE = "live"
"""One for all generations: what was seen in the live one is in each that follows it."""


async def note_projected(database: Database, seconds_ago: float) -> None:
    """All that was stored `seconds_ago` is projected. It never goes back."""
    amount = max(0, round(seconds_ago * 1_000))
    then = {"$dateSubtract": {"startDate": "$$NOW", "unit": "millisecond", "amount": amount}}
    newest = {"$set": {"at": {"$max": ["$at", then]}}}
    await database[COLLECTION].update_one({"_id": LIVE}, [newest], upsert=True)


async def projected_through(database: Database) -> datetime | None:
    """None until a worker has noted it."""
    found = await database[COLLECTION].find_one({"_id": LIVE})
    return None if found is None else cast(datetime, found["at"])
