"""Settings of the query API."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from query_service.sign_in_settings import SignInSettings
from shared.audit.settings import AuditSettings
from shared.events.child import ConsentMethod
from shared.http.settings import (
    REDIS,
    HttpSettings,
    RateLimitSettings,
    TokenSettings,
    is_url,
)
from shared.settings import (
    LOOPBACK,
    KafkaSettings,
    KeyringSettings,
    ReadStoreSettings,
    WriteStoreSettings,
)

CACHE_IN_MEMORY = "memory://"


class QuerySettings(
    WriteStoreSettings,
    ReadStoreSettings,
    KeyringSettings,
    KafkaSettings,
    TokenSettings,
    RateLimitSettings,
    AuditSettings,
    SignInSettings,
    HttpSettings,
):
    """The query API. It reads the event store only to export a child, or the evidence of an
    incident."""

    query_host: str = Field(LOOPBACK, description="Address on which the query API listens.")
    query_port: int = Field(8004, ge=0, le=65535, description="Port of the query API.")
    query_max_in_flight: int = Field(
        400,
        ge=1,
        description="Maximum number of queries processed concurrently; further ones are refused "
        "with 503. Open streams and queries waiting for a consistency token do not count.",
    )
    query_max_connections: int = Field(
        900,
        ge=1,
        description="Maximum number of open connections of the query API, including streams; "
        "beyond it the connection idle for longest is closed. Keep it below the "
        "usual limit of 1,024 open files.",
    )
    query_max_waiting: int = Field(
        200,
        ge=1,
        description="Maximum number of queries waiting for a consistency token; further ones "
        "get 503 `read-model-late` at once.",
    )
    query_max_exports: int = Field(
        4,
        ge=1,
        description="Maximum number of concurrent exports of this process; further ones are "
        "refused with 503.",
    )
    pages_command_url: str | None = Field(
        None,
        description="Serve pages, and send their commands to the command API there: "
        "https, or http on a network that nobody else reaches. Have that API trust this process as "
        "a proxy, so that limits count by the reader's address.",
    )
    pages_sign_in_links: bool = Field(
        False,
        description="Let a link sign in to the pages by the token behind its `#`, as the local "
        "stack does. Whoever sends somebody such a link signs them in as themselves.",
    )
    pages_notice_version: str | None = Field(
        None,
        pattern=r"^[!-~]{1,32}$",
        description="Version of the privacy notice on which parents consent on the pages. Without "
        "it they can withdraw consent there, but not give it.",
    )
    pages_notice_url: str | None = Field(
        None, description="Where parents read that notice; required with its version."
    )
    pages_consent_method: ConsentMethod | None = Field(
        None,
        description="How the identity of parents is verified before they get a token: the method "
        "of a consent on the pages; required with the version of the notice.",
    )
    query_max_statements: int = Field(
        2,
        ge=1,
        description="Maximum number of concurrent SQL statements of this process, each in a "
        "process of its own with up to 256 MiB; further ones are refused with 503.",
    )
    sql_snapshot_seconds: float = Field(
        300.0,
        ge=1,
        le=3_600,
        description="Maximum age of the snapshot that SQL statements read; from half of it on, "
        "a statement has a new one made.",
    )
    cache_max_entries: int = Field(
        40_000, ge=1, description="Maximum number of answers in the cache."
    )
    query_cache_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1_048_576,
        description="Maximum bytes of the cache, including overhead. An answer larger than a "
        "hundredth of it is not cached.",
    )
    query_cache_storage: str = Field(
        CACHE_IN_MEMORY,
        description="`memory://`: each process caches for itself; `redis://host:port/db`: "
        "processes also share answers there, encrypted. Give that server a limit of memory and the "
        "policy `allkeys-lru`.",
    )
    cache_seconds_without_notices: float = Field(
        5.0,
        ge=0,
        le=60,
        description="Longest cache life of an answer while Kafka is unavailable and no "
        "change notices are received; 0: no caching.",
    )
    cache_seconds_without_read_store: float = Field(
        300.0,
        ge=0,
        le=3_600,
        description="How long cached answers are served, marked as stale, while the read "
        "store is unavailable; 0: not at all.",
    )
    ttl_child_profile_seconds: float = Field(1_800, gt=0, description="Cache life of a profile.")
    ttl_children_by_parent_seconds: float = Field(
        900, gt=0, description="Cache life of a parent's dashboard."
    )
    ttl_safety_report_seconds: float = Field(
        3_600, gt=0, description="Cache life of a safety report."
    )
    ttl_alert_policy_seconds: float = Field(
        3_600, gt=0, description="Cache life of a child's alert policy."
    )
    ttl_child_conversations_seconds: float = Field(
        3_600, gt=0, description="Cache life of a page of a child's conversations."
    )
    ttl_child_analytics_seconds: float = Field(
        7_200, gt=0, description="Cache life of a child's analytics."
    )
    ttl_child_series_seconds: float = Field(
        7_200, gt=0, description="Cache life of a child's series of days."
    )
    ttl_search_seconds: float = Field(300, gt=0, description="Cache life of a search result.")
    ttl_system_analytics_seconds: float = Field(
        7_200, gt=0, description="Cache life of system analytics."
    )
    max_streams_per_subject: int = Field(
        20, ge=1, description="Maximum number of open live streams per subject in this process."
    )
    max_wait_seconds: float = Field(
        10.0, gt=0, description="Longest time a query waits for a consistency token, in seconds."
    )

    @model_validator(mode="after")
    def _a_whole_notice(self) -> Self:
        parts = (self.pages_notice_version, self.pages_notice_url, self.pages_consent_method)
        if any(parts) and not all(parts):
            needed = "TEDDY_PAGES_NOTICE_URL and TEDDY_PAGES_CONSENT_METHOD"
            raise ValueError(f"set TEDDY_PAGES_NOTICE_VERSION, {needed}, or none of them")
        return self

    @model_validator(mode="after")
    def _pages_to_sign_in_to(self) -> Self:
        if self.pages_oidc_issuer is not None and self.pages_command_url is None:
            raise ValueError("TEDDY_PAGES_OIDC_ISSUER needs pages: set TEDDY_PAGES_COMMAND_URL")
        return self

    @model_validator(mode="after")
    def _cookies_over_tls(self) -> Self:
        """A session that comes over https is never sent in clear."""
        over_tls = (self.pages_public_url or "").lower().startswith("https:")
        if self.pages_oidc_issuer is not None and over_tls and not self.behind_tls:
            needed = "set TEDDY_BEHIND_TLS=true"
            raise ValueError(f"to sign in at an OpenID provider over https, {needed} too")
        return self

    @field_validator("pages_command_url", "pages_notice_url")
    @classmethod
    def _a_url(cls, url: str | None) -> str | None:
        if url is not None and not is_url(url, ("http", "https")):
            raise ValueError("must be an http or https URL without user and password")
        return url

    @field_validator("query_cache_storage")
    @classmethod
    def _known_cache_storage(cls, url: str) -> str:
        if url != CACHE_IN_MEMORY and not REDIS.fullmatch(url):
            raise ValueError("must be memory://, redis://host:port/db or rediss://host:port/db")
        return url
