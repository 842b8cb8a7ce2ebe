"""What the OpenID provider says of itself (OpenID Connect Discovery 1.0)."""

from typing import Self

from pydantic import BaseModel, model_validator

from shared.http.addresses import is_loopback, is_trustworthy

SECRET_IN_HEADER, SECRET_IN_BODY = "client_secret_basic", "client_secret_post"


class Description(BaseModel):
    """What is read of a discovery document. All else stays out: Authlib takes some of it for
    options of its HTTP client."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    id_token_signing_alg_values_supported: list[str] = ["RS256"]
    token_endpoint_auth_methods_supported: list[str] = [SECRET_IN_HEADER]
    authorization_response_iss_parameter_supported: bool = False

    @model_validator(mode="after")
    def _endpoints(self) -> Self:
        """https, or on this machine where the issuer is too."""
        for url in (self.authorization_endpoint, self.token_endpoint, self.jwks_uri):
            if not is_trustworthy(url) or (is_loopback(url) and not is_loopback(self.issuer)):
                raise ValueError("neither https nor loopback, or loopback of a remote issuer")
        return self
