"""Settings of the command API and of the relay."""

from typing import Literal

from pydantic import Field, field_validator

from shared.audit.settings import AuditSettings
from shared.http.settings import HttpSettings, RateLimitSettings, TokenSettings, is_url
from shared.settings import (
    LOOPBACK,
    MONGO_DRIVER,
    AlertChannelSettings,
    KafkaSettings,
    KeyringSettings,
    KeyStoreSettings,
    WriteStoreSettings,
)


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

    # the only process whose every request writes: see docs/decisions/038
    mongo_driver: Literal["motor", "pymongo"] = Field("pymongo", description=MONGO_DRIVER)
    command_host: str = Field(LOOPBACK, description="Address on which the command API listens.")
    command_port: int = Field(8001, ge=0, le=65535, description="Port of the command API.")
    public_query_url: str | None = Field(
        None,
        description="URL at which clients reach the query API, e.g. `https://query.example.org`, "
        "for `Location` after a registration and `Link` after an erasure. Unset: neither is sent.",
    )
    aggregate_cache_size: int = Field(
        20_000, ge=0, description="Number of aggregates in the cache of the command API."
    )
    aggregate_cache_mib: int = Field(
        256,
        ge=1,
        description="Approximate memory of the aggregate cache, in MiB; the least recently "
        "used are evicted first. A single child may exceed it.",
    )
    snapshot_every: int = Field(200, ge=1, description="Events between two snapshots of a child.")
    group_commit_batchers: int = Field(
        2,
        ge=1,
        le=16,
        description="Number of concurrent group commits; a higher number makes smaller groups.",
    )
    group_commit_max: int = Field(
        500, ge=1, description="Maximum number of commits that share one insert."
    )
    command_timeout_seconds: float = Field(
        1.25,
        gt=0,
        lt=30,
        description="Deadline of a command, without its time in the queue; then 503, so that "
        "the answer is sent within 2 s. Must be far below the 60 s of a claim.",
    )
    command_max_in_flight: int = Field(
        400,
        ge=1,
        description="Maximum number of commands processed concurrently; further ones are "
        "refused with 503. Requests whose body is still arriving do not count.",
    )
    command_max_waiting_per_child: int = Field(
        160,
        ge=1,
        description="Maximum number of commands in the queue of one child; three quarters of them "
        "for one caller. For all children together: half of `TEDDY_COMMAND_MAX_IN_FLIGHT`.",
    )
    command_wait_seconds: float = Field(
        3.0,
        gt=0,
        lt=30,
        description="Longest time a command waits in the queue of its child; then 503 "
        "`child-busy`.",
    )
    command_max_connections: int = Field(
        900,
        ge=1,
        description="Maximum number of open connections of the command API; beyond it the "
        "connection idle for longest is closed. Keep it below the usual limit of 1,024 open files.",
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
        10.0,
        gt=0,
        description="Duration of the relay's lease; a crashed leader is replaced after it.",
    )
    relay_batch: int = Field(
        1_000,
        ge=1,
        description="Maximum number of commits published before the resume token is saved.",
    )
