"""Settings of signing in to the pages at an OpenID provider."""

import re
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from shared.http.addresses import is_trustworthy
from shared.http.settings import is_url
from shared.settings import ObservabilitySettings

CLIENT_SECRET = re.compile(r"[!-~]{1,1024}")
PROVIDER = ("pages_oidc_issuer", "pages_oidc_client_id", "pages_oidc_client_secret")
NEEDED = (*PROVIDER, "pages_public_url")


class SignInSettings(ObservabilitySettings):
    """All of it, or nothing: then readers paste a token."""

    pages_oidc_issuer: str | None = Field(
        None,
        description="Let readers of the pages sign in at this OpenID provider: its issuer as it "
        "spells it, https, or http on loopback. It issues JWT access tokens as "
        "[access](access.md) describes them.",
    )
    pages_oidc_client_id: str | None = Field(
        None,
        pattern=r"^[!-~]{1,255}$",
        description="Id of the pages as a confidential client of that provider.",
    )
    pages_oidc_client_secret: SecretStr | None = Field(
        None,
        description="Secret of that client: 1 to 1,024 visible ASCII characters, no spaces. It is "
        "sent as it is: `%`, `+`, `/` and others, which some providers decode first, are better "
        "avoided.",
    )
    pages_oidc_scopes: str = Field(
        "openid",
        pattern=r"^[!-~]+( [!-~]+)*$",
        max_length=500,
        description="Scopes that the pages ask for, `openid` among them, with a space between.",
    )
    pages_public_url: str | None = Field(
        None,
        description="Where readers reach the pages, as `https://teddy.example`: the provider sends "
        "them back to its `/sign-in/callback`.",
    )

    @model_validator(mode="after")
    def _a_whole_provider(self) -> Self:
        missing = [f"TEDDY_{name.upper()}" for name in NEEDED if getattr(self, name) is None]
        if missing and any(getattr(self, name) is not None for name in PROVIDER):
            raise ValueError(f"to sign in at an OpenID provider, set {' and '.join(missing)} too")
        return self

    @field_validator("pages_oidc_client_secret")
    @classmethod
    def _a_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not CLIENT_SECRET.fullmatch(secret.get_secret_value()):
            raise ValueError("must be 1 to 1,024 visible ASCII characters, without spaces")
        return secret

    @field_validator("pages_oidc_issuer")
    @classmethod
    def _an_issuer(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if not _is_plain(url):
            raise ValueError("must be https, or http on loopback, without user, query and fragment")
        return url

    @field_validator("pages_public_url")
    @classmethod
    def _an_origin(cls, url: str | None) -> str | None:
        if url is None:
            return None
        origin = url.removesuffix("/")
        if not _is_plain(url) or origin.count("/") != 2:
            raise ValueError("must be https, or http on loopback, with nothing behind the host")
        return origin

    @field_validator("pages_oidc_scopes")
    @classmethod
    def _openid_is_asked_for(cls, scopes: str) -> str:
        if "openid" not in scopes.split(" "):
            raise ValueError("must contain openid")
        return scopes


def _is_plain(url: str) -> bool:
    is_whole = is_url(url, ("https", "http")) and not set("?# ") & set(url)
    return is_whole and is_trustworthy(url)
