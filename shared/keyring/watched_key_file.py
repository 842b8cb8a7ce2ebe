"""The key file's keys, also after it was changed under a running process."""

from pathlib import Path

import structlog

from shared.keyring.key_file import FileKeyProvider, KeyFileRefused, read_key_file
from shared.keyring.provider import UnknownKek, WrappedKey

log = structlog.get_logger(__name__)

Stamp = tuple[int, int]


class WatchedKeyFile:
    """A KeyProvider that looks at its file before it wraps, and when it meets an unknown key.

    So a rotation reaches every process without a restart. A file that cannot be used any more is
    told in the log, and the keys known before go on. Raises KeyFileRefused when it begins.
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
            log.info("key_file_read_again")


def _stamp(path: Path) -> Stamp | None:
    """What changes whenever the file is replaced; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
