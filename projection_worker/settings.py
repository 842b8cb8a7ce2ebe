"""Settings of the projection worker."""

import base64
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from shared.events.child import AlertChannel
from shared.http.settings import is_url
from shared.settings import (
    LOOPBACK,
    AlertChannelSettings,
    KafkaSettings,
    KeyringSettings,
    ReadModelSettings,
    ReadStoreSettings,
    WriteStoreSettings,
)


class WebhookSettings(AlertChannelSettings):
    """The receiver of the webhook channel."""

    alert_webhook_url: str | None = Field(
        None,
        description="https URL to which alerts are posted. Required for the channel `webhook`.",
    )
    alert_webhook_secret: SecretStr | None = Field(
        None,
        description="Secret that signs alerts under the Standard Webhooks specification: `whsec_` "
        "and base64 of 24 to 64 bytes. Required for the channel `webhook`.",
    )
    alert_webhook_old_secret: SecretStr | None = Field(
        None,
        description="Previous secret; alerts are also signed with it while receivers "
        "change to the new one.",
    )
    alert_webhook_private: bool = Field(
        False,
        description="Allow a webhook at addresses that are not on the public internet "
        "(loopback, private, link-local), also over http.",
    )

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The newest first."""
        both = (self.alert_webhook_secret, self.alert_webhook_old_secret)
        return tuple(one.get_secret_value() for one in both if one is not None)

    @field_validator("alert_webhook_secret", "alert_webhook_old_secret")
    @classmethod
    def _is_a_webhook_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not 24 <= _webhook_secret_bytes(secret) <= 64:
            raise ValueError("must be whsec_ and base64 of 24 to 64 bytes")
        return secret

    @model_validator(mode="after")
    def _webhook_is_usable(self) -> Self:
        if AlertChannel.WEBHOOK not in self.configured_channels:
            if self.alert_webhook_url is not None:
                raise ValueError("TEDDY_ALERT_WEBHOOK_URL needs webhook in TEDDY_ALERT_CHANNELS")
            return self
        if self.alert_webhook_url is None or self.alert_webhook_secret is None:
            needed = "TEDDY_ALERT_WEBHOOK_URL and TEDDY_ALERT_WEBHOOK_SECRET"
            raise ValueError(f"TEDDY_ALERT_CHANNELS: webhook needs {needed}")
        schemes = ("https", "http") if self.alert_webhook_private else ("https",)
        if not is_url(self.alert_webhook_url, schemes):
            said = "https, or http with TEDDY_ALERT_WEBHOOK_PRIVATE; without user and password"
            raise ValueError(f"TEDDY_ALERT_WEBHOOK_URL: must be a URL of {said}")
        return self


def _webhook_secret_bytes(secret: SecretStr) -> int:
    prefix, _, encoded = secret.get_secret_value().partition("_")
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except ValueError:
        return 0
    return len(decoded) if prefix == "whsec" else 0


class EmailSettings(AlertChannelSettings):
    """The server of the e-mail channel, and whose address is what."""

    alert_smtp_host: str | None = Field(
        None, description="SMTP server. Required for the channel `email`."
    )
    alert_smtp_port: int = Field(587, ge=1, le=65535, description="Port of the SMTP server.")
    alert_smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="Protection of the SMTP connection; `none` only in a trusted network and "
        "without a password.",
    )
    alert_smtp_ca_file: Path | None = Field(
        None, description="CA certificate of the SMTP server (PEM). Unset: the system's."
    )
    alert_smtp_user: str | None = Field(None, description="SMTP user, if the server requires one.")
    alert_smtp_password: SecretStr | None = Field(None, description="SMTP password.")
    alert_email_sender: str | None = Field(
        None, description="`From` of the e-mails. Required for the channel `email`."
    )
    alert_email_address: str | None = Field(
        None,
        description="Template of parents' addresses, as `{parent_id}@parents.example`; set "
        "this or the file.",
    )
    alert_email_addresses_file: Path | None = Field(
        None,
        description='JSON file of parents\' addresses, `{"parent id": "address"}`; read '
        "again when it changes.",
    )
    alert_email_details: bool = Field(
        False,
        description="Include severity, type and time in e-mails; otherwise they only "
        "ask to open the app.",
    )

    @model_validator(mode="after")
    def _email_is_usable(self) -> Self:
        if AlertChannel.EMAIL not in self.configured_channels:
            return self
        if self.alert_smtp_host is None or self.alert_email_sender is None:
            needed = "TEDDY_ALERT_SMTP_HOST and TEDDY_ALERT_EMAIL_SENDER"
            raise ValueError(f"TEDDY_ALERT_CHANNELS: email needs {needed}")
        if (self.alert_email_address is None) == (self.alert_email_addresses_file is None):
            one = "TEDDY_ALERT_EMAIL_ADDRESS or TEDDY_ALERT_EMAIL_ADDRESSES_FILE, one of the two"
            raise ValueError(f"TEDDY_ALERT_CHANNELS: email needs {one}")
        if "@" not in self.alert_email_sender:
            raise ValueError("TEDDY_ALERT_EMAIL_SENDER: must be an address")
        if self.alert_email_address and "{parent_id}" not in self.alert_email_address:
            raise ValueError("TEDDY_ALERT_EMAIL_ADDRESS: must contain {parent_id}")
        if self.alert_smtp_password is not None and self.alert_smtp_security == "none":
            raise ValueError("TEDDY_ALERT_SMTP_SECURITY: a password needs starttls or tls")
        return self


class AlertSettings(WebhookSettings, EmailSettings):
    """All channels of alerts."""


class WorkerSettings(
    WriteStoreSettings,
    ReadStoreSettings,
    KeyringSettings,
    KafkaSettings,
    AlertSettings,
    ReadModelSettings,
):
    """The projection worker. It reads the event store only to refill gaps."""

    worker_host: str = Field(LOOPBACK, description="Address of the worker's health endpoint.")
    worker_port: int = Field(8003, ge=0, le=65535, description="Port of the worker's endpoint.")
    worker_group: str = Field("teddy-projector", description="Consumer group of the projector.")
    worker_instance_id: str | None = Field(
        None,
        description="Fixed, unique name of this worker (Kafka static membership): after a "
        "restart it gets its partitions back at once. Unset: they are reassigned "
        "after the session timeout.",
    )
    worker_batch: int = Field(
        2_000, ge=1, description="Maximum number of events in one transaction."
    )
    worker_session_timeout_seconds: float = Field(
        10.0,
        gt=0,
        description="Kafka session timeout; after it a silent worker's partitions are reassigned.",
    )
    worker_stall_seconds: float = Field(
        60.0, gt=0, description="A worker that lags without progress for this long exits."
    )
