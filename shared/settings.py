"""Every `TEDDY_*` setting, in one place: the same names in all four processes.

Each process asks for the group it needs (`CommandSettings()`, `RelaySettings()`, ...); a missing or
malformed variable stops it at start with one line that names it (`load_settings`).
"""

import base64
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.addresses import is_trustworthy, is_url
from shared.auth.access import RateClass
from shared.events.child import AlertChannel
from shared.field_wording import wording_of
from shared.kafka import KafkaServers, Mechanism, Security
from shared.mongo_urls import checked_url
from shared.networks import Network, networks_of

LOOPBACK = "127.0.0.1"
SECRETS_DIR = "TEDDY_SECRETS_DIR"


class ObservabilitySettings(BaseSettings):
    """Logging, common to every process."""

    model_config = SettingsConfigDict(env_prefix="TEDDY_", extra="ignore", frozen=True)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest level that is logged."
    )
    log_format: Literal["json", "console"] = Field(
        "json", description="One JSON object a line, or text for people."
    )


class KafkaSecuritySettings(ObservabilitySettings):
    """How Kafka lets its clients in."""

    kafka_security: Security = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."
    )
    kafka_sasl_mechanism: Mechanism = Field(
        "SCRAM-SHA-512", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."
    )
    kafka_user: str | None = Field(None, description="User, with SASL.")
    kafka_password: SecretStr | None = Field(None, description="Password, with SASL.")
    kafka_ca_file: Path | None = Field(
        None, description="PEM of the brokers' authority, with SSL; unset: the system's."
    )
    kafka_long_polling: bool = Field(
        True,
        description="The brokers hold an empty fetch open, as Apache Kafka does; `false` for one "
        "that answers at once: consumers then ask it less often.",
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


class MongoDriverSettings(ObservabilitySettings):
    """Which asynchronous MongoDB driver serves the stores."""

    mongo_driver: Literal["motor", "pymongo"] = Field(
        "motor", description="Asynchronous MongoDB driver: Motor or PyMongo Async."
    )
    mongo_ca_file: Path | None = Field(
        None, description="PEM of the servers' authority: every MongoDB URL is then over TLS."
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
        50_000, ge=1, description="Children whose unwrapped data key stays in memory."
    )


class TokenLifeSettings(ObservabilitySettings):
    """How long bearer tokens may live."""

    token_most_life_seconds: float = Field(
        7 * 86_400.0,
        gt=0,
        description="Longest time between `nbf` and `exp`: nobody can take a token back sooner.",
    )


class TokenSettings(TokenLifeSettings):
    """How bearer tokens are verified at the edge."""

    jwks_file: Path | None = Field(
        None,
        description="JSON Web Key Set with the public keys of token issuers; this or the URL.",
    )
    jwks_url: str | None = Field(
        None,
        description="Where the issuer serves its JSON Web Key Set: https, or http on loopback.",
    )
    jwks_life_seconds: float = Field(
        300.0,
        gt=0,
        description="After it the keys are fetched again before a token is judged; shortly before "
        "its end, beside the requests. Older keys serve only while the issuer cannot be reached.",
    )
    jwks_cooldown_seconds: float = Field(
        30.0, gt=0, description="Least time between two fetches, also for a key nobody knows."
    )
    jwks_max_age_seconds: float = Field(
        86_400.0,
        gt=0,
        description="How old keys may get that cannot be fetched again; then 503, never 401.",
    )
    token_leeway_seconds: float = Field(
        5.0, ge=0, le=60, description="Allowed between the issuer's clock and this one's."
    )
    token_issuer: str = Field("teddy-local", description="Required `iss` of bearer tokens.")
    token_audience: str = Field("teddy", description="Required `aud` of bearer tokens.")

    @model_validator(mode="after")
    def _one_place_of_keys(self) -> Self:
        if (self.jwks_file is None) == (self.jwks_url is None):
            raise ValueError("give TEDDY_JWKS_FILE or TEDDY_JWKS_URL, one of the two")
        if self.jwks_cooldown_seconds > self.jwks_life_seconds:
            raise ValueError("TEDDY_JWKS_COOLDOWN_SECONDS is at most TEDDY_JWKS_LIFE_SECONDS")
        return self

    @field_validator("jwks_url")
    @classmethod
    def _keys_nobody_can_swap_on_the_way(cls, url: str | None) -> str | None:
        if url is not None and not is_trustworthy(url):
            raise ValueError("must be https, or http on loopback")
        return url


RATE_LIMITS_IN_MEMORY = "memory://"
REDIS = re.compile(r"rediss?://([^/@\s]*@)?[^/:@\s]+:[0-9]{1,5}(/[0-9]{0,4})?")


def _rate(of: str, limit: str, why: str) -> Any:
    return Field(limit, description=f"Most {of} of one subject, as `600/minute`: {why}.")


class RateLimitSettings(ObservabilitySettings):
    """How much one subject may send."""

    rate_limit_storage: str = Field(
        RATE_LIMITS_IN_MEMORY,
        description="`memory://`: each process counts alone; `redis://host:port/db`: all together.",
    )
    rate_limit_registration: str = _rate(
        "registrations",
        "20/hour",
        "a family has few bears, and each try tells whether a bear is known; an import needs more",
    )
    rate_limit_commands: str = _rate(
        "other commands", "1200/minute", "a bear that sends what it stored while it was offline"
    )
    rate_limit_queries: str = _rate(
        "queries about a child or family", "1200/minute", "a dashboard that is looked at all day"
    )
    rate_limit_search: str = _rate("searches", "120/minute", "a person who types")
    rate_limit_stream: str = _rate(
        "openings of a live stream", "60/minute", "a phone that loses its network"
    )
    rate_limit_export: str = _rate("exports of a child", "10/hour", "each reads a whole life")

    @field_validator("rate_limit_storage")
    @classmethod
    def _known_storage(cls, url: str) -> str:
        if url != RATE_LIMITS_IN_MEMORY and not REDIS.fullmatch(url):
            raise ValueError("must be memory://, redis://host:port/db or rediss://host:port/db")
        return url

    @field_validator(*(f"rate_limit_{rate.value}" for rate in RateClass))
    @classmethod
    def _one_limit(cls, limit: str) -> str:
        if not re.fullmatch(r"[1-9][0-9]{0,8}/(second|minute|hour|day)", limit):
            raise ValueError("must be a number from 1 on, a slash, and second, minute, hour or day")
        return limit


class ProofSettings(ObservabilitySettings):
    """With what receipts, heads and evidence are signed and checked."""

    proof_key_file: Path = Field(
        description="Ed25519 private key (PEM, mode 0600) that signs receipts and audit heads."
    )
    proof_keys_file: Path = Field(
        description="JSON Web Key Set with the public keys of all signatures ever made; only added "
        "to."
    )


class AuditSettings(MongoDriverSettings, ProofSettings):
    """The audit trail, kept apart from what it tells of."""

    audit_mongo_url: str = Field(description="MongoDB URL of the audit trail.")
    audit_database: str = Field("teddy_audit", description="Database of the audit trail.")
    audit_heads_file: Path | None = Field(
        None,
        description="File to which signed heads of the audit trail are appended, best on another "
        "machine's disk; unset: they are kept in the database only.",
    )
    audit_head_seconds: float = Field(60.0, gt=0, description="How often a head is signed.")
    audit_max_waiting: int = Field(
        10_000,
        ge=1,
        description="Audit records that may wait for their database; beyond, requests are refused.",
    )
    audit_wait_seconds: float = Field(
        1.0,
        gt=0,
        lt=30,
        description="Longest an audit record may wait until reads are refused with 503; also how "
        "much a process that is killed may take with it.",
    )
    audit_strict: bool = Field(
        False, description="Each read waits until its audit record is durable: nothing is lost."
    )


class AuditToolSettings(WriteStoreSettings, AuditSettings):
    """`teddy audit` and `teddy evidence`."""


class ErasureToolSettings(
    WriteStoreSettings, ReadStoreSettings, KeyStoreSettings, KafkaSettings, AuditSettings
):
    """`teddy erase`."""


LEAST_ACTIVITY_DAYS, LEAST_DAYS = 366, 30
"""That are kept of activity and of all else, whatever is set."""


class RetentionSettings(ReadStoreSettings, AuditSettings):
    """`teddy retention`: for how many days what is kept. 0: for ever."""

    retention_activity_days: int = Field(
        400,
        description="Days of activity in the read models; at least 366, so that the longest period "
        "of analytics is whole. 0: for ever.",
    )
    retention_alert_days: int = Field(
        400, description="Alerts in the read models; at least 30. 0: for ever."
    )
    retention_audit_days: int = Field(
        730, description="Records of the audit trail; at least 30. 0: for ever."
    )

    @field_validator("retention_activity_days")
    @classmethod
    def _longest_period_is_whole(cls, days: int) -> int:
        return _for_ever_or_at_least(LEAST_ACTIVITY_DAYS, days)

    @field_validator("retention_alert_days", "retention_audit_days")
    @classmethod
    def _no_slip_of_the_hand(cls, days: int) -> int:
        return _for_ever_or_at_least(LEAST_DAYS, days)


def _for_ever_or_at_least(least: int, days: int) -> int:
    if days and not least <= days <= 36_500:
        raise ValueError(f"must be 0 or between {least} and 36500")
    return days


class HttpSettings(ObservabilitySettings):
    """What the APIs show of themselves, and how clients reach them."""

    api_documentation: bool = Field(
        False, description="Serve `/docs` and `/openapi.json`; the local stack does."
    )
    behind_tls: bool = Field(
        False, description="Clients come by HTTPS only: tell browsers to remember it (HSTS)."
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks of proxies whose `X-Forwarded-For` is believed, "
        "`10.0.0.7,172.16.0.0/12`; from anybody else it is ignored.",
    )

    address_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Part of an API's connections, and of its requests at the same time, that one "
        "address may have, or one IPv6 network of 64 bits; 1: all. Proxies that are trusted have "
        "no share of connections; behind others, all callers share one.",
    )
    subject_share: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Part of an API's requests at the same time, and of the queries that wait, "
        "that one subject may have; 1: all.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, text: str) -> str:
        networks_of(text)
        return text

    @property
    def proxies(self) -> tuple[Network, ...]:
        return networks_of(self.trusted_proxies)


