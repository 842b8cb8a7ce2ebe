"""Every `TEDDY_*` setting, in one place: the same names in all four processes.

Each process asks for the group it needs (`CommandSettings()`, `RelaySettings()`, ...); a missing or
malformed variable stops it at start with one line that names it (`load_settings`).
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.events.child import AlertChannel
from shared.field_wording import wording_of
from shared.kafka import KafkaServers, Mechanism, Security
from shared.mongo import checked_url

LOOPBACK = "127.0.0.1"
SECRETS_DIR = "TEDDY_SECRETS_DIR"


class ObservabilitySettings(BaseSettings):
    """Logging, common to every process."""

    model_config = SettingsConfigDict(env_prefix="TEDDY_", extra="ignore", frozen=True)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Minimum log level."
    )
    log_format: Literal["json", "console"] = Field(
        "json", description="One JSON object per line, or text for people."
    )


class KafkaSecuritySettings(ObservabilitySettings):
    """How Kafka lets its clients in."""

    kafka_security: Security = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."
    )
    kafka_sasl_mechanism: Mechanism = Field(
        "SCRAM-SHA-512", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."
    )
    kafka_user: str | None = Field(None, description="SASL user.")
    kafka_password: SecretStr | None = Field(None, description="SASL password.")
    kafka_ca_file: Path | None = Field(
        None, description="CA certificate of the brokers (PEM), for SSL. Unset: the system's."
    )
    kafka_long_polling: bool = Field(
        True,
        description="Whether the brokers hold an empty fetch open, as Apache Kafka does. `false` "
        "for a broker that answers at once: consumers then fetch less often.",
    )

    def servers_at(self, bootstrap: str) -> KafkaServers:
        password = self.kafka_password.get_secret_value() if self.kafka_password else None
        return KafkaServers(
            bootstrap,
            self.kafka_security,
            self.kafka_sasl_mechanism,
            self.kafka_user,
            password,
            self.kafka_ca_file,
            self.kafka_long_polling,
        )

    @model_validator(mode="after")
    def _kafka_is_usable(self) -> Self:
        if self.kafka_security.startswith("SASL") and not (self.kafka_user and self.kafka_password):
            needed = "TEDDY_KAFKA_USER and TEDDY_KAFKA_PASSWORD"
            raise ValueError(f"TEDDY_KAFKA_SECURITY: {self.kafka_security} needs {needed}")
        try:
            self.servers_at("").tls()
        except OSError as error:
            raise ValueError(f"TEDDY_KAFKA_CA_FILE: {type(error).__name__}") from None
        return self


class KafkaSettings(KafkaSecuritySettings):
    """Where Kafka is."""

    kafka_bootstrap: str = Field(description="Kafka bootstrap servers, `host:port[,host:port]`.")

    @property
    def kafka(self) -> KafkaServers:
        return self.servers_at(self.kafka_bootstrap)


class TopicSettings(KafkaSecuritySettings):
    """How the topics are laid out by whoever creates them."""

    kafka_replication: int = Field(1, ge=1, le=7, description="Replicas of each topic partition.")


MONGO_DRIVER = (
    "Asynchronous MongoDB driver: Motor or PyMongo Async. Default of the command API: `pymongo`."
)


class MongoDriverSettings(ObservabilitySettings):
    """Which asynchronous MongoDB driver serves the stores."""

    mongo_driver: Literal["motor", "pymongo"] = Field("motor", description=MONGO_DRIVER)
    mongo_ca_file: Path | None = Field(
        None,
        description="CA certificate of the servers (PEM); all MongoDB connections then use TLS.",
    )

    @model_validator(mode="after")
    def _urls_are_usable(self) -> Self:
        """Completes every MongoDB URL of the group that this is a part of."""
        for name in type(self).model_fields:
            if name.endswith("_mongo_url"):
                try:
                    url = checked_url(getattr(self, name), self.mongo_ca_file)
                except ValueError as error:
                    raise ValueError(f"TEDDY_{name.upper()}: {error}") from None
                object.__setattr__(self, name, url)
        return self


class WriteStoreSettings(MongoDriverSettings):
    """The event store."""

    write_mongo_url: str = Field(description="MongoDB URL of the event store (a replica set).")
    write_database: str = Field("teddy_write", description="Database of the event store.")


class ReadStoreSettings(MongoDriverSettings):
    """The read models."""

    read_mongo_url: str = Field(description="MongoDB URL of the read models (a replica set).")
    read_database: str = Field("teddy_read", description="Database of the read models.")


class KeyStoreSettings(MongoDriverSettings):
    """Children's data keys as they are stored, and the list of erased children."""

    keys_mongo_url: str = Field(description="MongoDB URL of the database of wrapped data keys.")
    keys_database: str = Field("teddy_keys", description="Database of the wrapped data keys.")


class KeyFileSettings(ObservabilitySettings):
    """The file of keys."""

    key_file: Path = Field(
        description="JSON file of key-encryption and index keys (mode 0600); see `teddy keys init`."
    )


class KeyringSettings(KeyStoreSettings, KeyFileSettings):
    """Children's data keys, and the file with the keys that wrap them."""

    keyring_cache_size: int = Field(
        50_000, ge=1, description="Number of children whose unwrapped data key is cached in memory."
    )


class AlertChannelSettings(ObservabilitySettings):
    """By which channels the operator lets parents be notified."""

    alert_channels: str = Field(
        AlertChannel.IN_APP.value,
        description="Configured notification channels, `in_app[,webhook][,email]`. Set the "
        "same for the worker and for the command API, which refuses policies "
        "with another channel. `in_app` is always included.",
    )

    @field_validator("alert_channels")
    @classmethod
    def _known_channels(cls, names: str) -> str:
        known = {channel.value for channel in AlertChannel}
        if not set(_names(names)) <= known:
            raise ValueError(f"must be some of {', '.join(sorted(known))}, with commas between")
        return names

    @property
    def configured_channels(self) -> frozenset[AlertChannel]:
        return frozenset({AlertChannel.IN_APP, *map(AlertChannel, _names(self.alert_channels))})


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


class ReadModelSettings(ObservabilitySettings):
    """What belongs to a generation of the read models from its beginning on."""

    conversation_limit_minutes: int = Field(
        240,
        ge=1,
        le=1_440,
        description="Longest duration of a conversation; it counts as ended after that. Read "
        "models keep the value with which they were begun: a change takes effect "
        "with the next rebuild.",
    )


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load_settings(group: type[SettingsT], **given: Any) -> SettingsT:
    """Read `group`, or end the process with exit code 2 and one line. `given`: values of fields,
    whatever the environment says of them.

    A variable that the environment lacks may be a file of that name, in any case, in the folder
    that `TEDDY_SECRETS_DIR` names: so a password needs to stand in no environment.
    """
    folder = os.environ.get(SECRETS_DIR)
    if folder is not None and not Path(folder).is_dir():
        print(f"settings: {SECRETS_DIR}: is not a folder", file=sys.stderr)
        raise SystemExit(2)
    try:
        return group(_secrets_dir=folder, **given)
    except ValidationError as error:
        print("settings: " + "; ".join(map(_problem, error.errors())), file=sys.stderr)
        raise SystemExit(2) from None


def _problem(error: Mapping[str, Any]) -> str:
    place, said = error["loc"], wording_of(error).message
    return f"TEDDY_{str(place[0]).upper()}: {said}" if place else said
