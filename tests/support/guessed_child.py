"""A child of a running system who is erased, and what who has the key file can still find out."""

from collections.abc import Iterator, Mapping
from typing import Any

import pymongo

from deploy.local import plans
from deploy.local.state import StackState
from shared.auth.access import Role
from shared.clock import new_id
from shared.keyring.key_file import KeyFile
from tests.support.callers import client
from tests.support.consents import CONSENTS
from tests.support.guesses import Loot, Sent, confirmed, values_of
from tests.support.kafka import texts_of_topics
from tests.support.waiting import eventually

SOON = 60.0
OPLOG = "local"
"""What is removed stands in this database until it is overwritten; the receipt says so."""

TOLD_WHILE_THERE = frozenset({"name", "udid", "device id", "topic"})
"""By the search index, by reservations, and by what read models count in clear."""


async def asked_of_an_erased_child(state: StackState, keys: KeyFile) -> set[str]:
    """Which guesses about a child, each of them right, its databases and topics confirm after it
    was erased. Before, they must confirm `TOLD_WHILE_THERE`, or the search would find nothing."""
    unique = new_id()[:8]
    guesses = {
        "name": f"Quilla{unique}",
        "udid": f"UDID-{unique}",
        "device id": f"bear-of-{unique}",
        "details": f"asked where {unique} lives",
        "reason": f"{unique} has moved on",
        "topic": f"the street of {unique}",
    }
    requests = await _live(state, guesses)
    await eventually(
        lambda: _reported(state, keys, guesses), SOON, lambda reported: reported >= TOLD_WHILE_THERE
    )
    await _erase(state, requests)
    return await _reported(state, keys, guesses, requests)


async def _reported(
    state: StackState, keys: KeyFile, guesses: Mapping[str, str], requests: list[Sent] | None = None
) -> set[str]:
    """Confirmed by a digest, or there to be read."""
    topics = await texts_of_topics(state.environment[plans.KAFKA_BOOTSTRAP])
    values = [*_documents(state), *topics.values()]
    everything = b"\0".join(values)
    in_clear = {name for name, guess in guesses.items() if guess.encode() in everything}
    return in_clear | confirmed(Loot.of(values), keys, guesses, requests or [])


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
        await device.start_conversation(child, topic=guesses["topic"])
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


async def _erase(state: StackState, requests: list[Sent]) -> None:
    child = requests[1].path.split("/")[3]
    async with client(state, Role.PARENT, requests[0].subject) as parent:
        await parent.erase_child(child)
        await eventually(
            lambda: parent.get_erasure_receipt(child), SOON, lambda receipt: receipt["complete"]
        )


def _documents(state: StackState) -> Iterator[bytes]:
    with pymongo.MongoClient[Any](state.environment["TEDDY_WRITE_MONGO_URL"]) as mongo:
        for name in set(mongo.list_database_names()) - {OPLOG}:
            for collection in mongo[name].list_collection_names(filter={"type": "collection"}):
                yield from values_of(mongo[name][collection].find())
