"""The Faust app, and its Kafka transport for a broker without long polling.

aiokafka fetches ahead all the time and relies on the broker to hold an empty fetch open. A broker
that answers at once, as the light one of the local stack does, is then asked thousands of times a
second: an idle worker costs most of a core. Here partitions are paused between Faust's own fetches.
"""

import asyncio
from typing import Any

import aiokafka
import faust
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver

from projection_worker.consuming.kafka_clients import METADATA_MS
from projection_worker.settings import WorkerSettings
from shared.kafka import KafkaServers

APP_ID = "teddy-worker"


def faust_app(settings: WorkerSettings, scratch: str) -> faust.App:
    """`scratch`: the folder that Faust wants; nothing of this worker's state is kept in it."""
    app = faust.App(
        APP_ID,
        broker=f"kafka://{settings.kafka_bootstrap.replace(',', ';kafka://')}",
        broker_credentials=credentials_of(settings.kafka),
        value_serializer="raw",
        store="memory://",
        datadir=scratch,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        table_standby_replicas=0,
        worker_redirect_stdouts=False,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.worker_instance_id or "",
        broker_session_timeout=settings.worker_session_timeout_seconds,
        broker_heartbeat_interval=settings.worker_session_timeout_seconds / 3,
        consumer_metadata_max_age_ms=METADATA_MS,
        producer_metadata_max_age_ms=METADATA_MS,
    )
    if not settings.kafka_long_polling:
        pace(app)
    return app


def credentials_of(kafka: KafkaServers) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """How Faust is let in: as every other client."""
    if kafka.security.startswith("SASL"):
        return faust.SASLCredentials(
            username=kafka.user,
            password=kafka.password,
            ssl_context=kafka.tls(),
            mechanism=kafka.mechanism,
        )
    context = kafka.tls()
    return None if context is None else faust.SSLCredentials(context)


FETCH_SECONDS = 0.005
PAUSE_SECONDS = 0.05
"""Between two fetches that found nothing."""


class PacedConsumerThread(driver.AIOKafkaConsumerThread):
    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[Any],
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the signature is Faust's
        max_records: int | None = None,
    ) -> Any:
        assigned = consumer.assignment()
        consumer.resume(*assigned)
        try:
            records = await super()._fetch_records(
                consumer, active_partitions, FETCH_SECONDS, max_records
            )
        finally:
            try:
                consumer.pause(*(assigned & consumer.assignment()))
            except IllegalStateError:
                assigned = set()  # they were given away meanwhile
        if not records:
            await asyncio.sleep(PAUSE_SECONDS)
        return records


class PacedConsumer(driver.Consumer):
    def _new_consumer_thread(self) -> PacedConsumerThread:
        return PacedConsumerThread(self, loop=self.loop, beacon=self.beacon)


class PacedTransport(driver.Transport):
    Consumer = PacedConsumer


def pace(app: faust.App) -> None:
    app.transport = PacedTransport(app.conf.broker_consumer, app)
