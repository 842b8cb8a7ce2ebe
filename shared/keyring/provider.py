"""Who holds the key-encryption keys: a file here, a key management service elsewhere."""

from dataclasses import dataclass
from typing import Protocol

from shared.event_store.port import StoreUnavailable


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A child's data key, encrypted under the key-encryption key named `kek_id`."""

    child_id: str
    kek_id: str
    wrapped: bytes


class UnknownKek(StoreUnavailable):
    """A data key is wrapped under a key-encryption key that the provider does not have, or not
    yet: the file of a rotation may still be on its way to this machine."""


class KeyProvider(Protocol):
    async def wrap(self, child_id: str, data_key: bytes) -> WrappedKey:
        """Encrypt `data_key` under the active key-encryption key."""

    async def unwrap(self, wrapped: WrappedKey) -> bytes:
        """The data key; raises UnknownKek, or SealBroken when it was altered or moved."""
