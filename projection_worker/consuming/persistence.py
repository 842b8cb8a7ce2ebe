"""Work of the worker that is tried again while a server is away."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from aiokafka.errors import KafkaError
from mode import Service
from pymongo.errors import PyMongoError

from projection_worker.consuming.health import WorkerWatch
from projection_worker.projecting.generations import GenerationHeld, NothingToWrite
from projection_worker.projecting.read_model_store import StaleBatch
from shared.event_store.port import StoreUnavailable
from shared.tasks import only_own_cancellation

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

PASSING = (
    PyMongoError,
    KafkaError,
    StoreUnavailable,
    StaleBatch,
    GenerationHeld,
    NothingToWrite,
    OSError,
)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 5.0


class Persistence:
    """As long as `service` is not to stop; `watch` is told what is tried in vain."""

    def __init__(self, service: Service, watch: WorkerWatch) -> None:
        self._service = service
        self._watch = watch

    async def until_done(self, work: Callable[[], Awaitable[Result]]) -> Result | None:
        """What `work` gives once it succeeds; None: the service is to stop."""
        pause = FIRST_PAUSE_SECONDS
        failed = False
        while not self._service.should_stop:
            try:
                with only_own_cancellation():
                    result = await work()
            except PASSING as error:
                failed = True
                self._retries(error)
                await self._service.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                if failed:  # other work may still be tried in vain
                    self._watch.troubles.succeeded()
                return result
        return None

    def _retries(self, error: Exception) -> None:
        because = self._watch.troubles.failed(error)
        self._watch.metrics.retry(because)
        log.warning("batch_retried", because=because, seconds=self._watch.troubles.retrying_seconds)
