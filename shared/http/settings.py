"""Settings of an HTTP API: tokens, rate limits, what it shows of itself."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from shared.auth.access import RateClass
from shared.http.addresses import is_trustworthy
from shared.http.request_context import Network, networks_of
from shared.settings import ObservabilitySettings


@dataclass(frozen=True, slots=True)
class Bounds:
    """Totals of one process, and the parts of them (0 to 1) that one caller may have.

    An address's part is of connections and of requests; a subject's of requests. A part of 1 is no
    bound: requests that wait count for their callers, and not for the total.
    """

    requests: int = 400
    connections: int = 900
    address_share: float = 0.25
    subject_share: float = 0.05


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a process shows of itself, and how it is reached. `behind_tls`: clients reach it by
    HTTPS only, and are asked to remember it."""

    documentation: bool = False
    behind_tls: bool = False
    trusted_proxies: tuple[Network, ...] = ()


def is_url(url: str, schemes: Sequence[str]) -> bool:
    """An absolute URL of one of these schemes, with a host and without user and password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.scheme in schemes and bool(host) and "@" not in parts.netloc


class TokenLifeSettings(ObservabilitySettings):
    """How long bearer tokens may live."""

    token_most_life_seconds: float = Field(
        7 * 86_400.0,
        gt=0,
        description="Longest allowed time between `nbf`, or `iat` without it, and `exp`; a token "
        "cannot be revoked earlier.",
    )


class TokenSettings(TokenLifeSettings):
    """How bearer tokens are verified at the edge."""

    jwks_file: Path | None = Field(
        None,
        description="JSON Web Key Set with the public keys of token issuers; set this or the URL.",
    )
    jwks_url: str | None = Field(
        None, description="URL of the issuer's JSON Web Key Set: https, or http on loopback."
    )
    jwks_life_seconds: float = Field(
        300.0,
        gt=0,
        description="Age after which the keys are fetched again before a token is verified; "
        "shortly before that age they are fetched in the background. Older keys "
        "are used only while the issuer cannot be reached.",
    )
    jwks_cooldown_seconds: float = Field(
        30.0, gt=0, description="Minimum time between two fetches, also for an unknown key."
    )
    jwks_max_age_seconds: float = Field(
        86_400.0,
        gt=0,
        description="Maximum age of keys while the issuer cannot be reached; after it the "
        "answer is 503, not 401.",
    )
    token_leeway_seconds: float = Field(
        5.0,
        ge=0,
        le=60,
        description="Allowed difference between the issuer's clock and this machine's.",
    )
    token_issuer: str = Field("teddy-local", description="Required `iss` of bearer tokens.")
    token_audience: str = Field("teddy", description="Required `aud` of bearer tokens.")

    @model_validator(mode="after")
    def _one_place_of_keys(self) -> Self:
        if (self.jwks_file is None) == (self.jwks_url is None):
            raise ValueError("set either TEDDY_JWKS_FILE or TEDDY_JWKS_URL")
        if self.jwks_cooldown_seconds > self.jwks_life_seconds:
            raise ValueError("TEDDY_JWKS_COOLDOWN_SECONDS must be at most TEDDY_JWKS_LIFE_SECONDS")
        return self

    @field_validator("jwks_url")
    @classmethod
    def _require_https(cls, url: str | None) -> str | None:
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
        description="`memory://`: each process counts separately; `redis://host:port/db`: "
        "all processes count together.",
    )
    rate_limit_registration: str = _rate(
        "registrations",
        "20/hour",
        "a family has few bears, and each attempt reveals whether a bear is registered; "
        "raise it for an import",
    )
    rate_limit_commands: str = _rate(
        "other commands", "1200/minute", "enough for a bear that sends what it stored while offline"
    )
    rate_limit_queries: str = _rate(
        "queries about a child or family",
        "1200/minute",
        "enough for a dashboard that is open all day",
    )
    rate_limit_search: str = _rate("searches", "120/minute", "enough for a person typing")
    rate_limit_stream: str = _rate(
        "live streams opened", "60/minute", "enough for a phone that keeps losing its network"
    )
    rate_limit_export: str = _rate("exports of a child", "10/hour", "each reads the whole history")
    rate_limit_evidence: str = _rate(
        "requests for the evidence of an incident",
        "120/hour",
        "enough for one who retries as often as `Retry-After` says; a process makes one at a time",
    )
    rate_limit_sql: str = _rate(
        "SQL statements", "60/minute", "enough for an analyst; each is a process of its own"
    )

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
            raise ValueError(
                "must be a number of at least 1, a slash, and second, minute, hour or day"
            )
        return limit


class HttpSettings(ObservabilitySettings):
    """What the APIs show of themselves, and how clients reach them."""

    api_documentation: bool = Field(
        False, description="Serve `/docs` and `/openapi.json`, as the local stack does."
    )
    behind_tls: bool = Field(False, description="Clients connect through HTTPS only: send HSTS.")
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks of proxies whose `X-Forwarded-For` is trusted, as "
        "`10.0.0.7,172.16.0.0/12`; from other addresses it is ignored.",
    )

    address_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Fraction of an API's connections and concurrent requests that one address, or "
        "one IPv6 /64 network, may use; 1: no limit. Trusted proxies have no connection limit; "
        "behind other proxies all callers share one limit.",
    )
    subject_share: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Fraction of an API's concurrent requests and waiting queries that one "
        "subject may use; 1: no limit.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, text: str) -> str:
        networks_of(text)
        return text

    @property
    def exposure(self) -> Exposure:
        proxies = networks_of(self.trusted_proxies)
        return Exposure(self.api_documentation, self.behind_tls, proxies)

    def bounds(self, requests: int, connections: int) -> Bounds:
        """`requests`, `connections`: the totals of the API that asks."""
        return Bounds(requests, connections, self.address_share, self.subject_share)
