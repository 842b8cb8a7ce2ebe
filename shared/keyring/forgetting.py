"""The keys of the erased leave the memory of every process, whoever erased them."""

import asyncio
from datetime import timedelta

import structlog

from shared.clock import Clock
from shared.event_store.port import StoreUnavailable
from shared.keyring.erased_list import ErasedList
from shared.keyring.keyring import Keyring

LOOK_SECONDS = 30.0
OVERLAP = timedelta(minutes=5)
"""How far the clocks of two processes may be apart, and how long an erasure may take to be on the
list."""

log = structlog.get_logger(__name__)


async def forget_the_erased(keyring: Keyring, erased: ErasedList, clock: Clock) -> None:
    """Look at the list again and again, until cancelled."""
    since = clock() - OVERLAP
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        seen = clock()
        try:
            keyring.refuse(await erased.since(since))
        except StoreUnavailable as error:
            log.warning("erased_list_unknown", reason=str(error))
        else:
            since = seen - OVERLAP
