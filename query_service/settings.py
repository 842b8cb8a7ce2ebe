"""Settings of the query API."""

from pydantic import Field

from shared.audit.settings import AuditSettings
from shared.http.settings import HttpSettings, RateLimitSettings, TokenSettings
from shared.settings import (
    LOOPBACK,
    KafkaSettings,
    KeyringSettings,
    ReadStoreSettings,
    WriteStoreSettings,
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
