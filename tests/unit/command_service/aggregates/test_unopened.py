"""Children of whom something does not open: they are reported on as far as can be, and erased."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from command_service.bus.command_bus import Command
from command_service.bus.errors import KeyUnavailable
from command_service.child.errors import ChildNotFound
from shared.event_store.envelope import EncodedEvent
from shared.keyring.key_store import WrappedKey
from shared.serialization.schema import ALL_LABELS, SEALED
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.keys import MemoryKeyStore
from tests.support.child_facts import DEACTIVATE, ERASE, REGISTER, REPORT, update
from tests.support.command_side import OFFICER, CommandSide, Database


class AlteredStore(MemoryEventStore):
    """In the hands of somebody who may write to the event store."""

    def alter(self, **fields: Any) -> None:
        """Put `fields` into the first event of every stream."""
        for place, commit in self._commits.items():
            if commit.first_version == 1:
                first = self._altered(commit.events[0], fields)
                self._commits[place] = replace(commit, events=(first, *commit.events[1:]))

    def _altered(self, event: EncodedEvent, fields: dict[str, Any]) -> EncodedEvent:
        data = orjson.dumps(orjson.loads(event.data) | fields).decode()
        return replace(event, data=data)


class AlteredKeys(MemoryKeyStore):
    def alter(self, **fields: Any) -> None:
        self._keys = {child: replace(key, **fields) for child, key in self._keys.items()}


async def _altered_child(**fields: Any) -> CommandSide:
    """In a process that has nothing of the child in memory."""
    store = AlteredStore()
    side = await CommandSide(Database(events=store)).given(REGISTER)
    store.alter(**fields)
    return CommandSide(side.database)


@pytest.mark.parametrize("command", [REPORT, update(name="Zoe"), DEACTIVATE, ERASE], ids=str)
@pytest.mark.parametrize("field", ["name", "udid", "device_id", ALL_LABELS])
async def test_an_altered_value_keeps_nobody_from_being_commanded(command: Command, field: str):
    side = await _altered_child(**{field: {SEALED: "AAAA" * 20}})
    assert (await side.do(command)).events


@pytest.mark.parametrize("labels", ["text", {"age": 7}, [], None], ids=str)
async def test_an_event_that_is_none_is_left_out(labels: Any):
    side = await _altered_child(**{ALL_LABELS: labels})
    # it was the registration: whose child it is, nothing says any more
    with pytest.raises(ChildNotFound):
        await side.do(REPORT)


@pytest.mark.parametrize("fields", [{"wrapped": bytes(60)}, {"kek_id": "kek-9"}], ids=str)
async def test_a_key_that_does_not_open_is_said_and_hinders_no_erasure(fields: dict[str, Any]):
    # given
    keys = AlteredKeys()
    side = await CommandSide(Database(keys=keys)).given(REGISTER)
    keys.alter(**fields)
    assert isinstance(next(iter(keys._keys.values())), WrappedKey)
    side = CommandSide(side.database)
    # when, then
    with pytest.raises(KeyUnavailable):
        await side.do(REPORT, OFFICER)
    assert (await side.do(ERASE)).events == ("ChildErased",)
    assert keys._keys == {}
