"""Settings of the command API and of the relay."""

from pydantic import Field, field_validator

from shared.audit.settings import AuditSettings
from shared.http.client_address import is_url
from shared.http.settings import HttpSettings, RateLimitSettings, TokenSettings
from shared.settings import (
    LOOPBACK,
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
