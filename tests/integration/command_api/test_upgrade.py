"""The command API of today, as composed for production, on what the former release left."""

import base64
from pathlib import Path

import orjson
import pytest

from command_service.settings import CommandSettings
from shared.event_store.mongo import MongoEventStore, ensure_indexes
from shared.event_store.mongo_claims import MongoClaimStore
from shared.keyring.erased_list import MongoErasedList
from shared.keyring.key_file import KeyFile
from shared.keyring.key_store import MongoKeyStore
from shared.mongo import Mongo
from tests.integration.command_api.test_on_mongodb import running, settings
from tests.support.command_side import KEYS, Database
from tests.support.former_release import CHILD, SENT, put_former, send
from tests.support.problem_documents import assert_problem

__all__ = ["settings"]


@pytest.fixture
async def upgraded(settings: CommandSettings) -> CommandSettings:
    """Settings of a system in which the former release had stored a child."""
    _write(settings.key_file, KEYS)
    mongo = Mongo(settings.write_mongo_url, settings.mongo_driver)
    database = mongo.database(settings.write_database)
    await ensure_indexes(database)
    stores = MongoEventStore(database), MongoClaimStore(database), MongoKeyStore(database)
    events, claims, keys = stores
    await put_former(Database(events=events, claims=claims, keys=keys))
    for store in stores:
        await store.close()
    await mongo.close()
    return settings


def _write(file: Path, keys: KeyFile) -> None:
    def text(key: bytes) -> str:
        return base64.b64encode(key).decode()

    content = {
        "active": keys.active,
        "keks": {name: text(key) for name, key in keys.keks.items()},
        "index_key": text(keys.index_key),
        "signature_key": text(keys.signature_key),
    }
    file.write_bytes(orjson.dumps(content))


async def test_requests_of_before_are_recognised_and_refused_once_the_child_is_erased(
    upgraded: CommandSettings,
):
    # given
    hers = [one for one in SENT if one["by"] == "mother"]
    async with running(upgraded) as mother:
        # when
        again = [await send(mother, one) for one in hers]
        other = await send(mother, hers[1], name="Eve")
        erased = await mother.send("DELETE", f"/children/{CHILD}/personal-data")
        after = [await send(mother, one) for one in hers]
    # then
    assert [answer.json() for answer in again] == [one["answer"] for one in hers]
    assert all(answer.headers["Idempotency-Replayed"] == "true" for answer in again)
    assert_problem(other, 422, "idempotency-key-reused")
    assert erased.status_code == 200
    for answer in after:
        assert_problem(answer, 410, "child-erased")
    assert await _older_content(upgraded) == ["labels", "prints"]


async def _older_content(settings: CommandSettings) -> list[str]:
    """What is kept for the receipt."""
    mongo = Mongo(settings.keys_mongo_url, settings.mongo_driver)
    (erased,) = await MongoErasedList(mongo.database(settings.keys_database)).find([CHILD])
    await mongo.close()
    return sorted(erased.older or ())
