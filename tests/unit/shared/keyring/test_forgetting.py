import asyncio
from datetime import datetime

import pytest

from shared.clock import utc_now
from shared.event_store.port import StoreUnavailable
from shared.keyring.erased_list import ErasedChild
from shared.keyring.key_file import FileKeyProvider, KeyFile
from shared.keyring.keyring import Keyring, forget_the_erased
from tests.fakes.keys import MemoryErasedList, MemoryKeyStore
from tests.support.waiting import eventually

KEYS = KeyFile("kek-1", {"kek-1": bytes(32)}, bytes(32), bytes(32))


class OftenAwayList(MemoryErasedList):
    """Does not answer the first time."""

    asked = 0

    async def since(self, moment: datetime) -> list[str]:
        self.asked += 1
        if self.asked == 1:
            raise StoreUnavailable("no primary")
        return await super().since(moment)


async def test_a_process_forgets_whom_another_one_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a process that has the key in memory
    monkeypatch.setattr("shared.keyring.keyring.LOOK_SECONDS", 0.01)
    keyring, erased = Keyring(FileKeyProvider(KEYS), MemoryKeyStore()), OftenAwayList()
    await keyring.create("child-1")
    await keyring.create("child-2")
    looking = asyncio.create_task(forget_the_erased(keyring, erased, utc_now))
    # when
    child = ErasedChild(child_id="child-1", at=utc_now(), by_role="parent", version=2, hash="h2")
    await erased.add(child)

    async def is_forgotten() -> bool:
        return await keyring.cipher("child-1") is None

    # then
    await eventually(is_forgotten)
    assert await keyring.cipher("child-2") is not None
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
