"""Puts the channels that the operator configured together: each behind a lane of its own."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import faust
import httpx2

from projection_worker.consuming.kafka_clients import NoticePublisher
from projection_worker.notifications.channels import Channel, PublishedAgain, ReportsOutOfDate
from projection_worker.notifications.delivery_store import DeliveryStore
from projection_worker.notifications.lane import ATTEMPT_SECONDS, Lane
from projection_worker.notifications.metrics import NotificationMetrics
from projection_worker.notifications.service import (
    AlertIntake,
    NotificationService,
    register_alerts,
)
from projection_worker.notifications.smtp import (
    AddressBook,
    EmailChannel,
    FileAddresses,
    SmtpServer,
    TemplateAddresses,
)
from projection_worker.notifications.webhook import WebhookChannel, webhook_client
from projection_worker.settings import WorkerSettings
from shared.clock import utc_now
from shared.events.child import AlertChannel
from shared.mongo import Database, Mongo


@asynccontextmanager
async def notifications(
    app: faust.App, settings: WorkerSettings, read: Mongo, database: Database
) -> AsyncIterator[NotificationService]:
    """The service that `app` runs beside its agent on alerts. Connections to receivers end behind
    the body."""
    store = DeliveryStore(read, database, utc_now)
    publisher, metrics = NoticePublisher(settings.kafka), NotificationMetrics()
    settled = ReportsOutOfDate(database, publisher).settled
    async with webhook_client(ATTEMPT_SECONDS) as client:
        channels: dict[AlertChannel, Channel] = {AlertChannel.IN_APP: PublishedAgain(publisher)}
        if AlertChannel.WEBHOOK in settings.configured_channels:
            channels[AlertChannel.WEBHOOK] = webhook_channel(settings, client)
        if AlertChannel.EMAIL in settings.configured_channels:
            channels[AlertChannel.EMAIL] = email_channel(settings)
        lanes: dict[str, Lane] = {
            name: Lane(name, channel, store, settled, metrics) for name, channel in channels.items()
        }
        service = NotificationService(tuple(lanes.values()), store, database, publisher, metrics)
        app.add_dependency(service)
        register_alerts(app, AlertIntake(store, lanes, settled), metrics)
        yield service


def webhook_channel(settings: WorkerSettings, client: httpx2.AsyncClient) -> WebhookChannel:
    assert settings.alert_webhook_url is not None  # its settings were checked together
    return WebhookChannel(
        client,
        settings.alert_webhook_url,
        settings.webhook_secrets,
        utc_now,
        private=settings.alert_webhook_private,
    )


def email_channel(settings: WorkerSettings) -> EmailChannel:
    assert settings.alert_smtp_host is not None  # its settings were checked together
    assert settings.alert_email_sender is not None
    password = settings.alert_smtp_password
    server = SmtpServer(
        settings.alert_smtp_host,
        settings.alert_smtp_port,
        settings.alert_smtp_security,
        settings.alert_smtp_user,
        password.get_secret_value() if password else None,
        partial(ssl.create_default_context, cafile=settings.alert_smtp_ca_file),
    )
    return EmailChannel(
        server,
        settings.alert_email_sender,
        _addresses(settings),
        utc_now,
        details=settings.alert_email_details,
    )


def _addresses(settings: WorkerSettings) -> AddressBook:
    if settings.alert_email_addresses_file is not None:
        return FileAddresses(settings.alert_email_addresses_file)
    assert settings.alert_email_address is not None  # one of the two is given
    return TemplateAddresses(settings.alert_email_address)
