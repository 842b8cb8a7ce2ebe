"""Cancellations that nobody asked for.

aiokafka lets the ends of its own tasks through to whoever waits for them, as when a connection is
closed or a topic goes. Whoever takes that for the end of their own task ends without a word.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import KafkaConnectionError


@contextmanager
def only_own_cancellation() -> Iterator[None]:
    """Raises KafkaConnectionError for a CancelledError that was not meant for this task."""
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling() > 0:
            raise
        raise KafkaConnectionError("cancelled inside the client") from error
