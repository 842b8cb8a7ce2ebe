"""The adapter that docs/keys.md shows, against a key management service in memory."""

import re
from pathlib import Path
from typing import Any

import pytest

from shared.event_store.port import StoreUnavailable
from shared.keyring.cipher import KeyProvider, SealBroken, UnknownKek, WrappedKey
from shared.keyring.keyring import Keyring
from tests.fakes.keys import MemoryKeyStore

PAGE = Path(__file__).parents[4] / "docs" / "keys.md"


class NotFoundException(Exception):
    pass


class InvalidCiphertextException(Exception):
    pass


class MemoryKms:
    """Hands out numbers for what it was given, and gives that back for number, key and context."""

    class exceptions:  # noqa: N801 - the name that clients of such services have
        NotFoundException = NotFoundException
        InvalidCiphertextException = InvalidCiphertextException

    def __init__(self, *key_ids: str) -> None:
        self.key_ids = set(key_ids)
        self.away = False
        self._kept: dict[bytes, tuple[str, dict[str, str], bytes]] = {}

    async def encrypt(self, **sent: Any) -> dict[str, Any]:
        self._require(sent["KeyId"])
        blob = len(self._kept).to_bytes(4, "big")
        self._kept[blob] = (sent["KeyId"], sent["EncryptionContext"], sent["Plaintext"])
        return {"CiphertextBlob": blob}

    async def decrypt(self, **sent: Any) -> dict[str, Any]:
        self._require(sent["KeyId"])
        key_id, context, plaintext = self._kept[sent["CiphertextBlob"]]
        if (key_id, context) != (sent["KeyId"], sent["EncryptionContext"]):
            raise InvalidCiphertextException
        return {"Plaintext": plaintext}

    def _require(self, key_id: str) -> None:
        if self.away:
            raise ConnectionRefusedError
        if key_id not in self.key_ids:
            raise NotFoundException


def provider(kms: MemoryKms) -> KeyProvider:
    (sketch,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "sketch"}
    exec(sketch, names)
    shown: KeyProvider = names["KmsKeyProvider"](kms, "key-1")
    return shown


async def test_what_one_process_seals_another_one_opens():
    kms, store = MemoryKms("key-1"), MemoryKeyStore()
    sealed = (await Keyring(provider(kms), store).create("ada")).seal(b"Ada", "place")
    cipher = await Keyring(provider(kms), store).cipher("ada")
    assert cipher is not None
    assert cipher.open(sealed, "place") == b"Ada"


async def test_a_data_key_moved_to_another_child_does_not_open():
    shown = provider(MemoryKms("key-1"))
    wrapped = await shown.wrap("ada", bytes(32))
    with pytest.raises(SealBroken):
        await shown.unwrap(WrappedKey("bob", wrapped.kek_id, wrapped.wrapped))


async def test_a_key_that_the_service_does_not_have_is_reported():
    kms = MemoryKms("key-1")
    wrapped = await provider(kms).wrap("ada", bytes(32))
    kms.key_ids.clear()
    with pytest.raises(UnknownKek, match="key-1"):
        await provider(kms).unwrap(wrapped)


async def test_a_service_that_is_away_is_no_broken_seal():
    kms = MemoryKms("key-1")
    wrapped = await provider(kms).wrap("ada", bytes(32))
    kms.away = True
    with pytest.raises(StoreUnavailable):
        await provider(kms).unwrap(wrapped)
    with pytest.raises(StoreUnavailable):
        await provider(kms).wrap("ada", bytes(32))
