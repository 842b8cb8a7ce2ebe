"""Settings of an HTTP API: tokens, rate limits, what it shows of itself."""

import re
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from shared.auth.access import RateClass
from shared.http.client_address import Network, is_trustworthy, networks_of
from shared.settings import ObservabilitySettings


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
