"""Rotation of the key-encryption key: data keys are wrapped anew, events are not touched.

The file is replaced as a whole and first, the data keys follow: at any moment every data key is
wrapped under a key that the file holds, so a rotation may be killed anywhere and gone on with.
"""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from shared.clock import iso
from shared.keyring.key_file import (
    FileKeyProvider,
    KeyFile,
    KeyFileRefused,
    new_kek_id,
    new_key,
    read_key_file,
    sync_folder,
)
from shared.keyring.key_store import KeyStore
from shared.keyring.keyring import KeyProvider, SealBroken, UnknownKek

BATCH = 1_000
SETTLING = timedelta(seconds=60)
"""A process that looked at the file just before a rotation may still wrap under the old key for as
long as a registration takes, which is far less than this."""


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """How many data keys were wrapped anew, and the children whose keys do not open, and why."""

    number: int
    unopened: Mapping[str, str]


class RotationRefused(Exception):
    """What was asked would lose keys, or another change of the file is under way."""


def add_kek(path: Path, now: datetime) -> str:
    """Put a fresh key-encryption key into the file and make it the active one; its id.

    Raises KeyFileRefused or RotationRefused; then the file is as it was.
    """
    keys = read_key_file(path)
    numbers = (re.match(r"kek-([0-9]+)(-|$)", kek_id) for kek_id in keys.keks)
    added = new_kek_id(1 + max((int(one[1]) for one in numbers if one), default=0))

    def change(content: dict[str, Any]) -> None:
        content["keks"][added] = new_key()
        content.setdefault("replaced_at", {})[keys.active] = iso(now)
        content["active"] = added

    _change(path, change)
    return added


def remove_kek(path: Path, kek_id: str, wrapped: int, now: datetime) -> None:
    """Take a key-encryption key out of the file; `wrapped`: how many data keys are under it.

    Raises KeyFileRefused or RotationRefused; then the file is as it was.
    """
    reason = _reason_to_keep(read_key_file(path), kek_id, wrapped, now)
    if reason:
        raise RotationRefused(f"{kek_id} stays: {reason}")

    def change(content: dict[str, Any]) -> None:
        del content["keks"][kek_id]
        content.get("replaced_at", {}).pop(kek_id, None)

    _change(path, change)


async def rewrap_all(
    store: KeyStore, provider: KeyProvider, active: str, show: Callable[[int], object]
) -> Rewrapped:
    """Wrap every data key that is under another key under `active`; those that do not open are
    left as they are.

    `show` is called with the number so far after each batch. Raises StoreUnavailable.
    """
    number, unopened, after = 0, dict[str, str](), ""
    while batch := await store.not_under(active, after, BATCH):
        exchanges = []
        for old in batch:
            try:
                data_key = await provider.unwrap(old)
            except (UnknownKek, SealBroken) as error:
                unopened[old.child_id] = str(error)
            else:
                exchanges.append((old, await provider.wrap(old.child_id, data_key)))
        number += await store.replace(exchanges) if exchanges else 0
        after = batch[-1].child_id
        show(number)
    return Rewrapped(number, unopened)


async def mislabelled(store: KeyStore, keys: KeyFile, kek_id: str) -> list[str]:
    """The children whose data keys open under `kek_id` though another is named beside them: that
    name is covered by nothing, and the count of `kek_id` rests on it. Looks at every data key.

    Raises StoreUnavailable.
    """
    provider, found, after = FileKeyProvider(keys), list[str](), ""
    while batch := await store.not_under(kek_id, after, BATCH):
        for key in batch:
            with suppress(UnknownKek, SealBroken):
                await provider.unwrap(replace(key, kek_id=kek_id))
                found.append(key.child_id)
        after = batch[-1].child_id
    return found


def _reason_to_keep(keys: KeyFile, kek_id: str, wrapped: int, now: datetime) -> str | None:
    if kek_id not in keys.keks:
        return "the key file has no such key"
    if kek_id == keys.active:
        return "it is the active key; rotate first"
    if wrapped:
        return f"{wrapped:,} data keys are wrapped under it; run `teddy keys rotate --resume`"
    replaced_at = keys.replaced_at.get(kek_id)
    if replaced_at is not None and now - replaced_at < SETTLING:
        return f"it was replaced less than {SETTLING.total_seconds():g} s ago; try again then"
    return None


def _change(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Replace the file as a whole; a second change at the same time is refused."""
    beside = path.with_name(f"{path.name}.new")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        reason = (
            f"{beside} exists: another rotation is running, or was killed; in that case delete it"
        )
        raise RotationRefused(reason) from None
    try:
        with os.fdopen(handle, "wb") as file:
            content = orjson.loads(path.read_bytes())
            change(content)
            file.write(orjson.dumps(content, option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        try:
            read_key_file(beside)  # readable before it takes the old file's place
        except KeyFileRefused as refused:
            raise RotationRefused(str(refused)) from None
        beside.replace(path)
        sync_folder(path)
    finally:
        beside.unlink(missing_ok=True)
