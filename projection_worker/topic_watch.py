"""Whether the topics are as planned, asked now and then by a client of its own.

That a new client is answered tells a broker that is away from a worker whose own clients hang.
"""

import time

import structlog
from aiokafka.errors import KafkaError

from shared.cancellation import only_own_cancellation
from shared.kafka import Servers
from shared.time_limit import time_limit
from shared.topic_differences import topic_findings

EVERY_SECONDS = 10.0
ANSWER_SECONDS = 8.0

log = structlog.get_logger(__name__)


class TopicWatch:
    """`findings`: one line for each topic that is not as planned."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._answered_at: float | None = None
        self.findings: tuple[str, ...] = ()

    def answered_lately(self) -> bool:
        """Whether the broker answers others."""
        answered = self._answered_at
        return answered is not None and time.monotonic() - answered < 2.5 * EVERY_SECONDS

    async def look(self) -> None:
        """Whatever the broker does, this ends in time."""
        try:
            async with time_limit(ANSWER_SECONDS):
                with only_own_cancellation():
                    found = await topic_findings(self._servers)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("topics_unknown", error=type(error).__name__)
            return
        self._answered_at = time.monotonic()
        if found != self.findings:
            log.warning("topics_differ", findings=found)
        self.findings = found
