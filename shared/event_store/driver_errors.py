"""The driver's failures in the store's words, and a bound on every wait for the server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pymongo.errors import PyMongoError

from shared.event_store.port import StoreUnavailable
from shared.time_limit import time_limit

TIMEOUT_SECONDS = 10.0


@asynccontextmanager
async def within(
    seconds: float, unavailable: type[StoreUnavailable] = StoreUnavailable
) -> AsyncIterator[None]:
    """Bound the block by `seconds`; running out of time and driver errors are `unavailable`.

    Not pymongo.timeout: that also stretches the search for a server, which ought to fail early.
    """
    try:
        async with time_limit(seconds):
            yield
    except PyMongoError as error:
        raise unavailable(f"MongoDB: {type(error).__name__}") from error
    except TimeoutError:
        raise unavailable(f"MongoDB: no answer within {seconds:g} s") from None
