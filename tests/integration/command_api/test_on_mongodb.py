"""The command API as it is composed for production, on a real MongoDB."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from command_service.main import build_app
from command_service.settings import CommandSettings
from shared.auth.bears import BearIndex
from shared.auth.tokens import TokenIssuer
from shared.clock import utc_now
from shared.event_store.envelope import verify_chain
from shared.event_store.mongo import MongoEventStore
from shared.event_store.mongo_claims import COLLECTION as CLAIMS
from shared.keyring.key_file import read_key_file
from shared.mongo import Driver, Mongo
from shared.signing import read_signing_key
from tests.support.command_side import MOTHER, CommandClient
from tests.support.consents import BORN, CONSENTS
from tests.support.key_files import create_key_files
from tests.support.problem_documents import assert_problem
from tests.support.waiting import eventually

GOOD = {"name": "Ada", "age": 7, "udid": "TEDDY-0000-0042", "consents": CONSENTS}


@pytest.fixture
def settings(
    driver: Driver, mongo_url: str, fresh_database: str, tmp_path: Path
) -> CommandSettings:
    create_key_files(tmp_path)
    return CommandSettings(
        mongo_driver=driver,
        write_mongo_url=mongo_url,
        write_database=fresh_database,
        keys_mongo_url=mongo_url,
        keys_database=fresh_database,
        audit_mongo_url=mongo_url,
        audit_database=fresh_database,
        key_file=tmp_path / "keys.json",
        jwks_file=tmp_path / "jwks.json",
        proof_key_file=tmp_path / "proof.pem",
        proof_keys_file=tmp_path / "proof-keys.json",
        snapshot_every=2,
        rate_limit_registration="10000/hour",
        subject_share=1,  # all that these tests send at once comes from one mother
        address_share=1,
        command_wait_seconds=25,
        command_timeout_seconds=25,  # a test machine that is busy is no store that is away
    )


@asynccontextmanager
async def running(settings: CommandSettings) -> AsyncIterator[CommandClient]:
    """A command process from start to end, and a mother who talks to it."""
    app = build_app(settings)
    key = read_signing_key(settings.key_file.with_name("signing.pem"))
    issuer = TokenIssuer(key, settings.token_issuer, settings.token_audience)
    token = issuer.issue(MOTHER, utc_now(), timedelta(minutes=5))
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://command") as http,
    ):
        yield CommandClient(http, f"Bearer {token}")


async def until_ready(mother: CommandClient) -> httpx2.Response:
    return await eventually(
        lambda: mother.http.get("/health/ready"), wanted=lambda answer: answer.is_success
    )


async def test_a_child_lives_through_restarts(settings: CommandSettings):
    # given
    async with running(settings) as mother:
        child_id = await mother.register()
        child = f"/children/{child_id}"
        await mother.send("PATCH", f"{child}/profile", {"age": 8, "interests": None})
        await mother.send("POST", f"{child}/deactivation", {"reason": "moved on"})
    # when: from the snapshot and what came after it
    async with running(settings) as mother:
        back = await mother.send("POST", f"{child}/reactivation")
        same = await mother.send("PATCH", f"{child}/profile", {"age": 8})
        gone = await mother.send("DELETE", f"{child}/personal-data")
    async with running(settings) as mother:
        again = await mother.send("DELETE", f"{child}/personal-data")
        refused = await mother.send("PATCH", f"{child}/profile", {"age": 9})
        await mother.register()
    # then
    returned, erased = BORN + 3, BORN + 4
    versions = [answer.json()["version"] for answer in (back, same, gone)]
    assert versions == [returned, returned, erased]
    assert again.json() == {"child_id": child_id, "version": erased, "events": []}
    assert_problem(refused, 410, "child-erased")
    await the_chain_verifies(settings, child_id, erased)


async def test_a_bear_of_before_is_reserved_when_the_process_is_ready(settings: CommandSettings):
    # given a child of a release that reserved no device ids, and udids as they were written
    async with running(settings) as mother:
        await mother.register("Teddy-0000-0042", device_id="bear-42")
    await _as_reserved_before(settings, "Teddy-0000-0042")
    # when
    async with running(settings) as mother:
        await until_ready(mother)
        bear = {"udid": "TEDDY-0000-0044", "device_id": "BEAR-42"}
        device = await mother.send("POST", "/children", {**GOOD, **bear})
        udid = await mother.send("POST", "/children", {**GOOD, "udid": "teddy-0000-0042"})
        other = await mother.send("POST", "/children", {**GOOD, "udid": "teddy-0000-0043"})
    # then
    assert_problem(device, 409, "device-id-taken", "device_id")
    assert_problem(udid, 409, "udid-taken", "udid")
    assert other.status_code == 201


async def _as_reserved_before(settings: CommandSettings, udid: str) -> None:
    mongo = Mongo(settings.write_mongo_url, settings.mongo_driver)
    claims = mongo.database(settings.write_database)[CLAIMS]
    (claim, *_) = await claims.find({}).to_list(None)
    key = BearIndex(read_key_file(settings.key_file).index_key).udid_key(udid)
    before = {name: value for name, value in claim.items() if name != "form"} | {"_id": key}
    await claims.delete_many({})
    await claims.insert_one(before)
    await mongo.close()


async def the_chain_verifies(settings: CommandSettings, child_id: str, version: int) -> None:
    mongo = Mongo(settings.write_mongo_url, settings.mongo_driver)
    store = MongoEventStore(mongo.database(settings.write_database))
    assert verify_chain(await store.load(child_id)).version == version
    await store.close()
    await mongo.close()


async def test_a_key_of_what_changed_nothing_outlives_its_process(settings: CommandSettings):
    # given
    async with running(settings) as mother:
        child_id = await mother.register()
        profile = f"/children/{child_id}/profile"
        first = await mother.send("PATCH", profile, {"age": 7}, key="seven-it-is")
        await mother.send("PATCH", profile, {"age": 8})
    # when
    async with running(settings) as mother, running(settings) as elsewhere:
        again = [
            await each.send("PATCH", profile, {"age": 7}, key="seven-it-is")
            for each in (mother, elsewhere)
        ]
        other = await mother.send("PATCH", profile, {"age": 9}, key="seven-it-is")
    # then
    assert [each.json() for each in again] == [first.json()] * 2
    assert all(each.headers["Idempotency-Replayed"] == "true" for each in again)
    assert_problem(other, 422, "idempotency-key-reused")
    await the_chain_verifies(settings, child_id, BORN + 1)


async def test_a_process_is_ready_while_its_stores_answer(settings: CommandSettings):
    async with running(settings) as mother:
        ready = await until_ready(mother)  # once it looked for reservations of older releases
    assert ready.json() == {
        "status": "ready",
        "dependencies": {"event_store": "up", "key_store": "up", "audit_trail": "up"},
    }