class AlertChannelSettings(ObservabilitySettings):
    """By which channels the operator lets parents be notified."""

    alert_channels: str = Field(
        AlertChannel.IN_APP.value,
        description="Channels that are set up, `in_app[,webhook][,email]`; the same for the worker "
        "and for the command API, which refuses policies that name another. `in_app` always is.",
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


class CommandSettings(
    WriteStoreSettings,
    KeyringSettings,
    TokenSettings,
    RateLimitSettings,
    AuditSettings,
    HttpSettings,
    AlertChannelSettings,
):
    """The command API."""

    command_host: str = Field(LOOPBACK, description="Address the command API listens on.")
    command_port: int = Field(8001, ge=0, le=65535, description="Port of the command API.")
    public_query_url: str | None = Field(
        None,
        description="Where clients reach the query API, e.g. `https://query.example.org`: "
        "`Location` after a registration and `Link` after an erasure lead there. Unset: neither is "
        "sent.",
    )
    aggregate_cache_size: int = Field(
        20_000, ge=0, description="Folded children kept in memory of the command API."
    )
    aggregate_cache_mib: int = Field(
        256,
        ge=1,
        description="About how much memory they may take, in MiB; the least recently used go "
        "first. One child alone may take more.",
    )
    snapshot_every: int = Field(200, ge=1, description="Events between two snapshots of a child.")
    group_commit_batchers: int = Field(
        2, ge=1, le=16, description="Concurrent group commits; more overlap, smaller groups."
    )
    group_commit_max: int = Field(500, ge=1, description="Most commits that share one insert.")
    command_timeout_seconds: float = Field(
        1.25,
        gt=0,
        lt=30,
        description="Longest a command may take once it has its turn, then 503: so that the answer "
        "comes inside 2 s. Far below the 60 s of a claim.",
    )
    command_max_in_flight: int = Field(
        400,
        ge=1,
        description="Commands worked on at the same time; one more is refused with 503. Those "
        "whose body is still being read do not count.",
    )
    command_max_waiting_per_child: int = Field(
        160,
        ge=1,
        description="Most commands that wait for others of one child; three quarters of them of "
        "one caller. All children together: half of `TEDDY_COMMAND_MAX_IN_FLIGHT`.",
    )
    command_wait_seconds: float = Field(
        3.0,
        gt=0,
        lt=30,
        description="Longest a command waits for others of the same child, then 503 `child-busy`.",
    )
    command_max_connections: int = Field(
        900,
        ge=1,
        description="Open connections of the command API; for one more, the longest silent is "
        "closed. Below the usual 1,024 open files.",
    )

    @field_validator("public_query_url")
    @classmethod
    def _leads_to_an_api(cls, url: str | None) -> str | None:
        if url is not None and (not is_url(url, ("https", "http")) or set("?# ") & set(url)):
            raise ValueError("must be an http or https URL without user, query and fragment")
        return None if url is None else url.rstrip("/")


class RelaySettings(WriteStoreSettings, KeyStoreSettings, KafkaSettings):
    """The relay from the event store to Kafka. It destroys keys, and opens none."""

    relay_host: str = Field(LOOPBACK, description="Address of the relay's health endpoint.")
    relay_port: int = Field(8002, ge=0, le=65535, description="Port of the relay's endpoint.")
    relay_lease_seconds: float = Field(
        10.0, gt=0, description="Life of the relay's lease; a dead relay is replaced after it."
    )
    relay_batch: int = Field(1_000, ge=1, description="Most commits published before a token save.")


class WebhookSettings(AlertChannelSettings):
    """The receiver of the webhook channel."""

    alert_webhook_url: str | None = Field(
        None, description="Where alerts are posted: https. Needed by the channel `webhook`."
    )
    alert_webhook_secret: SecretStr | None = Field(
        None,
        description="`whsec_` and base64 of 24 to 64 bytes: alerts are signed with it, after the "
        "Standard Webhooks specification. Needed by the channel `webhook`.",
    )
    alert_webhook_old_secret: SecretStr | None = Field(
        None, description="Alerts are signed with it too, while receivers change to the new one."
    )
    alert_webhook_private: bool = Field(
        False,
        description="The webhook may lead to addresses that are not on the public internet "
        "(loopback, private, link-local), and then also over http.",
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
        None, description="SMTP server. Needed by the channel `email`."
    )
    alert_smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    alert_smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="How the connection is protected; `none` only where the network is, and "
        "without a password.",
    )
    alert_smtp_ca_file: Path | None = Field(
        None, description="PEM of the SMTP server's authority; unset: the system's."
    )
    alert_smtp_user: str | None = Field(None, description="User, where the server wants one.")
    alert_smtp_password: SecretStr | None = Field(None, description="The user's password.")
    alert_email_sender: str | None = Field(
        None, description="`From` of the e-mails. Needed by the channel `email`."
    )
    alert_email_address: str | None = Field(
        None,
        description="Parents' addresses made of their ids, as `{parent_id}@parents.example`; this "
        "or the file.",
    )
    alert_email_addresses_file: Path | None = Field(
        None,
        description='Parents\' addresses as a JSON file, `{"parent id": "address"}`; read anew '
        "when it changes.",
    )
    alert_email_details: bool = Field(
        False, description="E-mails tell severity, kind and time; otherwise only to look."
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
            raise ValueError("TEDDY_ALERT_EMAIL_ADDRESS: must hold {parent_id}")
        if self.alert_smtp_password is not None and self.alert_smtp_security == "none":
            raise ValueError("TEDDY_ALERT_SMTP_SECURITY: a password needs starttls or tls")
        return self


class AlertSettings(WebhookSettings, EmailSettings):
    """All channels of alerts."""


class ReadModelSettings(ObservabilitySettings):
    """What belongs to a generation of the read models from its beginning on."""

    conversation_limit_minutes: int = Field(
        240,
        ge=1,
        le=1_440,
        description="A conversation is over at the latest so long after its start, whoever ends it "
        "when. Read models keep the limit that they were begun with: a change takes effect with "
        "the next rebuild.",
    )


class WorkerSettings(
    WriteStoreSettings,
    ReadStoreSettings,
    KeyringSettings,
    KafkaSettings,
    AlertSettings,
    ReadModelSettings,
):
    """The projection worker. It reads the event store only to refill holes."""

    worker_host: str = Field(LOOPBACK, description="Address of the worker's health endpoint.")
    worker_port: int = Field(8003, ge=0, le=65535, description="Port of the worker's endpoint.")
    worker_group: str = Field("teddy-projector", description="Consumer group of the projector.")
    worker_instance_id: str | None = Field(
        None,
        description="A name of this worker's own that stays: restarted under it, the worker has "
        "its partitions back at once. Unset: they are free once the session times out.",
    )
    worker_batch: int = Field(2_000, ge=1, description="Most events in one transaction.")
    worker_session_timeout_seconds: float = Field(
        10.0, gt=0, description="After this silence Kafka gives a worker's partitions to others."
    )
    worker_stall_seconds: float = Field(
        60.0, gt=0, description="Lag without progress for this long ends the process."
    )


class QuerySettings(
    WriteStoreSettings,
    ReadStoreSettings,
    KeyringSettings,
    KafkaSettings,
    TokenSettings,
    RateLimitSettings,
    AuditSettings,
    HttpSettings,
):
    """The query API. It reads the event store only to export a child."""

    query_host: str = Field(LOOPBACK, description="Address the query API listens on.")
    query_port: int = Field(8004, ge=0, le=65535, description="Port of the query API.")
    query_max_in_flight: int = Field(
        400,
        ge=1,
        description="Queries worked on at the same time; one more is refused with 503. Open "
        "streams and those that wait for a consistency token do not count.",
    )
    query_max_connections: int = Field(
        900,
        ge=1,
        description="Open connections of the query API, streams too; for one more, the longest "
        "silent is closed. Below the usual 1,024 open files.",
    )
    query_max_waiting: int = Field(
        200,
        ge=1,
        description="Queries that wait for a consistency token at the same time; one more is told "
        "at once that its write is not visible yet.",
    )
    query_max_exports: int = Field(
        4,
        ge=1,
        description="Exports of children that this process writes at the same time; one more is "
        "refused with 503.",
    )
    cache_max_entries: int = Field(10_000, ge=1, description="Most answers kept in the cache.")
    query_cache_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1_048_576,
        description="Most bytes of the answers in the cache, with what keeping them takes. An "
        "answer of over a hundredth of it is not kept.",
    )
    cache_seconds_without_notices: float = Field(
        5.0,
        ge=0,
        le=60,
        description="Longest cache life of any answer while Kafka is away and no changes are heard "
        "of; 0 keeps none.",
    )
    cache_seconds_without_read_store: float = Field(
        300.0,
        ge=0,
        le=3_600,
        description="How long after the read store went away cached answers are shown, marked as "
        "stale; 0 shows none.",
    )
    ttl_child_profile_seconds: float = Field(1_800, gt=0, description="Cache life of a profile.")
    ttl_children_by_parent_seconds: float = Field(
        900, gt=0, description="Cache life of a parent's dashboard."
    )
    ttl_safety_report_seconds: float = Field(
        3_600, gt=0, description="Cache life of a safety report."
    )
    ttl_child_conversations_seconds: float = Field(
        3_600, gt=0, description="Cache life of a page of a child's conversations."
    )
    ttl_child_analytics_seconds: float = Field(
        7_200, gt=0, description="Cache life of a child's analytics."
    )
    ttl_search_seconds: float = Field(300, gt=0, description="Cache life of a search result.")
    ttl_system_analytics_seconds: float = Field(
        7_200, gt=0, description="Cache life of system analytics."
    )
    max_streams_per_subject: int = Field(
        20, ge=1, description="Live streams of one subject open at the same time in this process."
    )
    max_wait_seconds: float = Field(
        10.0, gt=0, description="Most seconds a query waits for a consistency token."
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
        print(_one_line(error), file=sys.stderr)
        raise SystemExit(2) from None


def _one_line(error: ValidationError) -> str:
    return "settings: " + "; ".join(map(_problem, error.errors()))


def _problem(error: Mapping[str, Any]) -> str:
    place, said = error["loc"], wording_of(error).message
    return f"TEDDY_{str(place[0]).upper()}: {said}" if place else said
