"""At most one rebuild at a time: a lease, renewed while the work goes on."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from shared.clock import new_id
from shared.lease import Lease
from shared.mongo import Database

Result = TypeVar("Result")

LEASE = "rebuild"
LEASE_SECONDS = 10.0
RENEW_SECONDS = 1.0


class AnotherRebuild(Exception):
    """A rebuild is at work; this one did nothing."""


async def lead(
    database: Database,
    work: Callable[[], Coroutine[Any, Any, Result]],
    wait_seconds: float = 0.0,
) -> Result:
    """Do `work` while nobody else leads a rebuild; `wait_seconds`: how long the lease of one that
    was killed may take to run out. Raises AnotherRebuild, LeaseLost or what `work` raises."""
    lease = Lease(database, LEASE, new_id(), LEASE_SECONDS)
    deadline = time.monotonic() + wait_seconds
    while not await lease.acquire():
        if time.monotonic() > deadline:
            raise AnotherRebuild("another rebuild is at work; see `teddy replay status`")
        await asyncio.sleep(lease.retry_seconds / 4)
    try:
        return await _while_renewing(lease, work())
    finally:
        await lease.release()


async def _while_renewing(lease: Lease, work: Coroutine[Any, Any, Result]) -> Result:
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
