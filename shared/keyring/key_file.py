"""The key file: key encryption keys, index key and signature key; read, made, and watched."""

import base64
import os
import secrets
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.clock import parse_iso
from shared.keyring.key_store import WrappedKey
from shared.keyring.keyring import KEY_BYTES, NONCE_BYTES, SealBroken, UnknownKek


class KeyFileRefused(Exception):
    """The key file is missing, malformed or readable by others."""


@dataclass(frozen=True, slots=True, repr=False)
class KeyFile:
    """Contents of the key file.

    `keks`: key-encryption keys by id, `active` the one for new keys. `index_key`: for keyed hashes
    of names and UDIDs. `signature_key`: for consistency tokens and page cursors. `replaced_at`:
    when a key-encryption key stopped being the active one.
    """

    active: str
    keks: dict[str, bytes]
    index_key: bytes
    signature_key: bytes
    replaced_at: dict[str, datetime] = field(default_factory=dict)


def create_key_file(path: Path) -> None:
    """Write fresh keys to `path` (mode 0600); an existing file is left as it is."""
    first = new_kek_id(1)
    content = {
        "active": first,
        "keks": {first: new_key()},
        "index_key": new_key(),
        "signature_key": new_key(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "wb") as file:
        file.write(orjson.dumps(content, option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path)


def sync_folder(path: Path) -> None:
    """Have the name of the file at `path` outlive a power cut: what is wrapped under a key that is
    in no file any more is lost for good."""
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_key_file(path: Path) -> KeyFile:
    """Read the keys; raises KeyFileRefused with the reason and what to do."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        reason = f"{path}: {error.strerror}; create it with `teddy keys init`"
        raise KeyFileRefused(reason) from None
    if mode & 0o077:
        raise KeyFileRefused(
            f"{path}: mode is {mode:04o}; set it to 0600: others can read the keys"
        )
    try:
        content = orjson.loads(path.read_bytes())
        keks = {kek_id: _decode(key) for kek_id, key in content["keks"].items()}
        index_key, signature_key = _decode(content["index_key"]), _decode(content["signature_key"])
        active = str(content["active"])
        replaced = content.get("replaced_at", {})
        replaced_at = {kek_id: parse_iso(at) for kek_id, at in replaced.items()}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
        raise KeyFileRefused(f"{path}: not a key file of this project") from None
    if active not in keks:
        raise KeyFileRefused(f"{path}: the active key {active!r} is not among its keys")
    return KeyFile(active, keks, index_key, signature_key, replaced_at)


class FileKeyProvider:
    """A KeyProvider over the keys of a key file."""

    def __init__(self, keys: KeyFile) -> None:
        self._active = keys.active
        self._keks = {kek_id: AESGCM(key) for kek_id, key in keys.keks.items()}

    async def wrap(self, child_id: str, data_key: bytes) -> WrappedKey:
        nonce = os.urandom(NONCE_BYTES)
        wrapped = self._keks[self._active].encrypt(nonce, data_key, child_id.encode())
        return WrappedKey(child_id, self._active, nonce + wrapped)

    async def unwrap(self, wrapped: WrappedKey) -> bytes:
        kek = self._keks.get(wrapped.kek_id)
        if kek is None:
            raise UnknownKek(f"no key-encryption key {wrapped.kek_id!r} in the key file")
        nonce, ciphertext = wrapped.wrapped[:NONCE_BYTES], wrapped.wrapped[NONCE_BYTES:]
        try:
            return kek.decrypt(nonce, ciphertext, wrapped.child_id.encode())
        except InvalidTag:
            raise SealBroken(f"data key of child {wrapped.child_id} cannot be decrypted") from None


def new_key() -> str:
    """A fresh key as the key file holds it."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode("ascii")


def new_kek_id(number: int) -> str:
    """`number` counts the rotations for people; the rest is of this key alone, so that what another
    file's key has wrapped is never taken for broken. Files of early releases have only `kek-1`."""
    return f"kek-{number}-{secrets.token_hex(4)}"


def _decode(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError("a key must have 32 bytes")
    return key


log = structlog.get_logger(__name__)

Stamp = tuple[int, int]


class WatchedKeyFile:
    """A KeyProvider that looks at its file before it wraps, and when it meets an unknown key.

    So a rotation reaches every process without a restart. A file that cannot be used any more is
    reported in the log, and the keys known before go on. Raises KeyFileRefused when it begins.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._provider = FileKeyProvider(read_key_file(path))

    async def wrap(self, child_id: str, data_key: bytes) -> WrappedKey:
        self._look_again()
        return await self._provider.wrap(child_id, data_key)

    async def unwrap(self, wrapped: WrappedKey) -> bytes:
        try:
            return await self._provider.unwrap(wrapped)
        except UnknownKek:
            self._look_again()
            return await self._provider.unwrap(wrapped)

    def _look_again(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._provider = FileKeyProvider(read_key_file(self._path))
        except KeyFileRefused as refused:
            log.warning("key_file_refused", reason=str(refused))
        else:
            log.info("key_file_reloaded")


def _stamp(path: Path) -> Stamp | None:
    """What changes whenever the file is replaced; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
