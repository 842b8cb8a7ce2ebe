"""A whole running system, its databases and topics in the hands of who has the key file, too."""

from collections.abc import Iterator, Mapping
from typing import Any

import pymongo

from deploy.local import plans
from deploy.local.state import StackFolder, StackState
from shared.auth.principal import Role
from shared.clock import new_id
from shared.keyring.key_file import KeyFile, read_key_file
from tests.faults.texts import texts_of_topics
from tests.support.callers import client
from tests.support.consents import CONSENTS
from tests.support.guesses import Loot, Sent, confirmed, values_of
from tests.support.waiting import eventually

SOON = 60.0
OPLOG = "local"
"""What is removed stands in this database until it is overwritten; the receipt says so."""


async def test_of_an_erased_child_no_store_confirms_a_guess(
    services: StackFolder, running: StackState
) -> None:
    # given a child of whom the search index and the reservations tell who guesses right
    keys, unique = read_key_file(services.keys / "keys.json"), new_id()[:8]
    guesses = {
        "name": f"Quilla{unique}",
        "udid": f"UDID-{unique}",
        "device id": f"bear-of-{unique}",
        "details": f"asked where {unique} lives",
        "reason": f"{unique} has moved on",
    }
    requests = await _live(running, guesses)
    await _until_confirmed(running, keys, guesses, {"name", "udid", "device id"})
    # when
    await _erase(running, requests)
    # then
    assert confirmed(await _loot(running), keys, guesses, requests) == set()


async def _live(state: StackState, guesses: Mapping[str, str]) -> list[Sent]:
    """What was asked for, in which words."""
    parent_id, key = f"parent-{new_id()}", new_id()
    bear = {"udid": guesses["udid"], "device_id": guesses["device id"]}
    async with (
        client(state, Role.PARENT, parent_id) as parent,
        client(state, Role.DEVICE, guesses["device id"]) as device,
    ):
        registered = await parent.register_child(
            guesses["name"], 7, **bear, consents=CONSENTS, idempotency_key=key
        )
        child = registered["child_id"]
        await device.report_safety_violation(child, "bullying", "low", details=guesses["details"])
        await parent.deactivate_child(child, guesses["reason"])
        await parent.reactivate_child(child)
    at = f"/v1/children/{child}"
    body = {"name": guesses["name"], "age": 7, **bear, "consents": CONSENTS}
    report = {"type": "bullying", "severity": "low", "details": guesses["details"]}
    return [
        Sent("parent", parent_id, key, "POST", "/v1/children", body),
        Sent("device", guesses["device id"], "", "POST", f"{at}/safety-violations", report),
        Sent("parent", parent_id, "", "POST", f"{at}/deactivation", {"reason": guesses["reason"]}),
    ]


async def _until_confirmed(
    state: StackState, keys: KeyFile, guesses: Mapping[str, str], expected: set[str]
) -> None:
    async def is_confirmed() -> bool:
        return confirmed(await _loot(state), keys, guesses) >= expected

    await eventually(is_confirmed, SOON)


async def _erase(state: StackState, requests: list[Sent]) -> None:
    child = requests[1].path.split("/")[3]
    async with client(state, Role.PARENT, requests[0].subject) as parent:
        await parent.erase_child(child)

        async def is_complete() -> bool:
            return bool((await parent.get_erasure_receipt(child))["complete"])

        await eventually(is_complete, SOON)


async def _loot(state: StackState) -> Loot:
    topics = await texts_of_topics(state.environment[plans.KAFKA_BOOTSTRAP])
    return Loot.of([*_documents(state), *topics.values()])


def _documents(state: StackState) -> Iterator[bytes]:
    with pymongo.MongoClient[Any](state.environment["TEDDY_WRITE_MONGO_URL"]) as mongo:
        for name in set(mongo.list_database_names()) - {OPLOG}:
            for collection in mongo[name].list_collection_names(filter={"type": "collection"}):
                yield from values_of(mongo[name][collection].find())
