"""Leadership: a lease in a database, measured by the server's clock."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from shared.mongo import Database

COLLECTION = "leases"
RENEW_SECONDS = 1.0

Result = TypeVar("Result")


class LeaseLost(Exception):
    """Another holder leads now, or the lease ran out: stop what it was needed for."""


class Lease:
    """At most one holder at a time. `fencing` grows with each acquisition.

    The server decides when a lease runs out (`$$NOW`); here only the time that passed since the
    last answer counts, so the machines' clocks need not agree.
    """

    def __init__(self, database: Database, name: str, holder: str, seconds: float) -> None:
        self._leases = database[COLLECTION]
        self._name = name
        self._holder = holder
        self._seconds = seconds
        self._held_until = 0.0
        self.fencing = 0

    @property
    def retry_seconds(self) -> float:
        """How long to wait before the next attempt to acquire."""
        return self._seconds / 5

    @property
    def remaining_seconds(self) -> float:
        return max(0.0, self._held_until - time.monotonic())

    async def acquire(self) -> bool:
        """Take the lease if nobody else holds it."""
        free = {"$or": [{"$lte": ["$expires_at", "$$NOW"]}, {"$eq": ["$holder", self._holder]}]}
        taken = {
            "holder": {"$cond": [free, self._holder, "$holder"]},
            "fencing": {"$cond": [free, {"$add": [{"$ifNull": ["$fencing", 0]}, 1]}, "$fencing"]},
            "expires_at": {"$cond": [free, self._expiry(), "$expires_at"]},
        }
        asked_at = time.monotonic()
        try:
            lease = await self._leases.find_one_and_update(
                {"_id": self._name},
                [{"$set": taken}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:  # somebody else made the document at the same moment
            return False
        if lease is None or lease["holder"] != self._holder:
            return False
        self.fencing = lease["fencing"]
        self._held_until = asked_at + self._seconds
        return True

    async def renew_if_due(self) -> None:
        """Extend the lease once a third of it has passed; raises LeaseLost when it is another's."""
        if self.remaining_seconds > self._seconds * 2 / 3:
            return
        asked_at = time.monotonic()
        renewed = await self._leases.update_one(
            {"_id": self._name, "fencing": self.fencing}, [{"$set": {"expires_at": self._expiry()}}]
        )
        if renewed.matched_count == 0:
            self._held_until = 0.0
            raise LeaseLost(f"fencing number {self.fencing} is out of date")
        self._held_until = asked_at + self._seconds

    async def release(self) -> None:
        """Let another holder take over at once."""
        self._held_until = 0.0
        await self._leases.update_one(
            {"_id": self._name, "fencing": self.fencing}, [{"$set": {"expires_at": "$$NOW"}}]
        )

    def _expiry(self) -> dict[str, Any]:
        milliseconds = round(self._seconds * 1_000)
        return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": milliseconds}}


async def while_held(lease: Lease, work: Coroutine[Any, Any, Result]) -> Result:
    """Do `work` and renew `lease` meanwhile; the work is cancelled when that fails. Raises
    LeaseLost, PyMongoError or what `work` raises."""
    working, renewing = asyncio.create_task(work), asyncio.create_task(_renew(lease))
    try:
        await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
        if renewing.done():
            renewing.result()
        return working.result()
    finally:
        for task in (working, renewing):
            task.cancel()
        await asyncio.gather(working, renewing, return_exceptions=True)


async def _renew(lease: Lease) -> None:
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        await lease.renew_if_due()
