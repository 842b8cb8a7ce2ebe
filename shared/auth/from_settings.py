"""The verifier of bearer tokens that the settings ask for."""

import time
from dataclasses import dataclass

from shared.auth.key_set import KeySetRefused
from shared.auth.key_source import FILE_SECONDS, CachedKeys, Freshness, from_file, from_url
from shared.auth.verifier import Expected, TokenVerifier
from shared.http.settings import TokenSettings


@dataclass(frozen=True, slots=True)
class TokenChecks:
    """`keys` are to be closed at the end."""

    verifier: TokenVerifier
    keys: CachedKeys


def token_checks(settings: TokenSettings) -> TokenChecks:
    """A file is read at once, an address when the first token comes.

    Raises OSError for a file that cannot be read, KeySetRefused for one without usable keys.
    """
    keys = _keys(settings)
    expected = Expected(
        settings.token_issuer,
        settings.token_audience,
        settings.token_leeway_seconds,
        settings.token_most_life_seconds,
    )
    return TokenChecks(TokenVerifier(keys, expected), keys)


def _keys(settings: TokenSettings) -> CachedKeys:
    max_age = settings.jwks_max_age_seconds
    if settings.jwks_url is not None:
        freshness = Freshness(settings.jwks_life_seconds, settings.jwks_cooldown_seconds, max_age)
        return CachedKeys(from_url(settings.jwks_url), freshness, time.monotonic)
    path = settings.jwks_file
    assert path is not None  # the settings have one of the two
    keys = CachedKeys(
        from_file(path), Freshness(FILE_SECONDS, FILE_SECONDS, max_age), time.monotonic
    )
    try:
        keys.accept(path.read_bytes())
    except KeySetRefused as refused:
        raise KeySetRefused(f"{path}: {refused}") from None
    return keys
