"""The keys with which the OpenID provider signs ID tokens."""

from collections.abc import Iterator, Mapping
from typing import Any

from authlib.integrations.starlette_client import StarletteOAuth2App
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

KEYS = "jwks"
"""Where Authlib keeps the key set that it fetched."""


class KeysOneByOne(StarletteOAuth2App):
    """Authlib's app, but for this: one key that cannot be read spoils no others, and a set without
    a usable key is not kept."""

    async def fetch_jwk_set(self, force: bool = False) -> dict[str, list[Any]]:
        """`keys`: those that may sign, perhaps none. `force`: also where a set is kept. Raises
        httpx2.HTTPError, ValueError, RecursionError."""
        given = await super().fetch_jwk_set(force)
        usable = {"keys": list(_usable(given))}
        if usable["keys"]:
            self.server_metadata[KEYS] = usable
        else:
            self.server_metadata.pop(KEYS, None)
        return usable


def _usable(given: Any) -> Iterator[Any]:
    listed = given.get("keys") if isinstance(given, Mapping) else None
    for jwk in listed if isinstance(listed, list) else ():
        try:
            key = JWKRegistry.import_key(jwk)
            KeySet([key])  # gives it a `kid` if it has none
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
        if key.get("use", "sig") == "sig":
            yield jwk
